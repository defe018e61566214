/**
 * SlimPajama's headline, small: near copies of mail are found as often as the bands of their signatures say.
 *
 * Source 0 is 3,000 messages of the SpamAssassin corpus, source 1 a copy of each with some words replaced, so many that
 * the true Jaccard similarity of the pairs spreads over 0.3 to 1.
 * @module
 */
import { performance } from 'node:perf_hooks'
import { corpus, kernels, setThreads } from 'tamis'
import { readMail } from '../scripts/spam-assassin.js'
import { Conditions } from './check.js'

const PAIRS = 3000
const NGRAM = 13
/** Messages of fewer words are left out. */
const MIN_WORDS = 20
const [BANDS, ROWS] = [9, 13]

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const mail = readMail()
    .map(({ text }) => text)
    .filter((text) => corpus.cleanText(text).split(' ').length >= MIN_WORDS)
    .slice(0, PAIRS)
  const copies = mail.map(alter)
  const texts = [...mail, ...copies]
  const sources = texts.map((_, i) => (i < PAIRS ? 0 : 1))
  const similarity = mail.map((text, i) => jaccard(shingles(text), shingles(copies[i] as string)))

  const signatures = await kernels.minHash(texts)
  const row = (i: number) => signatures.data.subarray(i * 128, (i + 1) * 128)
  const errors = similarity.map((s, i) => estimate(row(i), row(PAIRS + i)) - s)
  const meanError = mean(errors.map(Math.abs))
  conditions.must(
    'mean error of the estimated similarity, at most 0.045',
    `${meanError.toFixed(4)} (bias ${mean(errors).toFixed(4)})`,
    meanError <= 0.045,
  )

  // Each pair is a source of its own, so that no third message links it.
  const alone = await corpus.dedupNear(signatures, {
    scope: 'local',
    sources: texts.map((_, i) => i % PAIRS),
  })
  const found = similarity.map((_, i) => alone.keep[PAIRS + i] === 0)
  checkBins(conditions, similarity, found)

  const own = await corpus.dedupNear(mail)
  const local = await corpus.dedupNear(signatures, { scope: 'local', sources })
  const across = local.representative.filter((kept, i) => i >= PAIRS && kept < PAIRS).length
  const keptLocally = local.kept.filter((i) => i < PAIRS).length
  conditions.must(
    'local links no copies across the sources',
    `${across} of ${PAIRS}; ${keptLocally} of source 0 kept, ${own.kept.length} of it alone`,
    across === 0 && keptLocally === own.kept.length,
  )
  const global = await corpus.dedupNear(signatures)
  const near = similarity.flatMap((s, i) => (s >= 0.95 ? [PAIRS + i] : []))
  const removed = near.filter((i) => global.keep[i] === 0).length / near.length
  conditions.must(
    'global removes copies of similarity 0.95 or more, at least 95 %',
    `${percent(removed)} of ${near.length}`,
    removed >= 0.95,
  )

  const stream = new corpus.NearDeduplicator()
  for (let shard = 0; shard < 10; shard++) {
    await stream.add(texts.slice((shard * texts.length) / 10, ((shard + 1) * texts.length) / 10))
  }
  const { representative } = await stream.finish()
  const differ = representative.filter((kept, i) => kept !== global.representative[i]).length
  conditions.must('ten shards give the same representatives', `${differ} differ`, differ === 0)
  checkSpeed(conditions, texts)
  return conditions
}

/** The share of pairs found, beside what the bands promise, where there are enough pairs. */
function checkBins(conditions: Conditions, similarity: readonly number[], found: readonly boolean[]): void {
  const promise = (s: number) => 1 - (1 - s ** ROWS) ** BANDS
  const between = (from: number, to: number) => {
    const pairs = similarity.flatMap((s, i) => (s >= from && s < to ? [i] : []))
    const got = mean(pairs.map((i) => Number(found[i])))
    return { pairs: pairs.length, got, want: mean(pairs.map((i) => promise(similarity[i] as number))) }
  }
  for (let bin = 3; bin < 10; bin++) {
    const { pairs, got, want } = between(bin / 10, bin === 9 ? 1.01 : (bin + 1) / 10)
    if (pairs < 300) continue
    conditions.must(
      `found of the ${pairs} pairs of similarity 0.${bin} to ${(bin + 1) / 10}, within 0.06 of what the bands say`,
      `${got.toFixed(3)} (${want.toFixed(3)})`,
      Math.abs(got - want) <= 0.06,
    )
  }
  const [high, low] = [between(0.95, 1.01), between(0, 0.55)]
  conditions.must(
    'found from 0.95 on, above 0.97',
    `${high.got.toFixed(3)} of ${high.pairs}`,
    high.got > 0.97,
  )
  conditions.must('found up to 0.55, under 0.02', `${low.got.toFixed(3)} of ${low.pairs}`, low.got < 0.02)
}

function checkSpeed(conditions: Conditions, texts: string[]): void {
  setThreads(1)
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  let best = Infinity
  for (let i = 0; i < 5; i++) {
    const started = performance.now()
    kernels.minHashSync(texts)
    best = Math.min(best, performance.now() - started)
  }
  setThreads(0)
  const rate = bytes / best / 1000
  conditions.must(
    'signatures from raw text on one core, at least 40 MB/s',
    `${rate.toFixed(0)} MB/s`,
    rate >= 40,
  )
}

/** A copy with as many words replaced as make its similarity about the one that is wanted of pair `i`. */
function alter(text: string, i: number): string {
  const words = text.split(/(\s+)/)
  const places = [...words.keys()].filter((w) => w % 2 === 0)
  const wanted = 0.3 + (0.7 * ((i * 619) % PAIRS)) / PAIRS
  // Of n shingles, d destroyed and as many new ones leave (n - d) / (n + d).
  const lost = ((1 - wanted) / (1 + wanted)) * corpus.cleanText(text).length
  const replaced = Math.round(lost / (NGRAM + 4))
  const order = kernels.permutationSync(places.length, { seed: i }).data
  for (const place of order.slice(0, replaced)) words[2 * place] = `q${(place * 7919 + i).toString(36)}z`
  return words.join('')
}

function shingles(text: string): Set<string> {
  const points = [...corpus.cleanText(text)]
  const all = new Set<string>()
  for (let i = 0; i + NGRAM <= points.length; i++) all.add(points.slice(i, i + NGRAM).join(''))
  return all
}

function jaccard(a: Set<string>, b: Set<string>): number {
  let both = 0
  for (const shingle of a) if (b.has(shingle)) both++
  return both / (a.size + b.size - both)
}

const estimate = (a: Uint32Array, b: Uint32Array): number =>
  a.filter((value, k) => value === b[k]).length / a.length
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
const percent = (x: number): string => `${(100 * x).toFixed(1)} %`
