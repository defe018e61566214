import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { corpus, kernels, setThreads, type Tensor, tensor } from 'tamis'

const words = 'the quick brown fox jumps over a lazy dog and does not look back at it'.split(' ')

/** Texts of 40 words, of which every third is a copy of the one before with its last word changed. */
function texts(n: number): string[] {
  const { data } = kernels.belowSync(n * 40, words.length, { seed: 5 })
  const all: string[] = []
  for (let i = 0; i < n; i++) {
    const fresh = Array.from(data.subarray(i * 40, (i + 1) * 40), (word) => words[word]).join(' ')
    all.push(i % 3 === 2 ? `${all[i - 1]} ${i}` : fresh)
  }
  return all
}

const LOOSE = { bands: 32, rows: 4 } as const

test('texts are cleaned', (t) => {
  t.is(corpus.cleanText('\u001c A\u2003-\u2003B\u0085\u200bC '), 'a b \u200bc')
  t.is(corpus.cleanText('ΟΔΟΣ. ΣΑΣ!'), 'οδος σας')
  t.is(corpus.cleanText('a\ud800b\udc00'), 'a\ufffdb\ufffd')
  t.is(corpus.cleanText('\u0130I\u0000'), 'i\u0307i\u0000')
  t.is(corpus.cleanText('!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'), '')
  t.throws(() => corpus.cleanText(1 as never), { message: /^text must be a string/, code: 'ERR_TAMIS_TYPE' })
})

test('lengths count code points, and names of sources are as good as numbers', async (t) => {
  const list = ['\u{1d49c}'.repeat(3), 'ab', '', 'abcd']
  const { keep, kept, lengths } = await corpus.filterShort(list, {
    minChars: 3,
    sources: ['web', 'code', 'web', 'books'],
    exempt: ['code', 'none'],
  })
  t.deepEqual(
    [[...keep], [...kept], [...lengths]],
    [
      [1, 1, 0, 1],
      [0, 1, 3],
      [3, 2, 0, 4],
    ],
  )
  t.deepEqual((await corpus.filterShort(['a'.repeat(199), 'a'.repeat(200)])).kept, Uint32Array.of(1))
  t.deepEqual(await corpus.filterShort([]), {
    keep: new Uint8Array(),
    kept: new Uint32Array(),
    lengths: new Uint32Array(),
  })
})

test('signatures give what their texts give', async (t) => {
  const list = texts(60)
  const signatures = await kernels.minHash(list, { numPerm: 64, seed: 3 })
  const banding = { bands: 16, rows: 4 }
  const found = await corpus.dedupNear(list, { numPerm: 64, seed: 3, ...banding })
  t.deepEqual(await corpus.dedupNear(signatures, banding), found)
  t.true(found.kept.length < 50)
  t.deepEqual(
    [...found.kept],
    [...found.representative.keys()].filter((i) => found.representative[i] === i),
  )
  const row = new Uint32Array(2 * 8).fill(2 ** 32 - 1)
  t.deepEqual(
    (await corpus.dedupNear(tensor('uint32', [2, 8], row), { bands: 1, rows: 8 })).representative,
    Uint32Array.of(0, 1),
  )
})

test('the preferred document of a component is kept', async (t) => {
  const list = ['One and the same text, here', 'another one, that is alone', 'one and the same text here']
  const same = { bands: 1, rows: 128 }
  const keep = async (prefer: number[]) =>
    (
      await corpus.dedupNear([...list, 'ONE and the same text here'], {
        ...same,
        prefer: tensor('float32', [4], prefer),
      })
    ).representative
  t.deepEqual(await keep([1, 0, 3, 2]), Uint32Array.of(2, 1, 2, 2))
  t.deepEqual(await keep([1, 0, 1, 1]), Uint32Array.of(0, 1, 0, 0))
  t.deepEqual(await keep([Number.NaN, 0, -Infinity, Number.NaN]), Uint32Array.of(2, 1, 2, 2))
  t.deepEqual(await keep([-0, 0, 0, 0]), Uint32Array.of(0, 1, 0, 0))
})

