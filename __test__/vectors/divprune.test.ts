import test from 'ava'
import { kernels, type Tensor, tensor, vectors } from 'tamis'

function normal(dims: number[], seed: number): Tensor<'float32'> {
  const n = dims.reduce((a, b) => a * b, 1)
  return { ...kernels.normalSync(n, { seed }), dims } as Tensor<'float32'>
}

test('it is farthest-first from the most isolated token, and the kept are in their old order', (t) => {
  const tokens = normal([576, 64], 1)
  const { kept, order, distances } = vectors.pruneTokens(tokens)
  const want = kernels.farthestFirstSync(tokens, { k: 56, start: 'isolated' })
  t.deepEqual(order, want.indices)
  t.deepEqual(distances, want.distances)
  t.deepEqual(
    [...kept],
    [...want.indices].sort((a, b) => a - b),
  )
})

test('a share is rounded with halves to even, and may come to nothing', (t) => {
  const count = (n: number, ratio: number) => vectors.pruneTokens(normal([n, 8], 2), { ratio }).kept.length
  t.is(count(25, 0.1), 2)
  t.is(count(35, 0.1), 4)
  t.is(count(15, 0.1), 2)
  t.is(count(5, 0.1), 0)
  t.is(count(4, 0.1), 0)
  t.is(count(7, 1), 7)
})

test('with a mask the share is one of the candidates, and nothing else is read', (t) => {
  const tokens = normal([40, 8], 3)
  tokens.data.fill(Number.NaN, 8, 16)
  const mask = Uint8Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? 1 : 0))
  const { kept } = vectors.pruneTokens(tokens, { ratio: 0.5, mask })
  t.is(kept.length, 10)
  t.true(kept.every((token) => token % 2 === 0))
  t.is(vectors.pruneTokens(tokens, { count: 30, mask: tensor('uint8', [40], mask) }).kept.length, 20)
})

test('each item of a batch alone', (t) => {
  const batch = normal([3, 50, 16], 4)
  const masks = tensor(
    'uint8',
    [3, 50],
    Array.from({ length: 150 }, (_, i) => (i % 7 ? 1 : 0)),
  )
  for (const mask of [undefined, masks, Uint8Array.from(masks.data.subarray(0, 50))]) {
    const { kept, order, distances } = vectors.pruneTokens(batch, {
      count: 5,
      mask,
    }) as unknown as vectors.PrunedBatch
    t.deepEqual(
      [kept.dims, order.dims, distances.dims],
      [
        [3, 5],
        [3, 5],
        [3, 5],
      ],
    )
    for (const item of [0, 1, 2]) {
      const one = tensor('float32', [50, 16], batch.data.subarray(item * 800, (item + 1) * 800))
      const own =
        mask === masks ? masks.data.slice(item * 50, (item + 1) * 50) : (mask as Uint8Array | undefined)
      const alone = vectors.pruneTokens(one, { count: 5, mask: own })
      t.deepEqual(kept.data.slice(item * 5, item * 5 + 5), alone.kept)
      t.deepEqual(order.data.slice(item * 5, item * 5 + 5), alone.order)
      t.deepEqual(distances.data.slice(item * 5, item * 5 + 5), alone.distances)
    }
  }
  const empty = vectors.pruneTokens(normal([0, 50, 16], 1)) as unknown as vectors.PrunedBatch
  t.deepEqual(empty.kept.dims, [0, 0])
})

const tokens = () => normal([10, 4], 1)
const wrong: [string, Tensor, object | undefined, { code: string; message: RegExp }][] = [
  ['a ratio of 0', tokens(), { ratio: 0 }, { code: 'ERR_TAMIS_RANGE', message: /^ratio must be/ }],
  ['a ratio above 1', tokens(), { ratio: 1.1 }, { code: 'ERR_TAMIS_RANGE', message: /^ratio must be/ }],
  ['a ratio that is none', tokens(), { ratio: '1' }, { code: 'ERR_TAMIS_TYPE', message: /^ratio must be/ }],
  ['a count below 0', tokens(), { count: -1 }, { code: 'ERR_TAMIS_RANGE', message: /^count must be/ }],
  ['a short mask', tokens(), { mask: new Uint8Array(9) }, { code: 'ERR_TAMIS_SHAPE', message: /^mask must/ }],
  [
    'one axis',
    tensor('float32', [4], [1, 2, 3, 4]),
    {},
    { code: 'ERR_TAMIS_SHAPE', message: /^rank: tokens/ },
  ],
  [
    'a zero row',
    tensor('float32', [2, 2], [0, 0, 1, 1]),
    {},
    { code: 'ERR_TAMIS_RANGE', message: /^row 0 is zero/ },
  ],
  [
    'masks that leave unequal numbers',
    normal([2, 4, 3], 1),
    { ratio: 1, mask: tensor('uint8', [2, 4], [1, 1, 1, 1, 1, 0, 1, 1]) },
    { code: 'ERR_TAMIS_SHAPE', message: /^mask must let/ },
  ],
  [
    'masks of another batch',
    normal([2, 4, 3], 1),
    { mask: tensor('uint8', [3, 4], new Uint8Array(12)) },
    { code: 'ERR_TAMIS_SHAPE', message: /^mask must have dims \[2, 4\]/ },
  ],
]

for (const [name, x, options, error] of wrong) {
  test(`refuses ${name}`, (t) => {
    t.throws(() => vectors.pruneTokens(x, options), { name: 'TamisError', ...error })
  })
}
