import test from 'ava'
import { kernels, setThreads, type Tensor, tensor } from 'tamis'

const x = tensor('float32', [3, 2], [0, 0, 3, 4, 6, 8])

test('pairwise compares a tensor with itself, or with another one', async (t) => {
  const self = kernels.pairwiseSync(x, { metric: 'l2' })
  t.deepEqual(self, tensor('float32', [3, 3], [0, 5, 10, 5, 0, 5, 10, 5, 0]))
  t.deepEqual(await kernels.pairwise(x, { metric: 'euclidean' }), self)
  t.deepEqual(await kernels.pairwise(x, undefined, { metric: 'l2' }), self)
  t.deepEqual(await kernels.pairwise(x, x, { metric: 'l2' }), self)
  const cosine = kernels.pairwiseSync(x, tensor('float32', [1, 2], [1, 0]))
  t.deepEqual(cosine.dims, [3, 1])
  t.deepEqual([...cosine.data], [0, Math.fround(0.6), Math.fround(0.6)])
  t.deepEqual([...kernels.pairwiseSync(x, { metric: 'l2sq' }).data.slice(0, 3)], [0, 25, 100])
  t.deepEqual([...kernels.pairwiseSync(x, { metric: 'dot' }).data.slice(3, 6)], [0, 25, 50])
})

test('float64 stays float64, half types become float32, mixed types float64', (t) => {
  const wide = tensor('float64', [2, 1], [1e9, 1e9 + 0.001])
  const { type, data } = kernels.pairwiseSync(wide, { metric: 'l2' })
  t.is(type, 'float64')
  t.true(Math.abs((data[1] as number) - 0.001) < 1e-6)
  const half: Tensor = { type: 'float16', dims: [2, 1], data: Uint16Array.of(0x3c00, 0x4000) }
  t.deepEqual(kernels.pairwiseSync(half, { metric: 'l2' }), tensor('float32', [2, 2], [0, 1, 1, 0]))
  t.is(kernels.pairwiseSync(wide, tensor('float32', [1, 1], [1]), { metric: 'dot' }).type, 'float64')
})

