import test from 'ava'
import { kernels, setThreads, type Tensor, tensor, vectors } from 'tamis'

function normal(n: number, d: number, seed: number): Tensor<'float32'> {
  return { ...kernels.normalSync(n * d, { seed }), dims: [n, d] } as Tensor<'float32'>
}

const attributes = (n: number) =>
  tensor(
    'float32',
    [n, 2],
    Float32Array.from({ length: 2 * n }, (_, i) => (i % 2 ? (i >> 1) % 5 : (i >> 1) % 100)),
  )

test('exact search is brute force, with partitions and without, in either metric', async (t) => {
  const [x, queries] = [normal(600, 12, 1), normal(5, 12, 2)]
  for (const metric of ['euclidean', 'cosine'] as const) {
    const want = kernels.nearestSync(queries, x, { k: 7, metric: metric === 'cosine' ? 'cosine' : 'l2' })
    for (const partitions of [0, 6]) {
      const index = await vectors.AttributedIndex.build(x, { metric, partitions })
      const { indices, distances, examined } = await index.search(queries, 7)
      t.deepEqual(indices.data, want.indices.data)
      for (const [i, score] of want.scores.data.entries()) {
        const distance = metric === 'cosine' ? 1 - Number(score) : Number(score)
        t.true(Math.abs((distances.data[i] as number) - distance) < 1e-5)
      }
      t.true(examined >= 35 && examined < 5 * 600)
      t.deepEqual(index.searchSync(queries, 7), { indices, distances, examined })
    }
  }
})

test('filters and masks leave out what they say, and what is missing is infinitely far', (t) => {
  const x = normal(200, 6, 3)
  const index = new vectors.AttributedIndex(x, { attributes: attributes(200) })
  const query = tensor('float32', [1, 6], x.data.subarray(0, 6))
  const found = (options: vectors.SearchOptions, k = 3) => [
    ...index.searchSync(query, k, options).indices.data,
  ]
  t.is(found({})[0], 0)
  t.true(found({ filter: [{ column: 1, op: '=', value: 2 }] }).every((row) => row % 5 === 2))
  t.deepEqual(
    found({ filter: [{ column: 0, op: 'between', value: 6, upper: 7 }] }).sort(),
    [107, 4294967295, 7],
  )
  const mask = Uint8Array.from({ length: 200 }, (_, i) => (i === 9 ? 1 : 0))
  t.deepEqual(found({ mask, mode: 'fast' }), [9, 4294967295, 4294967295])
  const { distances } = index.searchSync(query, 2, { filter: [{ column: 0, op: '>', value: 99 }] })
  t.deepEqual([...distances.data], [Infinity, Infinity])
})

test('bounds hold the true distances', (t) => {
  const x = normal(300, 10, 4)
  const index = new vectors.AttributedIndex(x)
  const query = normal(1, 10, 5)
  const { lower, upper } = index.bounds({ ...query, dims: [10] })
  t.deepEqual(index.bounds(query), { lower, upper })
  for (const [i, distance] of kernels.pairwiseSync(query, x, { metric: 'l2' }).data.entries()) {
    t.true(
      (lower[i] as number) <= Number(distance) * 1.00001 &&
        Number(distance) <= (upper[i] as number) * 1.00001,
    )
  }
})

test('an index can be written and read, with its vectors or beside them', (t) => {
  const x = normal(120, 8, 6)
  const index = new vectors.AttributedIndex(x, { attributes: attributes(120), partitions: 3, budget: 20 })
  t.is(index.bytesPerVector, 3 + 1)
  const options = { filter: [{ column: 0, op: '<', value: 50 }] } as const
  const want = index.searchSync(normal(2, 8, 7), 4, options)
  const again = vectors.AttributedIndex.fromBuffer(index.toBuffer())
  t.deepEqual(again.searchSync(normal(2, 8, 7), 4, options), want)
  const small = index.toBuffer({ vectors: false })
  t.true(small.length < index.toBuffer().length - 120 * 8 * 4 + 1)
  t.deepEqual(vectors.AttributedIndex.fromBuffer(small, x).searchSync(normal(2, 8, 7), 4, options), want)
  const bad = { code: 'ERR_TAMIS_FORMAT' }
  t.throws(() => vectors.AttributedIndex.fromBuffer(small), { ...bad, message: /x must be given/ })
  t.throws(() => vectors.AttributedIndex.fromBuffer(small.subarray(0, 99)), bad)
  t.throws(() => vectors.AttributedIndex.fromBuffer(Buffer.from('no index')), bad)
})

