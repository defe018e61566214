import test from 'ava'
import { kernels, setThreads, type Tensor, tensor } from 'tamis'

const x = () => tensor('float32', [2, 4], [1, -3, 2, 0.5, -1, 1, -0, 4])

test('every float type keeps its type and its bits', (t) => {
  const bits = { float16: [0x3c00, 0xc200, 0x4000, 0x8000], bfloat16: [0x3f80, 0xc040, 0x4000, 0x8000] }
  for (const type of ['float16', 'bfloat16'] as const) {
    const half: Tensor = { type, dims: [4], data: Uint16Array.from(bits[type]) }
    const { values, mask } = kernels.sparsifySync(half, { keep: 2 })
    t.deepEqual([...mask.data], [0, 1, 1, 0])
    t.deepEqual(values, { type, dims: [4], data: Uint16Array.of(0, bits[type][1] as number, 0x4000, 0) })
  }
  const wide = kernels.sparsifySync(tensor('float64', [3], [1e-300, -2e-300, 0]), { density: 0.5 })
  t.deepEqual(wide.values, tensor('float64', [3], [0, -2e-300, 0]))
})

test('a share to keep, a share to drop, a number, a pattern', async (t) => {
  const kept = (options: Parameters<typeof kernels.sparsify>[1]) => [
    ...kernels.sparsifySync(x(), options).mask.data,
  ]
  t.deepEqual(kept({ density: 0.25 }), [0, 1, 0, 0, 0, 0, 0, 1])
  t.deepEqual(kept({ density: 1e-9 }), [0, 0, 0, 0, 0, 0, 0, 1])
  t.deepEqual(kept({ sparsity: 0.75 }), [0, 1, 0, 0, 0, 0, 0, 1])
  t.deepEqual(kept({ sparsity: 0 }), [1, 1, 1, 1, 1, 1, 1, 1])
  t.deepEqual(kept({ keep: 0 }), [0, 0, 0, 0, 0, 0, 0, 0])
  t.deepEqual(kept({ keep: 4 }), [1, 1, 1, 0, 0, 0, 0, 1])
  t.deepEqual(kept({ keep: 1, scope: 'row' }), [0, 1, 0, 0, 0, 0, 0, 1])
  t.deepEqual(kept({ pattern: [1, 2] }), [0, 1, 1, 0, 1, 0, 0, 1])
  t.deepEqual(kept({ pattern: [4, 4] }), [1, 1, 1, 1, 1, 1, 1, 1])
  t.deepEqual(await kernels.sparsify(x(), { keep: 3 }), kernels.sparsifySync(x(), { keep: 3 }))
})

test('scores are signed, of any float type, and decide for x', (t) => {
  const scores = tensor('float64', [4], [-5, 0.5, 1, -0.5])
  const { values } = kernels.sparsifySync(tensor('float32', [4], [1, 2, -3, 4]), { keep: 2, scores })
  t.deepEqual(values.data, Float32Array.of(0, 2, -3, 0))
})

test('what is dropped is 0, not -0', (t) => {
  const { values } = kernels.sparsifySync(tensor('float32', [3], [-1, -2, -3]), { keep: 1 })
  t.true([...values.data].every((item) => !Object.is(item, -0)))
})

test('nothing gives nothing, a scalar itself', (t) => {
  t.deepEqual(kernels.sparsifySync(tensor('float32', [0], []), { density: 0.5 }).mask.dims, [0])
  t.deepEqual(kernels.sparsifySync(tensor('float32', [0, 4], []), { pattern: [2, 4] }).mask.dims, [0, 4])
  t.deepEqual(
    kernels.sparsifySync(tensor('float32', [2, 0], []), { density: 0.5, scope: 'row' }).mask.dims,
    [2, 0],
  )
  t.deepEqual([...kernels.sparsifySync(tensor('float32', [], [3]), { density: 0.5 }).values.data], [3])
})

