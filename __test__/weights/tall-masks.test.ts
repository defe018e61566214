import test from 'ava'
import { kernels, setThreads, TamisError, type Tensor, tensor, weights } from 'tamis'

const float32 = (...items: number[]) => tensor('float32', [items.length], items)
const mask = (...items: number[]) => tensor('uint8', [items.length], items)

test('one update: its mask is where it is not 0', async (t) => {
  const { masks, densities } = await weights.maskTasks([{ w: float32(0, -1, 0.001, -0) }])
  t.deepEqual(masks, [{ w: mask(0, 1, 1, 0) }])
  t.deepEqual(densities, [0.5])
})

test('a lambda a task, and what is merged otherwise', async (t) => {
  const updates = [{ w: float32(1, 0.2) }, { w: float32(0.3, 1) }]
  const masks = async (options: object) =>
    (await weights.maskTasks(updates, options)).masks.map(({ w }) => [...(w?.data ?? [])])
  t.deepEqual(await masks({ lambda: [0.4, 0.1] }), [
    [1, 0],
    [1, 1],
  ])
  t.deepEqual(await masks({ merged: { w: float32(0, 0) }, lambda: 0.9 }), [
    [1, 1],
    [1, 1],
  ])
  t.deepEqual(await masks({ merged: { w: float32(0, 0) }, lambda: 1 }), [
    [0, 0],
    [0, 0],
  ])
})

test('agree 0 keeps all, more than there are masks none', async (t) => {
  const masks = [{ w: mask(1, 0) }, { w: tensor('bool', [2], [1, 0]) }]
  const density = async (agree: number) => (await weights.consensusMask(masks, { agree })).density
  t.deepEqual([await density(0), await density(1), await density(2), await density(3)], [1, 0.5, 0.5, 0])
  const updates = [{ w: float32(1, 2) }, { w: float32(3, 4) }]
  t.deepEqual(await weights.mergeConsensus(updates, masks, { agree: 0 }), { w: float32(4, 6) })
  const merged = { w: float32(9, 9) }
  t.deepEqual(await weights.mergeConsensus(updates, masks, { agree: 1, merged }), { w: float32(9, 0) })
})

test('a file holds every task', (t) => {
  const merged = { 'b.c': kernels.normalSync(77), a: float32(1, 2, 3), none: float32() }
  const taken = (seed: number) => ({
    'b.c': tensor(
      'uint8',
      [77],
      Array.from({ length: 77 }, (_, i) => ((i * seed) >> 2) & 1),
    ),
    a: mask(1, seed & 1, 0),
    none: mask(),
  })
  const masks = { zebra: taken(3), '7': taken(5), é: taken(8) }
  const file = weights.writeTasks(merged, masks)
  for (const [task, own] of Object.entries(masks)) {
    const got = weights.readTask(tensor('uint8', [file.length], file), task)
    for (const [name, { data }] of Object.entries(merged)) {
      const bits = own[name as keyof typeof own].data
      t.deepEqual(
        got[name]?.data,
        Float32Array.from(data, (x, i) => (bits[i] ? x : 0)),
      )
    }
  }
})

test('twenty tasks take 13 % of twenty checkpoints', (t) => {
  const n = 8000
  const merged = { w: kernels.normalSync(n) }
  const all = tensor('uint8', [n], new Uint8Array(n).fill(1))
  const masks = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`task${i}`, { w: all }]))
  const share = (weights.writeTasks(merged, masks).length + 4 * n) / (20 * 4 * n)
  t.true(Math.abs(share - 84 / 640) < 0.01, String(share))
})

test.serial('the same on 1, 2 and 7 threads', async (t) => {
  t.teardown(() => setThreads(0))
  const updates = [1, 2, 3].map((seed) => ({ w: kernels.normalSync(300_001, { seed }) }))
  const run = async () => {
    const { masks, densities } = await weights.maskTasks(updates)
    return [
      masks,
      densities,
      await weights.consensusMask(masks),
      await weights.mergeConsensus(updates, masks),
    ]
  }
  setThreads(1)
  const one = await run()
  for (const count of [2, 7]) {
    setThreads(count)
    t.deepEqual(await run(), one)
  }
})