test.serial('the same bytes for 1, 2 and 7 threads', (t) => {
  const [x, queries] = [normal(3 * 4096 + 5, 8, 8), normal(3, 8, 9)]
  const run = () => {
    const index = new vectors.AttributedIndex(x, { partitions: 4 })
    return [index.toBuffer(), index.searchSync(queries, 9), index.searchSync(queries, 9, { mode: 'fast' })]
  }
  t.teardown(() => setThreads(0))
  setThreads(1)
  const one = run()
  for (const count of [2, 7]) {
    setThreads(count)
    t.deepEqual(run(), one)
  }
})

const x = () => normal(20, 4, 1)
const index = () => new vectors.AttributedIndex(x(), { attributes: attributes(20) })
const query = () => normal(1, 4, 2)
const filtered = (filter: object) => () => index().searchSync(query(), 1, { filter: [filter] as never })
const codes = (...items: number[]) => tensor('uint8', [1, items.length], items)
const zeros = () => tensor('float32', [1, 4], [0, 0, 0, 0])
const wrong: [string, () => unknown, RegExp][] = [
  ['a budget of 0', () => new vectors.AttributedIndex(x(), { budget: 0 }), /^budget must be/],
  ['half a bit', () => vectors.allocateBits(Float32Array.of(1), { budget: 1.5 }), /^budget must be/],
  [
    'NaN in x',
    () => new vectors.AttributedIndex(tensor('float32', [1, 1], [Number.NaN])),
    /^x is not finite/,
  ],
  ['no rows', () => new vectors.AttributedIndex(tensor('float32', [0, 4], [])), /^x must have a row/],
  ['a zero row', () => new vectors.AttributedIndex(zeros(), { metric: 'cosine' }), /^row 0 is zero/],
  [
    'a zero query',
    () => new vectors.AttributedIndex(x(), { metric: 'cosine' }).searchSync(zeros(), 1),
    /^query 0 is zero/,
  ],
  [
    'more partitions than rows',
    () => new vectors.AttributedIndex(x(), { partitions: 21 }),
    /^partitions must/,
  ],
  [
    'attributes of other rows',
    () => new vectors.AttributedIndex(x(), { attributes: attributes(3) }),
    /^attributes/,
  ],
  ['a k of 0', () => index().searchSync(query(), 0), /^k must be/],
  ['a query of another width', () => index().searchSync(normal(1, 3, 1), 1), /^dims: queries must have 4/],
  [
    'a query with NaN',
    () => index().searchSync(tensor('float32', [1, 4], [0, 0, Number.NaN, 0]), 1),
    /^queries is not finite/,
  ],
  [
    'a filter without attributes',
    () =>
      new vectors.AttributedIndex(x()).searchSync(query(), 1, { filter: [{ column: 0, op: '<', value: 1 }] }),
    /no attributes/,
  ],
  ['a column that is none', filtered({ column: 2, op: '<', value: 1 }), /column must be/],
  ['an unknown operator', filtered({ column: 0, op: '!=', value: 1 }), /op must be/],
  ['between without an end', filtered({ column: 0, op: 'between', value: 1 }), /upper must be/],
  [
    'a mask of another length',
    () => index().searchSync(query(), 1, { mask: new Uint8Array(3) }),
    /^mask must/,
  ],
  [
    'more cells than values',
    () => vectors.designCells(tensor('float32', [2], [1, 2]), { cells: 3 }),
    /^cells/,
  ],
  ['no cells', () => vectors.designCells(tensor('float32', [2], [1, 2]), { cells: 0 }), /^cells must/],
  ['a code above its bits', () => vectors.packCodes(codes(1, 4), Uint8Array.of(1, 2)), /^code 4 at row 0/],
  ['nine bits', () => vectors.packCodes(codes(1), Uint8Array.of(9)), /^bits must be at most 8/],
  [
    'a code that is no cell',
    () =>
      vectors.quantizedBounds(codes(2), tensor('float32', [3, 1], [0, 1, 2]), Uint32Array.of(2), query1()),
    /^code of row 0/,
  ],
  [
    'more cells than boundaries',
    () =>
      vectors.quantizedBounds(codes(0), tensor('float32', [3, 1], [0, 1, 2]), Uint32Array.of(3), query1()),
    /^cells must be from 1 to 2/,
  ],
]

function query1(): Tensor {
  return tensor('float32', [1], [0])
}

for (const [name, call, message] of wrong) {
  test(`refuses ${name}`, (t) => {
    t.throws(call, { name: 'TamisError', message })
  })
}