test('scope local compares inside a source only', async (t) => {
  const list = ['the same text in both', 'the same text in both', 'the same text in both']
  for (const sources of [[7, 4, 7], ['wiki', 'web', 'wiki'], Uint8Array.of(1, 0, 1)]) {
    const options = { scope: 'local', sources } as const
    t.deepEqual((await corpus.dedupNear(list, options)).representative, Uint32Array.of(0, 1, 0))
    t.deepEqual((await corpus.dedupExact(list, options)).representative, Uint32Array.of(0, 1, 0))
  }
  t.deepEqual((await corpus.dedupNear(list)).kept, Uint32Array.of(0))
})

test('verification breaks links of documents that do not resemble each other', async (t) => {
  const list = texts(90)
  const anyValue = { bands: 128, rows: 1 }
  const loose = await corpus.dedupNear(list, anyValue)
  const verified = await corpus.dedupNear(list, { ...anyValue, verify: true, threshold: 0.7 })
  t.true(loose.kept.length < 30)
  const pairs = [...list.keys()].map((i) => (i % 3 === 2 ? i - 1 : i))
  t.deepEqual([...verified.representative], pairs)
})

test('batches, spilled or not, give what all documents at once give', async (t) => {
  const spillDir = mkdtempSync(join(tmpdir(), 'tamis-test-'))
  t.teardown(() => rmSync(spillDir, { recursive: true }))
  const list = texts(120)
  const sources = list.map((_, i) => (i % 7 < 3 ? 'a' : 'b'))
  const prefer = Float32Array.from(list, (_, i) => (i * 31) % 17)
  for (const scope of ['global', 'local'] as const) {
    for (const verify of [false, true]) {
      const options = { ...LOOSE, scope, verify, threshold: 0.7 }
      const all = { sources, prefer: tensor('float32', [120], prefer) }
      const want = await corpus.dedupNear(list, { ...options, ...all })
      for (const spill of [{}, { spillDir, memory: 1 }, { spillDir, memory: 5000 }, { spillDir }]) {
        for (const size of [7, 120]) {
          const near = new corpus.NearDeduplicator({ ...options, ...spill })
          // Not awaited: calls keep their order.
          const added = []
          for (let first = 0; first < 120; first += size) {
            const batch = {
              sources: sources.slice(first, first + size),
              prefer: tensor('float32', [Math.min(size, 120 - first)], prefer.slice(first, first + size)),
            }
            const part = list.slice(first, first + size)
            added.push(near.add(first % 2 === 0 ? part : kernels.minHashSync(part), batch))
          }
          t.deepEqual(await near.finish(), want)
          const firsts = (await Promise.all(added)).map(({ first }) => first)
          t.deepEqual(
            firsts,
            Array.from({ length: Math.ceil(120 / size) }, (_, b) => b * size),
          )
          if ('spillDir' in spill) t.true((await Promise.all(added)).every(({ keep }) => keep.every(Boolean)))
        }
      }
    }
  }
  t.deepEqual(readdirSync(spillDir), [])
})

test.serial('the same answer on 1, 2 and 7 threads', async (t) => {
  t.teardown(() => setThreads(0))
  const list = texts(6000)
  const run = async () => [
    await corpus.dedupNear(list),
    await corpus.dedupExact(list, { clean: true }),
    await corpus.filterShort(list),
  ]
  setThreads(1)
  const one = await run()
  for (const count of [2, 7]) {
    setThreads(count)
    t.deepEqual(await run(), one)
  }
})

test('a deduplicator that has finished takes no more, one that was stopped goes on', async (t) => {
  const near = new corpus.NearDeduplicator()
  await t.throwsAsync(near.add(['a'], { signal: AbortSignal.abort() }), { code: 'ERR_TAMIS_ABORTED' })
  await near.add(['a text', 'A text!'])
  t.deepEqual((await near.finish()).representative, Uint32Array.of(0, 0))
  await t.throwsAsync(near.add(['b']), { message: /finished/, code: 'ERR_TAMIS_RANGE' })
  await t.throwsAsync(near.finish(), { message: /finished/ })
  t.deepEqual((await new corpus.NearDeduplicator().finish()).kept, new Uint32Array())
})