const u = () => ({ w: float32(1, 2) })
const m = () => ({ w: mask(1, 0) })
const file = () => weights.writeTasks(u(), { cars: m() })
const wrong: [string, () => unknown, string, RegExp][] = [
  ['no update', () => weights.maskTasks([]), 'RANGE', /^at least one update is needed/],
  ['no mask', () => weights.consensusMask([]), 'RANGE', /^at least one mask is needed/],
  ['no update to merge', () => weights.mergeConsensus([], [m()]), 'RANGE', /^at least one update is needed/],
  ['no mask to merge by', () => weights.mergeConsensus([u()], []), 'RANGE', /^at least one mask is needed/],
  ['no mask to write', () => weights.writeTasks(u(), {}), 'RANGE', /^at least one mask is needed/],
  [
    'other names',
    () => weights.maskTasks([u(), { v: float32(1, 2) }]),
    'SHAPE',
    /^updates differ in tensors/,
  ],
  ['other dims', () => weights.maskTasks([u(), { w: float32(1) }]), 'SHAPE', /^shape mismatch/],
  [
    'merged of other names',
    () => weights.maskTasks([u()], { merged: {} }),
    'SHAPE',
    /^updates differ in tensors/,
  ],
  [
    'masks of other names',
    () => weights.mergeConsensus([u()], [{ v: mask(1) }]),
    'SHAPE',
    /^updates differ in tensors/,
  ],
  ['masks of other dims', () => weights.mergeConsensus([u()], [{ w: mask(1) }]), 'SHAPE', /^shape mismatch/],
  [
    'written masks of other dims',
    () => weights.writeTasks(u(), { a: { w: mask(1) } }),
    'SHAPE',
    /^shape mismatch/,
  ],
  [
    'written masks of other names',
    () => weights.writeTasks(u(), { a: {} }),
    'SHAPE',
    /^updates differ in tensors/,
  ],
  ['lambda 0', () => weights.maskTasks([u()], { lambda: 0 }), 'RANGE', /^lambda must be positive, got 0/],
  [
    'lambda NaN',
    () => weights.maskTasks([u()], { lambda: [Number.NaN] }),
    'RANGE',
    /^lambda must be positive/,
  ],
  [
    'too many lambdas',
    () => weights.maskTasks([u()], { lambda: [1, 1] }),
    'RANGE',
    /^one lambda per task is needed/,
  ],
  [
    'agree -1',
    () => weights.consensusMask([m()], { agree: -1 }),
    'RANGE',
    /^agree must be a non-negative integer/,
  ],
  [
    'agree 1.5',
    () => weights.mergeConsensus([u()], [m()], { agree: 1.5 }),
    'RANGE',
    /^agree must be a non-negative integer/,
  ],
  [
    'a mask of 2',
    () => weights.consensusMask([m(), { w: mask(2, 0) }]),
    'RANGE',
    /^mask must hold 0 and 1, masks\[1\]/,
  ],
  [
    'a written mask of 2',
    () => weights.writeTasks(u(), { a: { w: mask(0, 2) } }),
    'RANGE',
    /^mask must hold 0 and 1/,
  ],
  ['a mask of floats', () => weights.consensusMask([u()]), 'TYPE', /must be uint8 or bool/],
  [
    'NaN',
    () => weights.maskTasks([u(), { w: float32(1, Number.NaN) }]),
    'RANGE',
    /^updates\[1\]: tensor "w" is not finite/,
  ],
  [
    'NaN in merged',
    () => weights.maskTasks([u()], { merged: { w: float32(Infinity, 1) } }),
    'RANGE',
    /^merged: tensor "w" is not finite/,
  ],
  [
    'a sum that overflows',
    () => weights.maskTasks([{ w: float32(3e38) }, { w: float32(3e38) }]),
    'RANGE',
    /^the sum of the updates: tensor "w" is not finite/,
  ],
  [
    'NaN to write',
    () => weights.writeTasks({ w: float32(Number.NaN) }, { a: { w: mask(1) } }),
    'RANGE',
    /"w" is not finite/,
  ],
  [
    'a task without a name',
    () => weights.writeTasks(u(), { '': m() }),
    'RANGE',
    /^task name must not contain a dot/,
  ],
  [
    'a task with a dot',
    () => weights.writeTasks(u(), { 'a.b': m() }),
    'RANGE',
    /^task name must not contain a dot/,
  ],
  ['an unknown task', () => weights.readTask(file(), 'boats'), 'RANGE', /^unknown task.*"cars".*"boats"/],
  ['another file', () => weights.readTask(weights.writeTernary({}), 'cars'), 'FORMAT', /^not a task file/],
  ['no file', () => weights.readTask(new Uint8Array(9), 'cars'), 'FORMAT', /^not a task file/],
  ['a file cut short', () => weights.readTask(file().slice(0, -1), 'cars'), 'FORMAT', /^not a task file/],
]

for (const [name, call, code, message] of wrong) {
  test(`refuses ${name}`, async (t) => {
    const error = await t.throwsAsync(async () => call(), { instanceOf: TamisError, message })
    t.is(error?.code, `ERR_TAMIS_${code}` as never)
  })
}

test('inputs are not changed', async (t) => {
  const updates: Record<string, Tensor>[] = [u(), { w: float32(3, -1) }]
  const before = structuredClone(updates)
  const { masks } = await weights.maskTasks(updates)
  await weights.mergeConsensus(updates, masks)
  t.deepEqual(updates, before)
})
