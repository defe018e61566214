/**
 * Hashed n-grams of texts.
 *
 * A text is lower-cased by the full Unicode mapping and cut into maximal runs of letters, digits and underscores,
 * or of anything else that is no white space. Every window of 1..`ngrams` tokens, joined by one space, falls into
 * bucket SHA-256(utf8) mod `buckets`. A lone surrogate counts as U+FFFD.
 * @module
 */
import { native } from '../native.js'
import { checkCounters, type NgramOptions, ngramShape } from '../ngrams.js'
import { checkOptions } from '../options.js'
import { type Cancellable, now, type Operation, promised } from '../run.js'
import { checkTensor, type Tensor } from '../tensor.js'
import { packTexts } from '../texts.js'

export type { NgramOptions }

/** Sparse counts: row i is `offsets[i]..offsets[i+1]`, buckets ascending. */
export interface NgramRows {
  /** uint32 [n+1] */
  offsets: Tensor<'uint32'>
  /** uint32 */
  buckets: Tensor<'uint32'>
  /** uint32 */
  counts: Tensor<'uint32'>
  /** Tokens of each text: uint32 [n]. */
  tokens: Tensor<'uint32'>
}

type RowArrays = Record<keyof NgramRows, Uint32Array>

function hash(texts: readonly string[], options: NgramOptions | undefined): Operation<RowArrays, NgramRows> {
  const { ngrams, buckets } = ngramShape(checkOptions('options', options, ['ngrams', 'buckets']))
  const packed = packTexts('texts', texts)
  return { call: (job) => native.hashNgrams(packed, ngrams, buckets, job), finish: asRows }
}

function asRows(rows: RowArrays): NgramRows {
  const tensor = (data: Uint32Array): Tensor<'uint32'> => ({ type: 'uint32', dims: [data.length], data })
  return {
    offsets: tensor(rows.offsets),
    buckets: tensor(rows.buckets),
    counts: tensor(rows.counts),
    tokens: tensor(rows.tokens),
  }
}

/**
 * The n-gram counts of each text, sparse. O(bytes), in parallel; texts are copied out of JavaScript once, before the
 * call returns.
 * @param texts - [n]
 * @throws TamisError `ngrams must be`, `buckets must be`, `texts`
 * @example
 * import { kernels } from 'tamis'
 * const { buckets, tokens } = await kernels.hashNgrams(['Alice went to the store'])
 * console.log(buckets.data.includes(6720), tokens.data[0]) // true 5
 */
export async function hashNgrams(
  texts: readonly string[],
  options?: NgramOptions & Cancellable,
): Promise<NgramRows> {
  return promised(options, (o) => hash(texts, o))
}

/** {@link hashNgrams}, at once. */
export function hashNgramsSync(texts: readonly string[], options?: NgramOptions): NgramRows {
  return now(hash(texts, options))
}

/** {@link NgramOptions}, and counts to add to. */
export interface CountNgramsOptions extends NgramOptions {
  /** Counts of an earlier batch, float64 [buckets]; not changed. */
  into?: Tensor | undefined
}

function count(
  texts: readonly string[],
  options: CountNgramsOptions | undefined,
): Operation<Float64Array, Tensor<'float64'>> {
  const o = checkOptions('options', options, ['ngrams', 'buckets', 'into'])
  const { ngrams, buckets } = ngramShape(o)
  checkCounters(buckets, 1)
  const into =
    o.into === undefined
      ? undefined
      : checkTensor('into', o.into, { types: ['float64'], dims: [buckets] }).data
  const packed = packTexts('texts', texts)
  return {
    call: (job) => native.countNgrams(packed, ngrams, buckets, undefined, into, job),
    finish: (data) => ({ type: 'float64', dims: [buckets], data }),
  }
}

/**
 * The n-gram counts of all texts together: float64 [buckets] of whole numbers. O(bytes), in parallel, in 8 * buckets
 * bytes a thread.
 * @param texts - [n]
 * @throws TamisError `ngrams must be`, `buckets must be`, `texts`, and `into` of another length (`shape`)
 * @example
 * import { kernels } from 'tamis'
 * let counts = await kernels.countNgrams(['a first batch', 'of two texts'])
 * counts = await kernels.countNgrams(['and a second one'], { into: counts })
 */
export async function countNgrams(
  texts: readonly string[],
  options?: CountNgramsOptions & Cancellable,
): Promise<Tensor<'float64'>> {
  return promised(options, (o) => count(texts, o))
}

/** {@link countNgrams}, at once. */
export function countNgramsSync(texts: readonly string[], options?: CountNgramsOptions): Tensor<'float64'> {
  return now(count(texts, options))
}