test('what near deduplication refuses', async (t) => {
  const refuses = (message: RegExp, code: string, options: object, input: unknown = ['a', 'b']) =>
    t.throwsAsync(corpus.dedupNear(input as string[], options), { message, code })
  await refuses(/^bands \* rows must be at most numPerm/, 'ERR_TAMIS_RANGE', { bands: 20, rows: 7 })
  await refuses(/^bands and rows/, 'ERR_TAMIS_RANGE', { bands: 9 })
  await refuses(/^bands and rows/, 'ERR_TAMIS_RANGE', { rows: 9 })
  await refuses(/^bands/, 'ERR_TAMIS_RANGE', { bands: 0, rows: 1 })
  await refuses(/^threshold/, 'ERR_TAMIS_RANGE', { threshold: 1 })
  await refuses(/^ngram/, 'ERR_TAMIS_RANGE', { ngram: 0 })
  await refuses(/^numPerm/, 'ERR_TAMIS_RANGE', { numPerm: 4097 })
  await refuses(/^scope/, 'ERR_TAMIS_RANGE', { scope: 'everywhere' })
  await refuses(/^verify/, 'ERR_TAMIS_TYPE', { verify: 1 })
  await refuses(/^sources must be given/, 'ERR_TAMIS_RANGE', { scope: 'local' })
  await refuses(/^sources must hold/, 'ERR_TAMIS_SHAPE', { sources: [1] })
  await refuses(/^sources\[1\]/, 'ERR_TAMIS_RANGE', { sources: [1, -1] })
  await refuses(/^sources\[1\] must be a string/, 'ERR_TAMIS_TYPE', { sources: ['a', 1] })
  await refuses(/^sources must be a list/, 'ERR_TAMIS_TYPE', { sources: 3 })
  await refuses(/prefer/, 'ERR_TAMIS_SHAPE', { prefer: tensor('float32', [1], [1]) })
  await refuses(/^prefer/, 'ERR_TAMIS_TYPE', { prefer: tensor('float64', [2], [1, 2]) })
  await refuses(/^texts\[0\] must be a string/, 'ERR_TAMIS_TYPE', {}, [null])
  await refuses(/^texts must be/, 'ERR_TAMIS_TYPE', {}, 'a')
  await refuses(
    /^numPerm must be the width/,
    'ERR_TAMIS_SHAPE',
    { numPerm: 4 },
    tensor('uint32', [1, 8], Array(8).fill(1)),
  )
  t.deepEqual((await corpus.dedupNear([])).keep, new Uint8Array())

  const near = new corpus.NearDeduplicator({ scope: 'local' })
  await near.add(['a'], { sources: ['web'] })
  await t.throwsAsync(near.add(['a'], { sources: [1] }), { message: /^sources must be all names/ })
  await t.throwsAsync(near.add(['a'], { sources: ['web'], prefer: tensor('float32', [1], [1]) as Tensor }), {
    message: /^prefer must be given with every batch/,
  })
  t.throws(() => new corpus.NearDeduplicator({ memory: 0 }), { message: /^memory/ })
  t.throws(() => new corpus.NearDeduplicator({ spillDir: '' }), { message: /^spillDir/ })
  const nowhere = new corpus.NearDeduplicator({ spillDir: '/no/such/folder', memory: 1 })
  await t.throwsAsync(nowhere.add(['a']), { code: 'ERR_TAMIS_IO', message: /no.such.folder/ })
})

test('exact duplicates of clean texts, of long texts, and of a holdout', async (t) => {
  const long = 'x'.repeat(100_000)
  const list = ['A b!', 'a  b', `${long}y`, long, `${long}y`, '', '', 'held OUT']
  t.deepEqual((await corpus.dedupExact(list)).representative, Uint32Array.of(0, 1, 2, 3, 2, 5, 5, 7))
  const clean = await corpus.dedupExact(list, { clean: true, against: ['Held out.', ''] })
  t.deepEqual([...clean.representative], [0, 0, 2, 3, 2, 5, 6, 7])
  t.deepEqual([...clean.keep], [1, 0, 1, 1, 0, 0, 0, 0])
  t.deepEqual(await corpus.dedupExact([]), {
    keep: new Uint8Array(),
    kept: new Uint32Array(),
    representative: new Uint32Array(),
  })
  await t.throwsAsync(corpus.dedupExact(['a'], { scope: 'local' }), { message: /^sources/ })
  await t.throwsAsync(corpus.dedupExact(['a'], { against: 'a' as never }), { message: /^against must be/ })
  await t.throwsAsync(corpus.dedupExact(['a'], { sources: [] }), { message: /^sources must hold/ })
})