test.serial('the same on 1, 2 and 7 threads', async (t) => {
  t.teardown(() => setThreads(0))
  const long = kernels.normalSync(1_300_000)
  const run = async () => [
    await kernels.sparsify(long, { density: 0.1 }),
    kernels.sparsifySync({ ...long, dims: [1300, 1000] }, { density: 0.3, scope: 'row' }),
    kernels.sparsifySync(long, { pattern: [2, 4] }),
  ]
  setThreads(1)
  const one = await run()
  for (const count of [2, 7]) {
    setThreads(count)
    t.deepEqual(await run(), one)
  }
})

const wrong: [string, () => unknown, string, RegExp][] = [
  [
    'no amount',
    () => kernels.sparsifySync(x(), {}),
    'RANGE',
    /^exactly one of density, sparsity, keep, pattern/,
  ],
  [
    'two amounts',
    () => kernels.sparsifySync(x(), { keep: 1, density: 0.5 }),
    'RANGE',
    /^exactly one .* density and keep/,
  ],
  [
    'density 0',
    () => kernels.sparsifySync(x(), { density: 0 }),
    'RANGE',
    /^density must be in \(0, 1\], got 0/,
  ],
  ['density NaN', () => kernels.sparsifySync(x(), { density: Number.NaN }), 'RANGE', /^density/],
  ['sparsity 1', () => kernels.sparsifySync(x(), { sparsity: 1 }), 'RANGE', /^sparsity must be in \[0, 1\)/],
  [
    'keep above n',
    () => kernels.sparsifySync(x(), { keep: 9 }),
    'RANGE',
    /^keep must be an integer from 0 to 8/,
  ],
  ['p above m', () => kernels.sparsifySync(x(), { pattern: [5, 4] }), 'RANGE', /^pattern/],
  ['p of 0', () => kernels.sparsifySync(x(), { pattern: [0, 4] }), 'RANGE', /^pattern/],
  ['groups that do not fit', () => kernels.sparsifySync(x(), { pattern: [2, 3] }), 'SHAPE', /divisible by 3/],
  [
    'NaN',
    () => kernels.sparsifySync(tensor('float32', [2], [1, Number.NaN]), { keep: 1 }),
    'RANGE',
    /^x must be finite/,
  ],
  [
    'a NaN score',
    () =>
      kernels.sparsifySync(tensor('float32', [1], [1]), {
        keep: 1,
        scores: tensor('float32', [1], [Number.NaN]),
      }),
    'RANGE',
    /^scores must be finite/,
  ],
  [
    'scores of other dims',
    () => kernels.sparsifySync(x(), { keep: 1, scores: tensor('float32', [8], Array(8).fill(1)) }),
    'SHAPE',
    /^shape: scores/,
  ],
  [
    'a row of a scalar',
    () => kernels.sparsifySync(tensor('float32', [], [1]), { keep: 1, scope: 'row' }),
    'SHAPE',
    /^rank/,
  ],
  [
    'integers',
    () => kernels.sparsifySync(tensor('int8', [1], [1]), { keep: 1 }),
    'TYPE',
    /^x must be float32/,
  ],
  [
    'another scope',
    () => kernels.sparsifySync(x(), { keep: 1, scope: 'column' as 'row' }),
    'RANGE',
    /^unknown scope/,
  ],
]

for (const [name, call, code, message] of wrong) {
  test(`refuses ${name}`, (t) => {
    t.throws(call, { name: 'TamisError', code: `ERR_TAMIS_${code}`, message })
  })
}

test('an infinite score is a score', (t) => {
  const { mask } = kernels.sparsifySync(tensor('float32', [3], [1, -Infinity, 2]), { keep: 1 })
  t.deepEqual([...mask.data], [0, 1, 0])
})

test('a stopped promise rejects', async (t) => {
  const signal = AbortSignal.abort()
  await t.throwsAsync(kernels.sparsify(x(), { keep: 1, signal }), { code: 'ERR_TAMIS_ABORTED' })
})
