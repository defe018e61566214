/**
 * MinHash signatures of texts, and the bands into which they are cut.
 * @module
 */
import { checkNumPerm, checkThreshold, type MinHashOptions, minHashShape } from '../minhash.js'
import { native } from '../native.js'
import { checkMemory, checkOptions } from '../options.js'
import { type Cancellable, now, type Operation, promised } from '../run.js'
import type { Tensor } from '../tensor.js'
import { packTexts } from '../texts.js'

export type { MinHashOptions } from '../minhash.js'

function signatures(
  texts: readonly string[],
  options: MinHashOptions | undefined,
): Operation<Uint32Array, Tensor<'uint32'>> {
  const o = checkOptions('options', options, ['ngram', 'numPerm', 'seed'])
  const { ngram, numPerm, seed } = minHashShape(o)
  const packed = packTexts('texts', texts)
  const dims = [texts.length, numPerm]
  checkMemory('texts', 4 * texts.length * numPerm)
  return {
    call: (job) => native.minHash(packed, ngram, numPerm, seed, job),
    finish: (data) => ({ type: 'uint32', dims, data }),
  }
}

/**
 * The MinHash signature of each text (Broder, "On the resemblance and containment of documents", 1997): the share of
 * equal values of two signatures estimates the Jaccard similarity of the texts' sets of shingles, the windows of
 * `ngram` characters of the clean text ({@link corpus.cleanText}; a shorter text is one shingle). A shingle's hash x is the low
 * half of its XXH3, mixed by MurmurHash3's 32-bit finaliser; value k is the least `a_k * x + b_k` mod 2^32, a_k = word 2k of Philox
 * stream 0 of `seed`, made odd, b_k = word 2k + 1. An empty clean text has 2^32 - 1 everywhere. O(characters * numPerm), in parallel over
 * texts.
 * @param texts - lone surrogates count as U+FFFD
 * @returns uint32 [n, numPerm]
 * @throws TamisError `ngram`, `numPerm`, `seed`, `texts`
 * @example
 * import { kernels } from 'tamis'
 * const { data } = await kernels.minHash(['The quick brown fox', 'the quick, brown fox!'], { numPerm: 2 })
 * console.log(data[0] === data[2] && data[1] === data[3]) // true
 */
export async function minHash(
  texts: readonly string[],
  options?: MinHashOptions & Cancellable,
): Promise<Tensor<'uint32'>> {
  return promised(options, (o) => signatures(texts, o))
}

/** {@link minHash}, at once. */
export function minHashSync(texts: readonly string[], options?: MinHashOptions): Tensor<'uint32'> {
  return now(signatures(texts, options))
}

/** How a signature is cut: `bands` runs of `rows` values. */
export interface LshParams {
  bands: number
  rows: number
}

function params(
  threshold: number,
  options: { numPerm?: number | undefined } | undefined,
): Operation<LshParams, LshParams> {
  const o = checkOptions('options', options, ['numPerm'])
  const checked = checkThreshold(threshold)
  const numPerm = checkNumPerm(o.numPerm)
  return { call: (job) => native.lshParams(checked, numPerm, job), finish: (found) => found }
}

/**
 * The bands and rows, together at most `numPerm` values, that part pairs above a Jaccard similarity from those below best: the
 * least mean of the integrals of false positives, `1 - (1 - s^rows)^bands` over 0..threshold, and false negatives,
 * `(1 - s^rows)^bands` over threshold..1 (Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", 3.4). Of equal ones the fewest bands,
 * then the fewest rows.
 * @param threshold - in (0, 1)
 * @param options - `numPerm` (1..4096, default 128): values of a signature
 * @throws TamisError `threshold`, `numPerm`
 * @example
 * import { kernels } from 'tamis'
 * console.log(await kernels.lshParams(0.8)) // { bands: 9, rows: 13 }
 */
export async function lshParams(
  threshold: number,
  options?: { numPerm?: number | undefined } & Cancellable,
): Promise<LshParams> {
  return promised(options, (o) => params(threshold, o))
}

/** {@link lshParams}, at once. */
export function lshParamsSync(threshold: number, options?: { numPerm?: number | undefined }): LshParams {
  return now(params(threshold, options))
}
