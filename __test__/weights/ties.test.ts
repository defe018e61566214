import test from 'ava'
import { kernels, setThreads, TamisError, type Tensor, tensor, weights } from 'tamis'

const float32 = (...items: number[]) => tensor('float32', [items.length], items)
const half = (...bits: number[]): Tensor => ({
  type: 'float16',
  dims: [bits.length],
  data: Uint16Array.from(bits),
})

test('taskVector widens halves, skips names, and takes float64 as it is', (t) => {
  const model = { w: half(0x3c00, 0x4000), step: tensor('int64', [1], [3]) }
  const base = { w: float32(0.5, 1), step: tensor('int64', [1], [1]) }
  t.deepEqual(weights.taskVector(model, base, { skip: ['step'] }), { w: float32(0.5, 1) })
  const close = weights.taskVector(
    { w: tensor('float64', [1], [1 + 2 ** -40]) },
    { w: tensor('float64', [1], [1]) },
  )
  t.deepEqual(close, { w: float32(2 ** -40) })
})

test('addUpdate passes through what has no update, of any type', (t) => {
  const base = { w: half(0x3c00), step: tensor('int64', [1], [3]) }
  const model = weights.addUpdate(base, { w: float32(2) })
  t.deepEqual(model, { w: float32(3), step: base.step })
  t.deepEqual(weights.addUpdate(base, {}), base)
})

test('one update is trimmed, and weighted where sums are', async (t) => {
  const update = { a: float32(1, -4), b: float32(2, 3) }
  const merge = (options: object) => weights.mergeTies([update], { density: 0.5, weights: [2], ...options })
  t.deepEqual(await merge({}), { a: float32(0, -4), b: float32(0, 3) })
  t.deepEqual(await merge({ merge: 'sum' }), { a: float32(0, -8), b: float32(0, 6) })
  t.deepEqual(await merge({ merge: 'max' }), { a: float32(0, -8), b: float32(0, 6) })
  t.deepEqual(await merge({ scope: 'tensor' }), { a: float32(0, -4), b: float32(0, 3) })
})

test('what cancels takes the majority of its scope', async (t) => {
  const a = { one: float32(0.5, -0.25, -2), two: float32(1, 2) }
  const b = { one: float32(-0.5, -0.5, -1), two: float32(-1, 2) }
  const merge = (scope: 'global' | 'tensor') => weights.mergeTies([a, b], { density: 1, scope })
  t.deepEqual(await merge('global'), { one: float32(-0.5, -0.375, -1.5), two: float32(-1, 2) })
  t.deepEqual(await merge('tensor'), { one: float32(-0.5, -0.375, -1.5), two: float32(1, 2) })
})

test('where the majority cancels too, the sign is positive', async (t) => {
  const [a, b] = [{ w: float32(1, 2, -2) }, { w: float32(-3, 2, -2) }]
  const merged = await weights.mergeTies([a, b], { density: 1, weights: [3, 1] })
  t.deepEqual(merged.w, float32(1, 2, -2))
})

test('no items, or no tensors, are merged to that', async (t) => {
  t.deepEqual(await weights.mergeTies([{}, {}]), {})
  t.deepEqual(await weights.mergeTies([{ w: float32() }, { w: float32() }]), { w: float32() })
})

test.serial('the same on 1, 2 and 7 threads', async (t) => {
  t.teardown(() => setThreads(0))
  const update = (seed: number) => ({
    a: kernels.normalSync(1_200_001, { seed }),
    b: kernels.normalSync(70_001, { seed: seed + 10 }),
  })
  const updates = [update(1), update(2), update(3)]
  const run = async () => [
    await weights.mergeTies(updates),
    await weights.mergeTies(updates, { scope: 'tensor', merge: 'max', weights: [1, 2, 0.5] }),
    weights.taskVector(updates[0] as never, updates[1] as never),
  ]
  setThreads(1)
  const one = await run()
  for (const count of [2, 7]) {
    setThreads(count)
    t.deepEqual(await run(), one)
  }
})

