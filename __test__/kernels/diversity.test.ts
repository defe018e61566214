import test from 'ava'
import { kernels, setThreads, type Tensor, tensor } from 'tamis'

const line = () => tensor('float32', [6, 1], [0, 1, 10, 11, 5, 20])
const plane = () => tensor('float32', [4, 2], [1, 0, 0, 1, -1, 0.1, 0.9, 0.2])

function normal(n: number, d: number, seed: number): Tensor<'float32'> {
  return { ...kernels.normalSync(n * d, { seed }), dims: [n, d] } as Tensor<'float32'>
}

test('the promise and the call at once agree, and take what the options say', async (t) => {
  const options = { k: 3, metric: 'euclidean', start: 1 } as const
  const kept = await kernels.farthestFirst(line(), options)
  t.deepEqual(kept, kernels.farthestFirstSync(line(), options))
  t.deepEqual(kept.indices, Uint32Array.of(1, 5, 2))
  t.deepEqual(kept.distances, Float32Array.of(Infinity, 19, 9))
  t.is(kept.radius, 4)
  t.deepEqual(kernels.farthestFirstSync(line(), { ...options, metric: 'l2' }), kept)
})

test('k and minDistance stop together, whichever comes first', (t) => {
  const keep = (options: object) => [
    ...kernels.farthestFirstSync(line(), { metric: 'euclidean', start: 0, ...options }).indices,
  ]
  t.deepEqual(keep({ minDistance: 6 }), [0, 5, 2])
  t.deepEqual(keep({ minDistance: 10 }), [0, 5, 2])
  t.deepEqual(keep({ minDistance: 10.5 }), [0, 5])
  t.deepEqual(keep({ minDistance: 6, k: 2 }), [0, 5])
  t.deepEqual(keep({ minDistance: 0 }), [0, 5, 2, 4, 1, 3])
  t.deepEqual(keep({ k: 100 }), [0, 5, 2, 4, 1, 3])
})

test('what is kept for k begins what is kept for more, and distances never grow', (t) => {
  const x = normal(700, 20, 3)
  for (const metric of ['cosine', 'euclidean'] as const) {
    const all = kernels.farthestFirstSync(x, { k: 700, metric, start: 5 })
    t.deepEqual(
      [...all.indices].sort((a, b) => a - b),
      Array.from({ length: 700 }, (_, i) => i),
    )
    t.is(all.radius, 0)
    const some = kernels.farthestFirstSync(x, { k: 90, metric, start: 5 })
    t.deepEqual(some.indices, all.indices.slice(0, 90))
    t.is(Math.fround(some.radius), all.distances[90] as number)
    for (let i = 2; i < 700; i++) t.true((all.distances[i] as number) <= (all.distances[i - 1] as number))
  }
})

test('rows kept earlier and vectors kept elsewhere count alike', (t) => {
  const x = normal(300, 8, 1)
  const row = (i: number) => (x.data as Float32Array).slice(i * 8, (i + 1) * 8)
  const anchors = tensor('float32', [2, 8], [...row(4), ...row(9)])
  const rest = Uint8Array.from({ length: 300 }, (_, i) => (i === 4 || i === 9 ? 0 : 1))
  const initial = kernels.farthestFirstSync(x, { k: 20, initial: Uint32Array.of(4, 9), start: 0 })
  t.deepEqual(kernels.farthestFirstSync(x, { k: 20, anchors, mask: rest, start: 'pair' }), initial)
  t.deepEqual(kernels.farthestFirstSync(x, { k: 20, initial: tensor('uint32', [2], [4, 9]) }), initial)
  t.false(initial.indices.includes(4) || initial.indices.includes(9))
})

test('nothing to choose from, or nothing to choose', (t) => {
  const none = { indices: new Uint32Array(0), distances: new Float32Array(0), radius: 0 }
  const empty = tensor('float32', [0, 4], [])
  t.deepEqual(kernels.farthestFirstSync(empty, { k: 3 }), none)
  t.deepEqual(kernels.farthestFirstSync(empty, { k: 3, start: 0 }), none)
  t.deepEqual(kernels.farthestFirstSync(plane(), { k: 3, mask: new Uint8Array(4) }), none)
  const options = { k: 0, initial: Uint32Array.of(0), metric: 'euclidean' } as const
  t.deepEqual(kernels.farthestFirstSync(line(), options), { ...none, radius: 20 })
})

test('float64 is computed in float64, half types in float32', (t) => {
  // Nearer than float32 can tell from 1.
  const items = [0, 1, 1 + 1e-12, 1 - 1e-12]
  const wide = tensor('float64', [4, 1], items)
  const kept = kernels.farthestFirstSync(wide, { k: 3, metric: 'euclidean', start: 0 })
  t.deepEqual(kept.indices, Uint32Array.of(0, 2, 3))
  const bits = Uint16Array.of(0x0000, 0x3f80, 0x4120, 0x4130, 0x40a0, 0x41a0)
  const half: Tensor = { type: 'bfloat16', dims: [6, 1], data: bits }
  const options = { k: 4, metric: 'euclidean', start: 0 } as const
  t.deepEqual(kernels.farthestFirstSync(half, options), kernels.farthestFirstSync(line(), options))
})