test('sets of any type, and packed', (t) => {
  const bits = tensor('uint8', [2, 2], [0b1100_0000, 1, 0b0100_0000, 0])
  t.deepEqual([...kernels.pairwiseSync(bits, { metric: 'hamming', packed: true }).data], [0, 2, 2, 0])
  t.deepEqual([...kernels.pairwiseSync(bits, { metric: 'hamming' }).data], [0, 2, 2, 0])
  const jaccard = kernels.pairwiseSync(bits, { metric: 'jaccard', packed: true })
  t.deepEqual([...jaccard.data], [0, Math.fround(2 / 3), Math.fround(2 / 3), 0])
  for (const type of ['int8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'float64', 'bool'] as const) {
    const words = tensor(type, [2, 3], [1, 0, 1, 1, 1, 0])
    t.deepEqual(kernels.pairwiseSync(words, { metric: 'hamming' }), tensor('float32', [2, 2], [0, 2, 2, 0]))
    const { indices, scores } = kernels.nearestSync(words, words, { metric: 'jaccard', k: 2 })
    t.deepEqual([...indices.data], [0, 1, 1, 0])
    t.is(scores.type, 'float32')
  }
})

test('nearest: masks, without oneself, ties to the lowest row', async (t) => {
  const base = tensor('float32', [4, 1], [1, 1, 2, 1])
  const find = (o: kernels.NearestOptions) => [
    ...kernels.nearestSync(tensor('float32', [1, 1], [1]), base, { metric: 'l2', ...o }).indices.data,
  ]
  t.deepEqual(find({}), [0])
  t.deepEqual(find({ k: 4 }), [0, 1, 3, 2])
  t.deepEqual(find({ k: 2, mask: Uint8Array.of(0, 1, 1, 0) }), [1, 2])
  t.deepEqual(find({ k: 2, mask: tensor('bool', [4], [0, 0, 1, 1]) }), [3, 2])
  const self = await kernels.nearest(base, base, { metric: 'l2', excludeSelf: true })
  t.deepEqual([...self.indices.data], [1, 0, 0, 0])
  t.deepEqual([...self.scores.data], [0, 0, 1, 0])
})

test('NaN comes last, and stays NaN', (t) => {
  const base = tensor('float32', [3, 1], [Number.NaN, 5, 1])
  for (const metric of ['dot', 'l2'] as const) {
    const { indices, scores } = kernels.nearestSync(tensor('float32', [1, 1], [4]), base, { metric, k: 3 })
    t.deepEqual([...indices.data], [1, 2, 0])
    t.true(Number.isNaN(scores.data[2]))
  }
})

test('nothing in, nothing out', (t) => {
  const none = tensor('float32', [0, 2], [])
  t.deepEqual(kernels.nearestSync(none, x).indices.dims, [0, 1])
  t.deepEqual(kernels.pairwiseSync(none, x).dims, [0, 3])
  t.deepEqual(kernels.pairwiseSync(none).dims, [0, 0])
})

test('far from the origin neighbours are those of all distances', (t) => {
  const { data } = kernels.normalSync(2000 * 48, { seed: 4 })
  for (const far of [0, 1e4]) {
    const rows = tensor(
      'float32',
      [2000, 48],
      Float32Array.from(data, (v) => v + far),
    )
    const queries = tensor('float32', [20, 48], rows.data.slice(0, 20 * 48))
    for (const metric of ['l2', 'cosine', 'dot'] as const) {
      const { indices } = kernels.nearestSync(queries, rows, { k: 7, metric })
      const all = kernels.pairwiseSync(
        { ...queries, type: 'float64', data: Float64Array.from(queries.data) } as Tensor,
        { ...rows, type: 'float64', data: Float64Array.from(rows.data) } as Tensor,
        { metric },
      )
      t.deepEqual(indices, kernels.topKSync(all, { k: 7, largest: metric !== 'l2' }).indices)
    }
  }
})

test.serial('distances and neighbours are the same on 1, 2 and 7 threads', async (t) => {
  t.teardown(() => setThreads(0))
  const rows = { ...kernels.normalSync(13_000 * 20, { seed: 8 }), dims: [13_000, 20] }
  const some = { ...kernels.normalSync(60 * 20, { seed: 9 }), dims: [60, 20] }
  const run = async () => [
    kernels.pairwiseSync(some, rows),
    await kernels.nearest(some, rows, { k: 5 }),
    kernels.nearestSync(some, rows, { k: 5, metric: 'l2sq' }),
    await kernels.nearest(rows, some, { k: 3, metric: 'dot' }),
  ]
  setThreads(1)
  const one = await run()
  for (const count of [2, 7]) {
    setThreads(count)
    t.deepEqual(await run(), one)
  }
})

const wide = tensor('float32', [1, 3], [1, 2, 3])
const wrong: [string, () => unknown, { code: string; message: RegExp }][] = [
  [
    'rows of another width',
    () => kernels.pairwiseSync(x, wide),
    { code: 'ERR_TAMIS_SHAPE', message: /^width: x and y/ },
  ],
  [
    'queries of another width',
    () => kernels.nearestSync(x, wide),
    { code: 'ERR_TAMIS_SHAPE', message: /^width: queries and base/ },
  ],
  [
    'one axis',
    () => kernels.pairwiseSync(tensor('float32', [2], [1, 2])),
    { code: 'ERR_TAMIS_SHAPE', message: /^rank: x/ },
  ],
  [
    'an unknown metric',
    () => kernels.pairwiseSync(x, { metric: 'l3' as never }),
    { code: 'ERR_TAMIS_RANGE', message: /^metric/ },
  ],
  [
    'packed vectors',
    () => kernels.pairwiseSync(x, { packed: true }),
    { code: 'ERR_TAMIS_RANGE', message: /^packed/ },
  ],
  [
    'packed floats',
    () => kernels.pairwiseSync(x, { metric: 'hamming', packed: true }),
    { code: 'ERR_TAMIS_TYPE', message: /^x must be uint8/ },
  ],
  [
    'integers as vectors',
    () => kernels.pairwiseSync(tensor('int8', [1, 1], [1])),
    { code: 'ERR_TAMIS_TYPE', message: /^x must be float32/ },
  ],
  [
    'k above the rows',
    () => kernels.nearestSync(x, x, { k: 4 }),
    { code: 'ERR_TAMIS_RANGE', message: /^k must be.*to 3.*got 4/ },
  ],
  ['k of 0', () => kernels.nearestSync(x, x, { k: 0 }), { code: 'ERR_TAMIS_RANGE', message: /^k must/ }],
  [
    'k above the mask',
    () => kernels.nearestSync(x, x, { k: 2, mask: Uint8Array.of(0, 1, 0) }),
    { code: 'ERR_TAMIS_RANGE', message: /^k must be at most 1/ },
  ],
  [
    'k of all without oneself',
    () => kernels.nearestSync(x, x, { k: 3, excludeSelf: true }),
    { code: 'ERR_TAMIS_RANGE', message: /^k must be at most 2/ },
  ],
  [
    'a mask of another length',
    () => kernels.nearestSync(x, x, { mask: Uint8Array.of(1) }),
    { code: 'ERR_TAMIS_SHAPE', message: /^mask/ },
  ],
  [
    'excludeSelf of other queries',
    () => kernels.nearestSync(x, tensor('float32', [1, 2], [1, 2]), { excludeSelf: true }),
    { code: 'ERR_TAMIS_SHAPE', message: /^excludeSelf/ },
  ],
  [
    'an unknown option',
    () => kernels.nearestSync(x, x, { metrics: 'l2' } as never),
    { code: 'ERR_TAMIS_TYPE', message: /did you mean "metric"/ },
  ],
]
for (const [name, call, expected] of wrong) {
  test(`refused: ${name}`, (t) => void t.throws(call, { name: 'TamisError', ...expected }))
}
