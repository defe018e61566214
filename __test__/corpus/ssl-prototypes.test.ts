import test from 'ava'
import { corpus, kernels, type Tensor, tensor } from 'tamis'

const range = (message: RegExp) => ({ message, code: 'ERR_TAMIS_RANGE' })
const shape = (message: RegExp) => ({ message, code: 'ERR_TAMIS_SHAPE' })
const rows = (n: number, width: number, seed: number) =>
  ({ type: 'float32', dims: [n, width], data: kernels.normalSync(n * width, { seed }).data }) as Tensor
const x = rows(60, 4, 1)
const centroids = rows(5, 4, 2)

test('what has no direction, and options that do not fit, are named', async (t) => {
  const of = (o: object, embeddings: Tensor = x) => corpus.prototypeScores(embeddings, o)
  const zero = tensor('float32', [2, 2], [1, 2, 0, 0])
  await t.throwsAsync(of({ clusters: 1 }, zero), range(/a zero row has no direction.*row 1 of embeddings/))
  await t.throwsAsync(
    of({ centroids: zero }, tensor('float32', [1, 2], [1, 1])),
    range(/zero row has no direction/),
  )
  const nan = tensor('float32', [2, 2], [1, 2, Number.POSITIVE_INFINITY, 0])
  await t.throwsAsync(of({ clusters: 1 }, nan), range(/embeddings must be finite/))
  await t.throwsAsync(of({ centroids: rows(5, 3, 1) }), shape(/centroids/))
  await t.throwsAsync(of({ labels: tensor('uint32', [60], new Uint32Array(60)) }), range(/labels/))
  await t.throwsAsync(of({ centroids, labels: tensor('uint32', [3], [0, 1, 2]) }), shape(/labels/))
  const high = tensor('uint32', [60], new Uint32Array(60).fill(5))
  await t.throwsAsync(of({ centroids, labels: high }), range(/labels must be below 5/))
  for (const clusters of [0, 61, 1.5])
    await t.throwsAsync(of({ clusters }), range(/clusters must be between 1 and 60/))
  await t.throwsAsync(of({ signal: AbortSignal.abort() }), { code: 'ERR_TAMIS_ABORTED' })
})

test('labels that are given decide the prototype; float64 is computed in float64', async (t) => {
  const labels = tensor(
    'uint32',
    [60],
    Array.from({ length: 60 }, (_, i) => i % 5),
  )
  const { scores } = await corpus.prototypeScores(x, { centroids, labels })
  const all = kernels.pairwiseSync(x, centroids).data as Float32Array
  for (const [i, score] of scores.data.entries()) {
    t.true(Math.abs(score - (1 - (all[5 * i + (i % 5)] as number))) < 3e-6)
  }
  const wide: Tensor = { type: 'float64', dims: x.dims, data: Float64Array.from(x.data as Float32Array) }
  const same = await corpus.prototypeScores(wide, { centroids })
  const narrow = await corpus.prototypeScores(x, { centroids })
  t.deepEqual(same.labels, narrow.labels)
  t.is(same.centroids.type, 'float64')
})

test('prototypes are those of spherical k-means', async (t) => {
  const { centroids: found, labels } = await corpus.prototypeScores(x, { seed: 3 })
  const { centers } = kernels.kMeansSync(x, { k: 8, spherical: true, maxIterations: 100, seed: 3 })
  t.deepEqual(found, centers)
  t.deepEqual(labels.data, kernels.nearestSync(x, centers).indices.data)
})

test('what cannot be pruned is named', async (t) => {
  const scores = tensor('float32', [4], [0.5, 0.25, 1, 0.75])
  const of = (o: object, s: Tensor = scores) => corpus.pruneByScore(s, o as never)
  await t.throwsAsync(of({}), range(/count and ratio.*neither/))
  await t.throwsAsync(of({ count: 1, ratio: 0.5 }), range(/count and ratio.*both/))
  for (const count of [0, 5, 1.5]) await t.throwsAsync(of({ count }), range(/count/))
  for (const ratio of [0, 1.1, Number.NaN]) await t.throwsAsync(of({ ratio }), range(/ratio/))
  await t.throwsAsync(of({ count: 1, balance: 0.5 }), range(/balance needs classes/))
  const classes = tensor('uint32', [4], [0, 0, 1, 1])
  for (const balance of [-0.1, 1.1]) await t.throwsAsync(of({ count: 1, classes, balance }), range(/balance/))
  await t.throwsAsync(of({ count: 1, classes: tensor('uint32', [3], [0, 0, 1]) }), shape(/classes/))
  const nan = tensor('float32', [2], [1, Number.NaN])
  const error = await t.throwsAsync(of({ count: 1 }, nan), range(/scores must not be NaN/))
  t.true(error?.message.toLowerCase().includes('scores must not be nan'))
})

test('ties go to the lowest index; halves of a ratio are rounded up; classes keep their part', async (t) => {
  const scores = tensor('float64', [6], [1, 0, -0, 0, 2, 2])
  const of = async (o: object) => Array.from((await corpus.pruneByScore(scores, o as never)).indices.data)
  t.deepEqual(await of({ count: 3 }), [0, 4, 5])
  t.deepEqual(await of({ count: 2, keep: 'easy' }), [1, 2])
  t.deepEqual(await of({ ratio: 0.75 }), [0, 1, 2, 4, 5])
  const classes = tensor('uint32', [6], [0, 0, 0, 1, 1, 1])
  t.deepEqual(await of({ count: 4, classes, balance: 1 }), [0, 1, 4, 5])
  t.deepEqual(await of({ count: 4, classes, balance: 0 }), [0, 1, 4, 5])
  t.deepEqual(await of({ count: 3, classes }), [0, 4, 5])
})

test('duplicates of a cluster go, in the order that is asked for', async (t) => {
  const base = rows(40, 6, 4).data as Float32Array
  const data = Float32Array.from(
    { length: 80 * 6 },
    (_, i) => (base[i % 240] as number) * (i < 240 ? 1 : 1.5),
  )
  const doubled: Tensor = { type: 'float32', dims: [80, 6], data }
  for (const keep of ['hard', 'easy', 'random'] as const) {
    const found = await corpus.dedupSemantic(doubled, { epsilon: 1e-4, clusters: 3, keep, seed: 2 })
    t.is(found.indices.data.length, 40)
    t.is(new Set(Array.from(found.indices.data, (i) => i % 40)).size, 40)
    const again = Array.from(found.maxSimilarity.data, (s, i) => (s <= 1 - 1e-4 ? i : -1)).filter(
      (i) => i >= 0,
    )
    t.deepEqual(Array.from(found.indices.data), again)
  }
  const all = await corpus.dedupSemantic(doubled, { epsilon: 0, clusters: 3 })
  t.true(all.indices.data.length >= 40)
  for (const epsilon of [-0.1, 2.1, Number.NaN]) {
    await t.throwsAsync(corpus.dedupSemantic(x, { epsilon }), range(/epsilon must be/))
  }
})