test('a matrix of distances is read as from its row to its column', (t) => {
  const x = tensor('float32', [3, 3], [0, 9, 1, 1, 0, 5, 2, 1, 0])
  const { indices, distances } = kernels.farthestFirstSync(x, { k: 3, metric: 'precomputed', start: 0 })
  t.deepEqual([...indices], [0, 2, 1])
  t.deepEqual([...distances], [Infinity, 2, 1])
})

test.serial('the same bytes for 1, 2 and 7 threads', (t) => {
  const x = normal(3 * 4096 + 19, 16, 7)
  const run = () =>
    [{ metric: 'cosine' }, { metric: 'euclidean', minDistance: 2.5 }].map((options) =>
      kernels.farthestFirstSync(x, { k: 64, start: 2, ...(options as object) }),
    )
  t.teardown(() => setThreads(0))
  setThreads(1)
  const one = run()
  for (const count of [2, 7]) {
    setThreads(count)
    t.deepEqual(run(), one)
  }
})

test('a signal stops it', async (t) => {
  const stop = new AbortController()
  const kept = kernels.farthestFirst(normal(20_000, 64, 1), { k: 20_000, signal: stop.signal })
  stop.abort()
  await t.throwsAsync(kept, { code: 'ERR_TAMIS_ABORTED' })
})

const wrong: [string, Tensor, object, { code: string; message: RegExp }][] = [
  [
    'a zero row',
    tensor('float32', [2, 2], [1, 0, 0, -0]),
    { k: 1 },
    range(/^row 1 is zero: it has no cosine/),
  ],
  ['NaN', tensor('float32', [2, 1], [1, Number.NaN]), { k: 1 }, range(/^row 1 is not finite/)],
  [
    'an infinity',
    tensor('float64', [1, 2], [0, Infinity]),
    { k: 1, metric: 'l2' },
    range(/^row 0 is not finite/),
  ],
  [
    'an infinite distance',
    tensor('float32', [2, 2], [0, 1, Infinity, 0]),
    { k: 1, metric: 'precomputed' },
    range(/^row 1 is not finite/),
  ],
  ['neither k nor minDistance', plane(), {}, range(/k or minDistance/)],
  ['k below 0', plane(), { k: -1 }, range(/^k must be/)],
  ['half a row', plane(), { k: 1.5 }, range(/^k must be/)],
  ['NaN as minDistance', plane(), { minDistance: Number.NaN }, range(/^minDistance must be/)],
  ['another metric', plane(), { k: 1, metric: 'dot' }, range(/^metric must be/)],
  ['another start', plane(), { k: 1, start: 'first' }, range(/^start must be/)],
  ['a start beyond the rows', plane(), { k: 1, start: 4 }, range(/^start must be a row from 0 to 3, got 4/)],
  [
    'a start that is masked out',
    plane(),
    { k: 1, start: 1, mask: Uint8Array.of(1, 0, 1, 1) },
    range(/^start must be a candidate/),
  ],
  ['a short mask', plane(), { k: 1, mask: Uint8Array.of(1) }, shape(/^mask must have 4 items/)],
  [
    'a row kept earlier that is none',
    plane(),
    { k: 1, initial: Uint32Array.of(4) },
    range(/^initial must hold/),
  ],
  [
    'anchors of another width',
    plane(),
    { k: 1, anchors: tensor('float32', [1, 3], [1, 2, 3]) },
    shape(/^anchors must have dims \[m, 2\]/),
  ],
  [
    'an anchor without a direction',
    plane(),
    { k: 1, anchors: tensor('float32', [1, 2], [0, 0]) },
    range(/^row 0 of anchors is zero/),
  ],
  [
    'an anchor that is not finite',
    plane(),
    { k: 1, anchors: tensor('float32', [1, 2], [0, Number.NaN]) },
    range(/^row 0 of anchors is not finite/),
  ],
  ['distances that are not square', plane(), { k: 1, metric: 'precomputed' }, shape(/square/)],
  ['three axes', tensor('float32', [1, 1, 1], [1]), { k: 1 }, shape(/^rank: x/)],
  [
    'integers',
    tensor('int8', [1, 1], [1]),
    { k: 1 },
    { code: 'ERR_TAMIS_TYPE', message: /^x must be float32/ },
  ],
]

function range(message: RegExp) {
  return { code: 'ERR_TAMIS_RANGE', message }
}

function shape(message: RegExp) {
  return { code: 'ERR_TAMIS_SHAPE', message }
}

for (const [name, x, options, error] of wrong) {
  test(`refuses ${name}`, async (t) => {
    t.throws(() => kernels.farthestFirstSync(x, options), { name: 'TamisError', ...error })
    await t.throwsAsync(kernels.farthestFirst(x, options), { name: 'TamisError', ...error })
  })
}
