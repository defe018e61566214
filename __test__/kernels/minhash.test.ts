import test from 'ava'
import { corpus, kernels, setThreads, tensor } from 'tamis'

const words = 'the quick brown fox jumps over a lazy dog and does not look back at it'.split(' ')

/** Texts of 0 to 99 words. */
function texts(n: number): string[] {
  const { data } = kernels.belowSync(n * 100, words.length, { seed: 11 })
  return Array.from({ length: n }, (_, i) =>
    Array.from(data.subarray(i * 100, i * 100 + (i % 100)), (word) => words[word]).join(' '),
  )
}

test('a signature is of the clean text', async (t) => {
  const raw = ['The QUICK,\tbrown fox; jumps over the lazy dog!', '  ΑΣ - ΟΔΟΣ  ']
  const clean = raw.map(corpus.cleanText)
  t.deepEqual(await kernels.minHash(raw), await kernels.minHash(clean))
  t.deepEqual(kernels.minHashSync(['a\ud800b']), kernels.minHashSync(['a\ufffdb']))
})

test('the order and the number of shingles do not count', (t) => {
  const [a = '', b = ''] = ['abcdefghijklmnop', 'qrstuvwxyz0123456']
  const once = kernels.minHashSync([a], { ngram: 5 })
  t.deepEqual(kernels.minHashSync([a + a.slice(0, 0)], { ngram: 5 }), once)
  const periodic = (n: number) => kernels.minHashSync(['abcab'.repeat(n)], { ngram: 5 })
  t.deepEqual(periodic(3), periodic(50))
  t.notDeepEqual(kernels.minHashSync([b], { ngram: 5 }), once)
})

test('a short text is one shingle, an empty one none', (t) => {
  const { dims, data } = kernels.minHashSync(['twelve chars', '...', ''], { numPerm: 4 })
  t.deepEqual(dims, [3, 4])
  t.deepEqual([...data.slice(4)], Array(8).fill(2 ** 32 - 1))
  t.deepEqual(kernels.minHashSync(['twelve chars'], { numPerm: 4, ngram: 12 }).data, data.slice(0, 4))
  t.deepEqual(kernels.minHashSync([]), tensor('uint32', [0, 128], []))
})

test('a longer signature begins with a shorter one of the same seed', (t) => {
  const [text = ''] = texts(100).slice(-1)
  const long = kernels.minHashSync([text], { numPerm: 300, seed: '12345678901234567890' })
  const short = kernels.minHashSync([text], { numPerm: 17, seed: 12345678901234567890n })
  t.deepEqual(long.data.slice(0, 17), short.data)
  t.notDeepEqual(kernels.minHashSync([text], { numPerm: 17, seed: 1 }).data, short.data)
})

test.serial('signatures are the same on 1, 2 and 7 threads, at once and as a promise', async (t) => {
  t.teardown(() => setThreads(0))
  const batch = texts(12_500)
  setThreads(1)
  const one = kernels.minHashSync(batch, { numPerm: 40 })
  for (const count of [2, 7]) {
    setThreads(count)
    t.deepEqual(kernels.minHashSync(batch, { numPerm: 40 }), one)
    t.deepEqual(await kernels.minHash(batch, { numPerm: 40 }), one)
  }
})

test('bands and rows of thresholds', async (t) => {
  t.deepEqual(await kernels.lshParams(0.8), { bands: 9, rows: 13 })
  t.deepEqual(kernels.lshParamsSync(0.8, { numPerm: 1 }), { bands: 1, rows: 1 })
  const { bands, rows } = kernels.lshParamsSync(0.5, { numPerm: 4096 })
  t.true(bands * rows <= 4096 && Math.abs((1 / bands) ** (1 / rows) - 0.5) < 0.05)
})

test('what it refuses', async (t) => {
  const refuses = async (message: RegExp, code: string, run: () => Promise<unknown>) =>
    t.throwsAsync(run, { message, code })
  await refuses(/^texts\[1\] must be a string/, 'ERR_TAMIS_TYPE', () => kernels.minHash(['a', 1 as never]))
  await refuses(/^texts must be an array/, 'ERR_TAMIS_TYPE', () => kernels.minHash('a' as never))
  await refuses(/^ngram/, 'ERR_TAMIS_RANGE', () => kernels.minHash([], { ngram: 0 }))
  await refuses(/^ngram/, 'ERR_TAMIS_RANGE', () => kernels.minHash([], { ngram: 1.5 }))
  await refuses(/^numPerm/, 'ERR_TAMIS_RANGE', () => kernels.minHash([], { numPerm: 0 }))
  await refuses(/^numPerm/, 'ERR_TAMIS_RANGE', () => kernels.minHash([], { numPerm: 4097 }))
  await refuses(/^seed/, 'ERR_TAMIS_RANGE', () => kernels.minHash([], { seed: -1 }))
  await refuses(/unknown option "ngrams"/, 'ERR_TAMIS_TYPE', () =>
    kernels.minHash([], { ngrams: 3 } as never),
  )
  for (const threshold of [0, 1, -0.5, Number.NaN]) {
    await refuses(/^threshold/, 'ERR_TAMIS_RANGE', () => kernels.lshParams(threshold))
  }
  await refuses(/^numPerm/, 'ERR_TAMIS_RANGE', () => kernels.lshParams(0.5, { numPerm: 5000 }))
  await refuses(/aborted/, 'ERR_TAMIS_ABORTED', () => kernels.minHash(['a'], { signal: AbortSignal.abort() }))
})
