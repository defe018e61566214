/**
 * SlimPajama-DC: global and local deduplication (Shen, Tao, Ma et al., "SlimPajama-DC: Understanding Data Combinations for
 * LLM Training", 2023, arXiv 2309.10818).
 *
 * Of raw texts from many sources it keeps one copy of each near-identical document, over all sources at once or inside
 * each, after very short documents went: texts are cleaned, MinHash signatures of their character n-grams are cut into bands,
 * documents that agree in a band are linked, and of each connected component one is kept. {@link mixSources} then mixes the
 * sources.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkBoolean, checkCount, checkOneOf, checkOptions, show } from '../options.js'
import { type Cancellable, later } from '../run.js'
import type { Tensor } from '../tensor.js'
import { packTexts } from '../texts.js'
import {
  type Deduplicated,
  NEAR_OPTIONS,
  NearDeduplicator,
  type NearOptions,
  signatureWidth,
} from './slimpajama-near.js'
import { checkScope, SourceNumbers, type Sources } from './slimpajama-sources.js'

/**
 * A text as near-duplicate detection compares it: in lower case (full Unicode mapping, final sigma included), without the 32 ASCII
 * punctuation characters, trimmed, with every run of white space (Unicode White_Space and U+001C-U+001F) one U+0020.
 * Lone surrogates count as U+FFFD. O(length).
 * @throws TamisError `text`
 * @example
 * import { corpus } from 'tamis'
 * console.log(corpus.cleanText('  The QUICK,\tbrown fox - jumps! ')) // the quick brown fox jumps
 */
export function cleanText(text: string): string {
  if (typeof text === 'string') return native.cleanText(text)
  throw new TamisError('ERR_TAMIS_TYPE', `text must be a string, got ${show(text)}`)
}

/** Which documents are too short. */
export interface ShortOptions {
  /** Least number of code points of the clean text. Default 200. */
  minChars?: number | undefined
  /** The source of each text. */
  sources?: Sources | undefined
  /** Sources that keep everything. */
  exempt?: readonly number[] | readonly string[] | undefined
}

/**
 * Keeps the documents whose clean text has at least `minChars` code points, and all of the sources in `exempt`. O(characters).
 * @returns `lengths` [n]: code points of each clean text
 * @throws TamisError `texts`, `minChars`, `sources`, `exempt`
 * @example
 * import { corpus } from 'tamis'
 * const { kept } = await corpus.filterShort(['too short', 'just long enough'], { minChars: 10 }) // [ 1 ]
 */
export async function filterShort(
  texts: readonly string[],
  options?: ShortOptions & Cancellable,
): Promise<{ keep: Uint8Array; kept: Uint32Array; lengths: Uint32Array }> {
  const o = checkOptions('options', options, ['minChars', 'sources', 'exempt', 'signal'])
  const minChars = checkCount('minChars', o.minChars ?? 200)
  const packed = packTexts('texts', texts)
  const numbers = new SourceNumbers()
  const sources = o.sources && numbers.of('sources', o.sources, texts.length)
  const exempt = o.exempt && numbers.of('exempt', o.exempt)
  if (exempt && !sources) {
    throw new TamisError('ERR_TAMIS_RANGE', 'sources must be given where some of them are exempt')
  }
  return later(
    { call: (job) => native.filterShort(packed, minChars, sources, exempt, job), finish: (found) => found },
    o.signal,
  )
}

/**
 * Finds near duplicates: keeps one document of each connected component of documents that agree in a band of their MinHash
 * signatures; the one with the largest `prefer`, of equal ones the first. Documents with an empty clean text are all kept. O(characters *
 * numPerm + documents * bands); {@link NearDeduplicator} takes more documents than fit in memory.
 * @param input - texts, or their signatures (uint32 [n, numPerm]) made by {@link kernels.minHash}
 * @throws TamisError `texts`, `bands`, `threshold`, `ngram`, `numPerm`, `sources` (missing in scope `local`, or of another length), `prefer`
 * @example
 * import { corpus } from 'tamis'
 * const texts = ['The same text, word for word.', 'Another text altogether', 'the same text word for word']
 * const { representative } = await corpus.dedupNear(texts) // [ 0, 1, 0 ]
 */
export async function dedupNear(
  input: readonly string[] | Tensor,
  options?: NearOptions & Cancellable & { sources?: Sources | undefined; prefer?: Tensor | undefined },
): Promise<Deduplicated> {
  const o = checkOptions('options', options, [...NEAR_OPTIONS, 'sources', 'prefer', 'signal'])
  const { sources, prefer, signal, ...near } = o
  const finder = new NearDeduplicator({ ...near, numPerm: near.numPerm ?? signatureWidth(input) })
  await finder.add(input, { sources, prefer, signal })
  return finder.finish({ signal })
}

/** What {@link dedupExact} compares. */
export interface ExactOptions {
  /** `local` compares documents of one source only. Default `global`. */
  scope?: 'global' | 'local' | undefined
  /** The source of each text. */
  sources?: Sources | undefined
  /** Compare clean texts. Default false: texts as they are. */
  clean?: boolean | undefined
  /** A holdout: texts that are in it are dropped wherever they are. */
  against?: readonly string[] | undefined
}

/**
 * Finds equal documents, by 128-bit XXH3: keeps the first copy, and none of a text of `against` (which is its own representative). O(bytes).
 * @throws TamisError `texts`, `against`, `sources`, `scope`, `clean`
 * @example
 * import { corpus } from 'tamis'
 * const { keep } = await corpus.dedupExact(['a', 'b', 'a', 'c'], { against: ['c'] }) // [ 1, 1, 0, 0 ]
 */
export async function dedupExact(
  texts: readonly string[],
  options?: ExactOptions & Cancellable,
): Promise<Deduplicated> {
  const o = checkOptions('options', options, ['scope', 'sources', 'clean', 'against', 'signal'])
  const packed = packTexts('texts', texts)
  const against = packTexts('against', o.against ?? [])
  const clean = checkBoolean('clean', o.clean, false)
  const local = checkOneOf('scope', o.scope ?? 'global', ['global', 'local']) === 'local'
  const sources = o.sources && new SourceNumbers().of('sources', o.sources, texts.length)
  checkScope(local, sources)
  return later(
    {
      call: (job) => native.dedupExact(packed, against, clean, local ? sources : undefined, job),
      finish: (found) => found,
    },
    o.signal,
  )
}