test('a promise has its own copy', async (t) => {
  const w = kernels.normalSync(50_000) as Tensor<'float32'>
  const want = await weights.mergeTies([{ w }])
  const copy = { ...w, data: w.data.slice() }
  const running = weights.mergeTies([{ w: copy }])
  copy.data.fill(7)
  t.deepEqual(await running, want)
})

const one = () => ({ w: float32(1, 2) })
const wrong: [string, () => unknown, string, RegExp][] = [
  ['no update', () => weights.mergeTies([]), 'RANGE', /^at least one update is needed/],
  ['what is no list', () => weights.mergeTies(one() as never), 'TYPE', /^updates must be a list/],
  [
    'other names',
    () => weights.mergeTies([one(), { v: float32(1, 2) }]),
    'SHAPE',
    /^updates differ in tensors: "w"/,
  ],
  [
    'more names',
    () => weights.mergeTies([one(), { ...one(), v: float32(1) }]),
    'SHAPE',
    /^updates differ in tensors: "v" is in updates\[1\] but not in updates\[0\]/,
  ],
  [
    'other dims',
    () => weights.mergeTies([one(), { w: tensor('float32', [2, 1], [1, 2]) }]),
    'SHAPE',
    /^shape mismatch: tensor "w"/,
  ],
  ['density 0', () => weights.mergeTies([one()], { density: 0 }), 'RANGE', /^density must be in \(0, 1\]/],
  [
    'too few weights',
    () => weights.mergeTies([one(), one()], { weights: [1] }),
    'RANGE',
    /^one weight per update is needed/,
  ],
  [
    'a weight that is not finite',
    () => weights.mergeTies([one()], { weights: [Number.NaN] }),
    'RANGE',
    /^one weight per update is needed/,
  ],
  [
    'another merge',
    () => weights.mergeTies([one()], { merge: 'median' as 'mean' }),
    'RANGE',
    /^unknown merge/,
  ],
  [
    'another scope',
    () => weights.mergeTies([one()], { scope: 'layer' as 'tensor' }),
    'RANGE',
    /^unknown scope/,
  ],
  [
    'NaN',
    () => weights.mergeTies([one(), { w: float32(1, Number.NaN) }]),
    'RANGE',
    /^updates\[1\]: tensor "w" is not finite/,
  ],
  [
    'NaN where nothing is trimmed',
    () => weights.mergeTies([{ w: float32(Infinity) }], { density: 1 }),
    'RANGE',
    /"w" is not finite/,
  ],
  [
    'a model of other names',
    () => weights.taskVector(one(), {}),
    'SHAPE',
    /^updates differ in tensors: "w" is in model but not in base/,
  ],
  ['a model of other dims', () => weights.taskVector(one(), { w: float32(1) }), 'SHAPE', /^shape mismatch/],
  [
    'a difference that overflows',
    () => weights.taskVector({ w: float32(3e38) }, { w: float32(-3e38) }),
    'RANGE',
    /"w" is not finite/,
  ],
  [
    'a NaN in a model',
    () => weights.taskVector({ w: float32(Number.NaN) }, { w: float32(1) }),
    'RANGE',
    /"w" is not finite/,
  ],
  [
    'integers that are not skipped',
    () => weights.taskVector({ w: tensor('int8', [1], [1]) }, { w: float32(1) }),
    'TYPE',
    /"w" must be float32/,
  ],
  [
    'an update of what is not there',
    () => weights.addUpdate({}, one()),
    'SHAPE',
    /^updates differ in tensors/,
  ],
  ['an update of other dims', () => weights.addUpdate(one(), { w: float32(1) }), 'SHAPE', /^shape mismatch/],
  [
    'a lambda that is not finite',
    () => weights.addUpdate(one(), one(), { lambda: Infinity }),
    'RANGE',
    /^lambda/,
  ],
  [
    'a NaN update',
    () => weights.addUpdate(one(), { w: float32(1, Number.NaN) }),
    'RANGE',
    /"w" is not finite/,
  ],
]

for (const [name, call, code, message] of wrong) {
  test(`refuses ${name}`, async (t) => {
    const error = await t.throwsAsync(async () => call(), { instanceOf: TamisError, message })
    t.is(error?.code, `ERR_TAMIS_${code}` as never)
  })
}
