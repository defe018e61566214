import test from 'ava'
import { kernels, setThreads, type Tensor, tensor } from 'tamis'

const normal = (dims: number[], seed: number, dtype: 'float32' | 'float64' = 'float32') =>
  ({
    ...kernels.normalSync(
      dims.reduce((a, b) => a * b, 1),
      { seed, dtype },
    ),
    dims,
  }) as Tensor<'float32' | 'float64'>

function symmetric(n: number, seed: number): Tensor<'float64'> {
  const { data } = normal([n, n], seed, 'float64')
  const at = (i: number, j: number) => (data[i * n + j] as number) + (data[j * n + i] as number)
  return tensor(
    'float64',
    [n, n],
    Float64Array.from({ length: n * n }, (_, k) => at(Math.floor(k / n), k % n)),
  )
}

test('vectors have the type of the input, values are float64', async (t) => {
  for (const type of ['float32', 'float64'] as const) {
    const { values, vectors } = await kernels.eigh(tensor(type, [2, 2], [2, 1, 1, 2]))
    t.deepEqual([values.type, vectors?.type], ['float64', type])
    t.true(Math.abs((values.data[0] as number) - 3) < 1e-12)
    const { u, s, v } = kernels.svdSync(tensor(type, [1, 2], [3, 4]))
    t.deepEqual([u?.dims, s.dims, v?.dims, u?.type], [[1, 1], [1], [2, 1], type])
    t.is(u?.data[0], 1)
  }
})

test('rank and vectors: only what is asked for', (t) => {
  const a = symmetric(5, 1)
  const all = kernels.eighSync(a)
  const two = kernels.eighSync(a, { rank: 2 })
  t.deepEqual(two.values.data, all.values.data.slice(0, 2))
  t.deepEqual(two.vectors?.dims, [5, 2])
  t.deepEqual(Object.keys(kernels.eighSync(a, { vectors: false })), ['values'])
  t.deepEqual(Object.keys(kernels.svdSync(a, { vectors: false })), ['s'])
  t.deepEqual(kernels.svdSync(normal([4, 6], 2), { rank: 3 }).v?.dims, [6, 3])
})

test('matrices without rows', (t) => {
  const none = tensor('float32', [0, 0], [])
  t.deepEqual(kernels.eighSync(none).values.dims, [0])
  t.deepEqual(kernels.svdSync(tensor('float32', [0, 3], [])).v?.dims, [3, 0])
  t.deepEqual(kernels.solveSync(none, tensor('float32', [0], [])).dims, [0])
})

test('a right side of one axis gives one of one axis', async (t) => {
  const a = tensor('float32', [2, 2], [4, 0, 0, 2])
  t.deepEqual(await kernels.solve(a, tensor('float32', [2], [8, 2])), tensor('float32', [2], [2, 1]))
  const { type, dims } = kernels.solveSync(a, tensor('float64', [2, 1], [8, 2]))
  t.deepEqual({ type, dims }, { type: 'float64', dims: [2, 1] })
  const x = tensor('float32', [3, 2], [1, 0, 0, 1, 0, 0])
  const w = await kernels.leastSquares(x, tensor('float32', [3], [1, 2, 3]))
  t.deepEqual(w.dims, [2])
  t.true(Math.abs(Number(w.data[1]) - 2) < 1e-6)
})

test.serial('factorisations are the same on 1, 2 and 7 threads', async (t) => {
  t.teardown(() => setThreads(0))
  const a = symmetric(150, 3)
  const x = normal([3 * 4096 + 33, 9], 4)
  const y = normal([3 * 4096 + 33, 2], 5)
  const run = async () => [
    kernels.eighSync(a),
    await kernels.svd(x),
    kernels.leastSquaresSync(x, y),
    await kernels.leastSquares(x, y, { ridge: 0.5 }),
  ]
  setThreads(1)
  const one = await run()
  for (const count of [2, 7]) {
    setThreads(count)
    t.deepEqual(await run(), one)
  }
})

const two = (...items: number[]) => tensor('float32', [2, 2], items)
const b = tensor('float32', [2], [1, 1])
const wrong: [string, () => unknown, { code: string; message: RegExp }][] = [
  [
    'what is not symmetric',
    () => kernels.eighSync(two(1, 2, 3, 4)),
    { code: 'ERR_TAMIS_RANGE', message: /^a must be symmetric/ },
  ],
  [
    'NaN',
    () => kernels.eighSync(two(Number.NaN, 0, 0, 0)),
    { code: 'ERR_TAMIS_RANGE', message: /^a must be finite/ },
  ],
  ['infinity', () => kernels.svdSync(two(Infinity, 0, 0, 0)), { code: 'ERR_TAMIS_RANGE', message: /finite/ }],
  [
    'a matrix that is not square',
    () => kernels.eighSync(tensor('float32', [1, 2], [1, 2])),
    { code: 'ERR_TAMIS_SHAPE', message: /^shape: a must be square/ },
  ],
  ['one axis', () => kernels.eighSync(b as never), { code: 'ERR_TAMIS_SHAPE', message: /^rank/ }],
  [
    'rank 0',
    () => kernels.eighSync(two(1, 0, 0, 1), { rank: 0 }),
    { code: 'ERR_TAMIS_RANGE', message: /^rank must/ },
  ],
  [
    'rank above n',
    () => kernels.svdSync(two(1, 0, 0, 1), { rank: 3 }),
    { code: 'ERR_TAMIS_RANGE', message: /^rank must/ },
  ],
  [
    'integers',
    () => kernels.eighSync(tensor('int32', [1, 1], [1]) as never),
    { code: 'ERR_TAMIS_TYPE', message: /^a must be float32 or float64/ },
  ],
  [
    'an indefinite matrix',
    () => kernels.solveSync(two(1, 2, 2, 1), b),
    { code: 'ERR_TAMIS_RANGE', message: /positive definite/ },
  ],
  [
    'a negative ridge',
    () => kernels.solveSync(two(1, 0, 0, 1), b, { ridge: -1 }),
    { code: 'ERR_TAMIS_RANGE', message: /^ridge/ },
  ],
  [
    'another right side',
    () => kernels.solveSync(two(1, 0, 0, 1), tensor('float32', [3], [1, 1, 1])),
    { code: 'ERR_TAMIS_SHAPE', message: /^shape: b/ },
  ],
  [
    'NaN on the right',
    () => kernels.leastSquaresSync(two(1, 0, 0, 1), tensor('float32', [2], [1, Number.NaN])),
    { code: 'ERR_TAMIS_RANGE', message: /^y must be finite/ },
  ],
]

for (const [name, call, error] of wrong) {
  test(`refuses ${name}`, (t) => {
    t.throws(call, { name: 'TamisError', ...error })
  })
}
