import test from 'ava'
import { kernels, setThreads, tensor } from 'tamis'

const words = 'the quick brown fox jumps over a lazy dog and does not look back at it'.split(' ')

/** Texts of 0 to 99 words. */
function texts(n: number): string[] {
  const { data } = kernels.belowSync(n * 100, words.length, { seed: 11 })
  return Array.from({ length: n }, (_, i) =>
    Array.from(data.subarray(i * 100, i * 100 + (i % 100)), (word) => words[word]).join(' '),
  )
}

test('counts are the sums of the rows', async (t) => {
  const batch = texts(200)
  const rows = await kernels.hashNgrams(batch, { ngrams: 3, buckets: 512 })
  const sums = new Float64Array(512)
  rows.buckets.data.forEach((bucket, i) => {
    sums[bucket] = (sums[bucket] as number) + (rows.counts.data[i] as number)
  })
  t.deepEqual(await kernels.countNgrams(batch, { ngrams: 3, buckets: 512 }), tensor('float64', [512], sums))
  t.is(rows.offsets.data.length, 201)
  t.deepEqual(
    [...rows.tokens.data],
    Array.from({ length: 200 }, (_, i) => i % 100),
  )
})

test('into adds an earlier batch and is not changed', async (t) => {
  const batch = texts(50)
  const first = await kernels.countNgrams(batch.slice(0, 20))
  const copy = first.data.slice()
  const both = await kernels.countNgrams(batch.slice(20), { into: first })
  t.deepEqual(both, await kernels.countNgrams(batch))
  t.deepEqual(first.data, copy)
})

test.serial('n-grams are the same on 1, 2 and 7 threads, at once and as a promise', async (t) => {
  t.teardown(() => setThreads(0))
  const batch = texts(10_000)
  const run = () => [kernels.hashNgramsSync(batch), kernels.countNgramsSync(batch)]
  setThreads(1)
  const one = run()
  for (const count of [2, 7]) {
    setThreads(count)
    t.deepEqual(run(), one)
    t.deepEqual([await kernels.hashNgrams(batch), await kernels.countNgrams(batch)], one)
  }
})

test('a lone surrogate counts as U+FFFD, a pair as its letter', (t) => {
  t.deepEqual(kernels.hashNgramsSync(['a\ud800b \udfff']), kernels.hashNgramsSync(['a\ufffdb \ufffd']))
  t.notDeepEqual(kernels.hashNgramsSync(['\ud835\udc9c']), kernels.hashNgramsSync(['\ufffd\ufffd']))
})

test('strings of every kind in memory arrive whole', (t) => {
  const latin = 'déjà vu '.repeat(1000)
  const joined = latin + '雪'.repeat(10)
  const sliced = joined.slice(3, 7000)
  const [one, other] = [kernels.hashNgramsSync([latin, joined, sliced]), new TextDecoder()]
  const copies = [latin, joined, sliced].map((text) => other.decode(Buffer.from(text)))
  t.deepEqual(kernels.hashNgramsSync(copies), one)
})

test('changing the array after the call changes nothing', async (t) => {
  const batch = texts(100)
  const want = kernels.countNgramsSync(batch)
  const call = kernels.countNgrams(batch)
  batch.length = 0
  t.deepEqual(await call, want)
})

test('no texts, and buckets up to 2^32-1', (t) => {
  const rows = kernels.hashNgramsSync([])
  t.deepEqual([...rows.offsets.data], [0])
  t.is(rows.tokens.data.length, 0)
  const wide = kernels.hashNgramsSync(['alice went'], { buckets: 2 ** 32 - 1 })
  t.is(wide.buckets.data.length, 3)
  t.deepEqual([...kernels.hashNgramsSync(['alice went'], { ngrams: 100 }).counts.data], [1, 1, 1])
})

const wrong: [string, () => unknown, { code: string; message: RegExp }][] = [
  [
    'ngrams 0',
    () => kernels.hashNgramsSync([], { ngrams: 0 }),
    { code: 'ERR_TAMIS_RANGE', message: /^ngrams must be/ },
  ],
  [
    'buckets 0',
    () => kernels.hashNgramsSync([], { buckets: 0 }),
    { code: 'ERR_TAMIS_RANGE', message: /^buckets must be/ },
  ],
  [
    'buckets 2^32',
    () => kernels.countNgramsSync([], { buckets: 2 ** 32 }),
    { code: 'ERR_TAMIS_RANGE', message: /^buckets must be/ },
  ],
  [
    'one string',
    () => kernels.countNgramsSync('text' as never),
    { code: 'ERR_TAMIS_TYPE', message: /^texts must be an array of strings, got "text"/ },
  ],
  [
    'a number among texts',
    () => kernels.hashNgramsSync(['a', 1] as never),
    { code: 'ERR_TAMIS_TYPE', message: /^texts\[1\] must be a string, got Number/i },
  ],
  [
    'a hole among texts',
    () => kernels.hashNgramsSync(new Array(3)),
    { code: 'ERR_TAMIS_TYPE', message: /^texts\[0\] must be a string, got undefined/i },
  ],
  [
    'into of another length',
    () => kernels.countNgramsSync([], { into: tensor('float64', [3], [1, 2, 3]) }),
    { code: 'ERR_TAMIS_SHAPE', message: /^shape: into must have dims \[10000\], got \[3\]/ },
  ],
  [
    'into of another type',
    () => kernels.countNgramsSync([], { buckets: 1, into: tensor('int32', [1], [1]) }),
    { code: 'ERR_TAMIS_TYPE', message: /^into must be float64, got int32/ },
  ],
]

for (const [name, call, error] of wrong) {
  test(`refuses ${name}`, (t) => {
    t.throws(call, { name: 'TamisError', ...error })
  })
}

test('what a getter among the texts throws is passed on', (t) => {
  const trap = Object.defineProperty(['a', 'b'], 1, {
    get() {
      throw new RangeError('trapped')
    },
  })
  t.throws(() => kernels.hashNgramsSync(trap), { instanceOf: RangeError, message: 'trapped' })
  t.is(kernels.hashNgramsSync(['alice']).buckets.data[0], 6720)
})

test.serial('more buckets than there is memory for are refused', (t) => {
  const available = process.availableMemory
  t.teardown(() => {
    process.availableMemory = available
  })
  process.availableMemory = () => 1e9
  t.throws(() => kernels.countNgramsSync([], { buckets: 2 ** 32 - 1 }), {
    code: 'ERR_TAMIS_RANGE',
    message: /^buckets is too large: it needs 103\.1 GB/,
  })
})

test('an aborted count rejects', async (t) => {
  const controller = new AbortController()
  const call = kernels.countNgrams(texts(2000), { signal: controller.signal })
  controller.abort()
  await t.throwsAsync(call, { code: 'ERR_TAMIS_ABORTED' })
})
