import test from 'ava'
import { corpus, kernels, type Tensor, tensor } from 'tamis'

const labels = tensor('uint32', [8], [0, 0, 0, 0, 1, 1, 2, 2])
const range = (message: RegExp) => ({ message, code: 'ERR_TAMIS_RANGE' })
const shape = (message: RegExp) => ({ message, code: 'ERR_TAMIS_SHAPE' })

test('what cannot be sampled is named', async (t) => {
  const of = (o: object, l: Tensor = labels) => corpus.sampleClusters(l, { count: 4, ...o } as never)
  await t.throwsAsync(of({ count: 9 }), range(/count exceeds the 8 rows/))
  await t.throwsAsync(
    of({ exclude: tensor('uint8', [8], [1, 1, 1, 1, 1, 0, 0, 0]) }),
    range(/count exceeds the 3 rows/),
  )
  await t.throwsAsync(
    of({ weights: [0, 1, 0] }),
    range(/count exceeds the 2 rows of clusters of positive weight/),
  )
  for (const count of [0, 1.5, -1, Number.NaN, '2'])
    await t.throwsAsync(of({ count }), range(/count must be/))
  await t.throwsAsync(of({ quality: tensor('float32', [2], [1, 2]) }), shape(/quality/))
  const quality = (last: number) => tensor('float64', [8], [1, 2, 3, 4, 5, 6, 7, last])
  await t.throwsAsync(of({ quality: quality(Number.NaN) }), range(/quality must be finite.*row 7/))
  await t.throwsAsync(
    of({ quality: quality(0), temper: 'linear' }),
    range(/quality must be finite and above 0/),
  )
  await t.notThrowsAsync(of({ quality: quality(0) }))
  await t.throwsAsync(of({ weights: [1, 2] }), shape(/weights/))
  await t.throwsAsync(of({ weights: [1, -2, 1] }), range(/weights/))
  await t.throwsAsync(of({ weights: [0, 0, 0] }), range(/weights/))
  await t.throwsAsync(of({ clusters: 2 }), range(/label out of range/))
  await t.throwsAsync(of({ exclude: tensor('uint8', [1], [1]) }), shape(/exclude/))
  await t.throwsAsync(of({ temper: 'hot' }), range(/temper/))
  await t.throwsAsync(of({}, tensor('uint32', [0], [])), range(/count exceeds the 0 rows/))
})

test('an empty cluster has the share 0, and weights replace the allocation', async (t) => {
  const { allocation, indices } = await corpus.sampleClusters(labels, { count: 4, clusters: 5 })
  t.deepEqual(allocation.data, Uint32Array.of(2, 1, 1, 0, 0))
  t.is(indices.data.length, 4)
  const weighted = await corpus.sampleClusters(labels, { count: 4, weights: [1, 0, 1] })
  t.deepEqual(weighted.allocation.data, Uint32Array.of(2, 0, 2))
})

test('rows are the highest keys of each cluster for every stream', async (t) => {
  const n = 3 * 4096 + 5
  const many = tensor(
    'uint32',
    [n],
    Array.from({ length: n }, (_, i) => i % 3),
  )
  for (const stream of [0, 7]) {
    const { indices } = await corpus.sampleClusters(many, { count: 30, seed: 5, stream })
    const noise = kernels.gumbelSync(n, { seed: 5, stream, dtype: 'float64' }).data as Float64Array
    const best = (cluster: number) =>
      Array.from({ length: n }, (_, i) => i)
        .filter((i) => i % 3 === cluster)
        .sort((a, b) => (noise[b] as number) - (noise[a] as number))
        .slice(0, 10)
    const want = [0, 1, 2].flatMap(best).sort((a, b) => a - b)
    t.deepEqual(Array.from(indices.data), want)
  }
})

const rows = (n: number, width: number, seed: number) =>
  ({ type: 'float32', dims: [n, width], data: kernels.normalSync(n * width, { seed }).data }) as Tensor

test('what cannot be clustered is named', async (t) => {
  const x = rows(20, 3, 1)
  await t.throwsAsync(
    corpus.selectDiverse(x, { count: 5, clusters: 21 }),
    range(/clusters must be at most 20/),
  )
  await t.throwsAsync(corpus.selectDiverse(x, { count: 21 }), range(/count exceeds the 20 rows/))
  const nan = tensor('float32', [2, 2], [1, 2, Number.NaN, 1])
  await t.throwsAsync(corpus.selectDiverse(nan, { count: 1 }), range(/embeddings must be finite/))
  await t.throwsAsync(corpus.selectDiverse(x, { count: 5, clusters: 2, weights: [1] }), shape(/weights/))
  const signal = AbortSignal.abort()
  await t.throwsAsync(corpus.selectDiverse(x, { count: 5, signal }), { code: 'ERR_TAMIS_ABORTED' })
})

test('the clusters are those of k-means, the rows those of its sample', async (t) => {
  const x = rows(300, 4, 2)
  const found = await corpus.selectDiverse(x, { count: 40, clusters: 8, seed: 3 })
  const { labels, centers } = kernels.kMeansSync(x, { k: 8, nInit: 5, maxIterations: 300, seed: 3 })
  t.deepEqual(found.labels, labels)
  t.deepEqual(found.centroids, centers)
  const sampled = await corpus.sampleClusters(labels, { count: 40, clusters: 8, seed: 3 })
  t.deepEqual(found.indices, sampled.indices)
  t.is((await corpus.selectDiverse(x, { count: 12 })).centroids.dims[0], 12)
})

test('rounds are drawn, paid for, and end', async (t) => {
  const sampler = new corpus.IterativeSampler(labels, { count: 7, rounds: 3, seed: 1 })
  const advantage = (n: number) => tensor('float32', [n], new Float32Array(n))
  t.throws(() => sampler.update(advantage(2)), range(/no rows to update/))
  const sizes = []
  while (!sampler.done) {
    const pending = sampler.next()
    await t.throwsAsync(sampler.next(), range(/no round can begin.*await/))
    const { data } = await pending
    sizes.push(data.length)
    t.throws(() => sampler.update(advantage(data.length + 1)), shape(/advantage/))
    const nan = tensor(
      'float64',
      [data.length],
      Array.from(data, () => Number.NaN),
    )
    t.throws(() => sampler.update(nan), range(/advantage must be finite/))
    const { weights } = sampler.update(advantage(data.length))
    t.true(Math.abs(weights.data.reduce((a, b) => a + b, 0) - 1) < 1e-12)
    t.throws(() => sampler.update(advantage(data.length)), range(/no rows to update/))
  }
  t.deepEqual(sizes, [2, 2, 3])
  t.is(new Set(sampler.taken.data).size, 7)
  await t.throwsAsync(sampler.next(), range(/no round/))
  const bad = (o: object) => () => new corpus.IterativeSampler(labels, { count: 4, ...o } as never)
  for (const rounds of [0, 5, 1.5]) t.throws(bad({ rounds }), range(/rounds must be/))
  t.throws(bad({ count: 9 }), range(/count exceeds/))
  t.throws(bad({ clusters: 2 }), range(/label out of range/))
  t.throws(bad({ weights: [1, 1, 1] }), { code: 'ERR_TAMIS_TYPE' })
})
