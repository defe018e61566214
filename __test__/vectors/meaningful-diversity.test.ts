import test from 'ava'
import { kernels, type Tensor, tensor, vectors } from 'tamis'

function normal(n: number, d: number, seed: number): Tensor<'float32'> {
  return { ...kernels.normalSync(n * d, { seed }), dims: [n, d] } as Tensor<'float32'>
}

/** Euclidean distances of all pairs. */
const distances = (x: Tensor) => kernels.pairwiseSync(x, { metric: 'l2' })

test('farthest is farthest-first, of the first samples only if that is asked for', async (t) => {
  const x = normal(80, 6, 1)
  const all = kernels.farthestFirstSync(x, { k: 5, metric: 'euclidean', seed: 4 })
  t.deepEqual((await vectors.pickDiverse(x, { seed: 4 })).indices, all.indices)
  const part = tensor('float32', [20, 6], x.data.subarray(0, 120))
  const { indices } = await vectors.pickDiverse(part, { keep: 4, start: 'pair' })
  t.deepEqual((await vectors.pickDiverse(x, { keep: 4, start: 'pair', first: 20 })).indices, indices)
})

test('distances stand for the features that they are of', async (t) => {
  const x = normal(60, 4, 2)
  const far = { ...distances(x) } as Tensor
  for (const options of [
    { method: 'farthest', start: 'pair' },
    { method: 'uniformize', power: 4, seed: 9 },
  ] as const) {
    const { indices } = await vectors.pickDiverse(x, options)
    t.deepEqual((await vectors.pickDiverse(far, { ...options, metric: 'precomputed' })).indices, indices)
  }
  const own = await vectors.uniformizeWeights(far, { metric: 'precomputed' })
  const five = await vectors.uniformizeWeights(x, { power: 5 })
  for (const [i, weight] of own.weights.entries())
    t.true(Math.abs(weight - (five.weights[i] as number)) < 1e-7)
})

test('the cosine is the Euclidean distance of unit rows', async (t) => {
  const x = normal(50, 5, 3)
  const unit = Float32Array.from(x.data, (value, i) => {
    const row = x.data.subarray(Math.floor(i / 5) * 5, Math.floor(i / 5) * 5 + 5)
    return value / Math.sqrt(row.reduce((sum, one) => sum + one * one, 0))
  })
  const rows = tensor('float32', [50, 5], unit)
  for (const method of ['farthest', 'kmeans', 'uniformize'] as const) {
    const { indices } = await vectors.pickDiverse(x, { method, metric: 'cosine', seed: 1 })
    t.deepEqual(indices, (await vectors.pickDiverse(rows, { method, seed: 1 })).indices, method)
  }
})

test('weights are powers of the distance to the k-th nearest, and outliers get none', async (t) => {
  const x = normal(40, 3, 5)
  const far = distances(x).data as Float32Array
  const radii = Array.from({ length: 40 }, (_, i) =>
    [...far.subarray(i * 40, i * 40 + 40)].sort((a, b) => a - b).at(2),
  ) as number[]
  const sum = radii.reduce((total, radius) => total + radius ** 3, 0)
  const { weights } = await vectors.uniformizeWeights(x, { k: 3 })
  for (const [i, radius] of radii.entries())
    t.true(Math.abs((weights[i] as number) - radius ** 3 / sum) < 1e-6)
  const { weights: dropped } = await vectors.uniformizeWeights(x, { k: 3, drop: 0.29 })
  t.is(dropped.filter((weight) => weight === 0).length, 11)
  t.true(Math.abs(dropped.reduce((total, weight) => total + weight, 0) - 1) < 1e-12)
  // 40^(2/5) * (ln 40)^(3/5) = 9.56
  t.deepEqual(
    await vectors.uniformizeWeights(x, { k: 'auto' }),
    await vectors.uniformizeWeights(x, { k: 10 }),
  )
})

test('kmeans gives each sample once', async (t) => {
  const x = tensor('float32', [6, 1], [0, 0, 0, 0, 9, 9])
  const { indices } = await vectors.pickDiverse(x, { method: 'kmeans', keep: 4 })
  t.deepEqual([...indices], [0, 4])
})

const x = () => normal(10, 2, 1)
const range = (message: RegExp) => ({ code: 'ERR_TAMIS_RANGE', message })
const wrong: [string, Tensor, object, { code: string; message: RegExp }][] = [
  ['more than there are', x(), { keep: 11 }, range(/^keep must be at most 10/)],
  ['none', x(), { keep: 0 }, range(/^keep must be/)],
  ['more than the first', x(), { keep: 5, first: 5 }, range(/^first must be above keep/)],
  ['more first than there are', x(), { keep: 5, first: 11 }, range(/^first must be/)],
  [
    'clusters of distances',
    distances(x()),
    { method: 'kmeans', metric: 'precomputed' },
    range(/precomputed/),
  ],
  ['a k above n', x(), { method: 'uniformize', k: 11 }, range(/^k must be/)],
  ['a k of itself alone', x(), { method: 'uniformize', k: 1 }, range(/^k must be/)],
  ['a share above 1', x(), { method: 'uniformize', drop: 1.5 }, range(/^drop must be/)],
  [
    'equal samples',
    tensor('float32', [9, 1], new Float32Array(9)),
    { method: 'uniformize' },
    range(/^all samples/),
  ],
  ['NaN', tensor('float32', [6, 1], [0, 1, Number.NaN, 2, 3, 4]), {}, range(/^x is not finite: .* row 2/)],
  [
    'a zero row',
    tensor('float32', [5, 1], [1, 2, 0, 3, 4]),
    { metric: 'cosine' },
    range(/^row 2 of x is zero/),
  ],
  [
    'distances that are not square',
    x(),
    { metric: 'precomputed' },
    { code: 'ERR_TAMIS_SHAPE', message: /^x must be square/ },
  ],
  ['another method', x(), { method: 'best' }, range(/^method must be/)],
]

for (const [name, given, options, error] of wrong) {
  test(`refuses ${name}`, async (t) => {
    await t.throwsAsync(vectors.pickDiverse(given, options), { name: 'TamisError', ...error })
  })
}