test('exempt sources need sources', async (t) => {
  await t.throwsAsync(corpus.filterShort(['a'], { exempt: [1] }), { message: /^sources must be given/ })
  await t.throwsAsync(corpus.filterShort(['a'], { sources: [1], exempt: ['a'] }), {
    message: /^exempt must be all numbers/,
  })
  await t.throwsAsync(corpus.filterShort(['a'], { minChars: -1 }), { message: /^minChars/ })
})

test('a Bloom filter forgets nothing', (t) => {
  const filter = new corpus.BloomFilter({ capacity: 500, errorRate: 0.001 })
  const list = Array.from({ length: 500 }, (_, i) => `text ${i}`)
  filter.add(list)
  t.true(filter.has(list).every((seen) => seen === 1))
  t.deepEqual(filter.has(['never seen', '']), Uint8Array.of(0, 0))
  t.deepEqual(filter.add(['twice', 'twice']), Uint8Array.of(0, 1))
  t.deepEqual(filter.add([]), new Uint8Array())
  t.throws(() => new corpus.BloomFilter({ capacity: 0 }), { message: /^capacity/ })
  t.throws(() => new corpus.BloomFilter({ capacity: 1e15 }), { message: /^capacity is too large/ })
  t.throws(() => new corpus.BloomFilter({ capacity: 1, errorRate: 1 }), { message: /^errorRate/ })
  t.throws(() => filter.add([1 as never]), { message: /^texts\[0\] must be a string/ })
})

test('mixtures of proportions, of shares of tokens, and of nothing', async (t) => {
  const even = await corpus.mixSources([100, 300], { proportions: [1, 1], total: 2000, seed: 3 })
  t.deepEqual([...even.probability], [0.5, 0.5])
  const drawn = even.source.reduce((n, source) => n + source, 0)
  t.true(Math.abs(drawn - 1000) < 100)
  t.deepEqual([...even.epochs], [(2000 - drawn) / 100, drawn / 300])
  const tokens = await corpus.mixSources([100, 300], { proportions: [1, 1], meanTokens: [300, 100] })
  t.deepEqual([[...tokens.probability], tokens.source.length], [[0.25, 0.75], 400])
  t.is((await corpus.mixSources([10, 7], { weights: [0.29, 0.3] })).source.length, 5)
  t.is((await corpus.mixSources([100], { weights: [0.29] })).source.length, 29)
  const nothing = { source: new Uint32Array(), index: new Uint32Array() }
  t.like(await corpus.mixSources([]), { ...nothing, epochs: new Float64Array() })
  t.like(await corpus.mixSources([0, 0]), { ...nothing, probability: Float64Array.of(0, 0) })
  t.deepEqual([...(await corpus.mixSources([0, 3])).epochs], [0, 1])
})

test('what a mixture refuses', async (t) => {
  const refuses = (message: RegExp, options: object, counts: unknown = [2, 3]) =>
    t.throwsAsync(corpus.mixSources(counts as number[], options), { message })
  await refuses(/^weights\[1\]/, { weights: [1, -1] })
  await refuses(/^weights must not all be 0/, { weights: [0, 0] })
  await refuses(/^weights must hold/, { weights: [1] })
  await refuses(/^weights and proportions/, { weights: [1, 1], proportions: [1, 1] })
  await refuses(/^proportions\[0\]/, { proportions: [Number.NaN, 1] })
  await refuses(/^proportions must not all be 0/, { proportions: [0, 0] })
  await refuses(/^proportions must hold/, { proportions: [1, 1, 1] })
  await refuses(/^counts\[0\]/, { proportions: [1, 1] }, [0, 3])
  await refuses(/^counts must not all be 0/, { total: 1 }, [0, 0])
  await refuses(/^counts/, {}, [1.5])
  await refuses(/^counts must be a list/, {}, 3)
  await refuses(/^meanTokens must be given with/, { meanTokens: [1, 1] })
  await refuses(/^meanTokens\[0\] must be above 0/, { proportions: [1, 1], meanTokens: [0, 1] })
  await refuses(/^total/, { total: -1 })
  await refuses(/^seed/, { seed: 1.5 })
})
