import test from 'ava'
import { kernels, setThreads, tensor } from 'tamis'

const x = tensor('float32', [6, 2], [0, 0, 0, 1, 1, 0, 9, 9, 9, 8, 8, 9])

test('kMeans finds two clumps from every start', async (t) => {
  const inits = ['k-means++', 'random', tensor('float32', [2, 2], [0, 0, 9, 9])] as const
  for (const init of inits) {
    const found = await kernels.kMeans(x, { k: 2, init })
    t.deepEqual(kernels.kMeansSync(x, { k: 2, init }), found)
    t.deepEqual([...found.counts.data], [3, 3])
    t.true(Math.abs(found.inertia - 8 / 3) < 1e-6)
    t.deepEqual(found.centers.dims, [2, 2])
    t.is(found.labels.data[0], found.labels.data[2])
  }
})

test('weights pull the mean, and count in the inertia', (t) => {
  const weights = tensor('float32', [6], [2, 1, 1, 1, 1, 1])
  const init = tensor('float32', [2, 2], [0, 0, 9, 9])
  const { centers, inertia } = kernels.kMeansSync(x, { k: 2, init, weights })
  t.deepEqual([...centers.data.slice(0, 2)], [0.25, 0.25])
  t.true(Math.abs(inertia - (2 * 0.125 + 2 * 0.625 + 4 / 3)) < 1e-6)
})

test('float64 centres stay float64; given ones take the type of the rows', (t) => {
  const wide = tensor('float64', [4, 1], [1e9, 1e9 + 1e-3, 1e9 + 1, 1e9 + 1.001])
  const init = tensor('float32', [2, 1], [1e9, 1e9 + 64])
  const { centers, counts } = kernels.kMeansSync(wide, { k: 2, init })
  t.is(centers.type, 'float64')
  t.is(counts.data[0], 2)
})

test('mini-batches do all their steps', (t) => {
  const { iterations, labels } = kernels.kMeansSync(x, { k: 2, batchSize: 4, seed: 3 })
  t.is(iterations, 100)
  t.deepEqual([...labels.data.slice(0, 3)], Array(3).fill(labels.data[0]))
  t.is(kernels.kMeansSync(x, { k: 2, batchSize: 4, maxIterations: 7 }).iterations, 7)
})

test('the best of several runs is kept', (t) => {
  const rows = { ...kernels.normalSync(400, { seed: 2 }), dims: [200, 2] }
  const one = kernels.kMeansSync(rows, { k: 9, init: 'random' })
  const best = kernels.kMeansSync(rows, { k: 9, init: 'random', nInit: 8 })
  t.true(best.inertia <= one.inertia)
})

test('the caller may change the rows of a promise', async (t) => {
  const rows = tensor('float32', [6, 2], x.data)
  const promise = kernels.kMeans(rows, { k: 2 })
  rows.data.fill(Number.NaN)
  t.deepEqual(await promise, kernels.kMeansSync(x, { k: 2 }))
})

test.serial('clusters are the same on 1, 2 and 7 threads', async (t) => {
  t.teardown(() => setThreads(0))
  const rows = { ...kernels.normalSync(12_500 * 16, { seed: 8 }), dims: [12_500, 16] }
  const run = async () => [
    kernels.kMeansSync(rows, { k: 12, maxIterations: 8 }),
    await kernels.kMeans(rows, { k: 12, maxIterations: 8, spherical: true }),
    await kernels.kMeans(rows, { k: 12, batchSize: 5000, maxIterations: 4 }),
  ]
  setThreads(1)
  const one = await run()
  for (const count of [2, 7]) {
    setThreads(count)
    t.deepEqual(await run(), one)
  }
})

test('an aborted promise rejects', async (t) => {
  const rows = { ...kernels.normalSync(2000 * 16), dims: [2000, 16] }
  const controller = new AbortController()
  const promise = kernels.kMeans(rows, { k: 500, nInit: 1000, signal: controller.signal })
  controller.abort()
  await t.throwsAsync(promise, { code: 'ERR_TAMIS_ABORTED' })
})

const bad = (o: object) => () => kernels.kMeansSync(x, { k: 2, ...o })
const wrong: [string, () => unknown, { code: string; message: RegExp }][] = [
  ['k above the rows', bad({ k: 7 }), { code: 'ERR_TAMIS_RANGE', message: /^k must be.*to 6.*got 7/ }],
  ['k of 0', bad({ k: 0 }), { code: 'ERR_TAMIS_RANGE', message: /^k must/ }],
  ['no k', bad({ k: undefined }), { code: 'ERR_TAMIS_RANGE', message: /^k must/ }],
  [
    'starts of another shape',
    bad({ init: tensor('float32', [1, 2], [0, 0]) }),
    { code: 'ERR_TAMIS_SHAPE', message: /^init must have dims \[2, 2\]/ },
  ],
  ['an unknown start', bad({ init: 'best' }), { code: 'ERR_TAMIS_RANGE', message: /^init/ }],
  [
    'several runs from given starts',
    bad({ init: x, k: 6, nInit: 2 }),
    { code: 'ERR_TAMIS_RANGE', message: /^nInit.*init/ },
  ],
  [
    'weights of another length',
    bad({ weights: tensor('float32', [1], [1]) }),
    { code: 'ERR_TAMIS_SHAPE', message: /^weights/ },
  ],
  [
    'a weight of 0',
    bad({ weights: tensor('float32', [6], [1, 1, 0, 1, 1, 1]) }),
    { code: 'ERR_TAMIS_RANGE', message: /^weights.*got 0 at index 2/ },
  ],
  ['a batch of 0', bad({ batchSize: 0 }), { code: 'ERR_TAMIS_RANGE', message: /^batchSize/ }],
  ['a negative tolerance', bad({ tolerance: -1 }), { code: 'ERR_TAMIS_RANGE', message: /^tolerance/ }],
  [
    'a zero row on the sphere',
    bad({ spherical: true }),
    { code: 'ERR_TAMIS_RANGE', message: /zero row.*row 0/ },
  ],
  [
    'NaN',
    () => kernels.kMeansSync(tensor('float32', [2, 1], [1, Number.NaN]), { k: 1 }),
    { code: 'ERR_TAMIS_RANGE', message: /finite.*index 1/ },
  ],
  [
    'a vector',
    () => kernels.kMeansSync(tensor('float32', [2], [1, 2]), { k: 1 }),
    { code: 'ERR_TAMIS_SHAPE', message: /^rank: x/ },
  ],
]
for (const [name, call, expected] of wrong) {
  test(`refused: ${name}`, (t) => void t.throws(call, { name: 'TamisError', ...expected }))
}
