/**
 * DSIR: data selection by importance resampling (Xie, Santurkar, Ma, Liang, "Data Selection for Language Models via
 * Importance Resampling", NeurIPS 2023, arXiv 2302.03169).
 *
 * From a raw corpus it keeps the documents whose word and word-pair statistics look like a target corpus: hashed
 * n-gram counts of both give a log-ratio for every bucket, a document's importance weight is the sum over its
 * n-grams, and documents are drawn without replacement in proportion to it (Gumbel top-k).
 * @module
 */
import { TamisError } from '../errors.js'
import { type NativeTexts, native } from '../native.js'
import { checkCounters, type NgramOptions, ngramShape } from '../ngrams.js'
import {
  checkCount,
  checkNumber,
  checkOneOf,
  checkOptions,
  checkPositiveInteger,
  parseSeed,
  type Seed,
} from '../options.js'
import { type Cancellable, later, now, type Operation, promised } from '../run.js'
import { asFloat64, checkTensor, FLOAT_TYPES, type Tensor } from '../tensor.js'
import { packTexts } from '../texts.js'
import { checkProportions, countExceeds, shareOut } from './shares.js'

/** How documents are drawn by their weights. */
export interface ResampleOptions {
  /** An integer 0..2^64-1. Default 0. */
  seed?: Seed | undefined
  /** `gumbel` draws in proportion to exp(weight), `topK` takes the highest. Default `gumbel`. */
  method?: 'gumbel' | 'topK' | undefined
  /** Documents of fewer tokens are no candidates. Default 100. */
  minTokens?: number | undefined
  /** What share of the count each target gets; need not add up to 1. Default: the targets' n-gram totals. */
  proportions?: readonly number[] | undefined
}

/** All that {@link selectByImportance} can be told. */
export interface ImportanceOptions extends NgramOptions, ResampleOptions {
  /** How many documents to keep. */
  count: number
  /** Added to every bucket of the target. Default 0. */
  smoothing?: number | undefined
  /** N-grams of the raw corpus to fit on: all (default), 'auto' (100,000 for each bucket), or a number. */
  fitNgrams?: 'all' | 'auto' | number | undefined
}

/** Which documents were kept. */
export interface Resampled {
  /** [count], ascending. */
  indices: Tensor<'uint32'>
  /** Which target took each: [count]. */
  target: Tensor<'uint8'>
}

/** The log importance weight and the number of tokens of each text. */
export interface Weighted {
  /** [n], or [n, targets]. */
  logWeights: Tensor<'float64'>
  /** [n] */
  tokens: Tensor<'uint32'>
}

const RESAMPLE = ['seed', 'method', 'minTokens', 'proportions'] as const

/** Checks the options of a draw and fills in their defaults. */
export function resampleOptions(o: ResampleOptions): { seed: bigint; gumbel: boolean; minTokens: number } {
  return {
    seed: parseSeed(o.seed),
    gumbel: checkOneOf('method', o.method ?? 'gumbel', ['gumbel', 'topK']) === 'gumbel',
    minTokens: checkCount('minTokens', o.minTokens ?? 100),
  }
}

/** The n-grams after which the raw side of the fit stops in each of `files` files. */
export function fitLimit(
  fit: ImportanceOptions['fitNgrams'],
  buckets: number,
  files: number,
): number | undefined {
  if (fit === undefined || fit === 'all') return undefined
  if (typeof fit === 'string') checkOneOf('fitNgrams', fit, ['all', 'auto'])
  const total = fit === 'auto' ? 100_000 * buckets : checkNumber('fitNgrams', fit, { above: 0 })
  return Math.floor(total / files)
}

/**
 * The log importance ratio of every bucket: `ln(p_target + 1e-8) - ln(p_raw + 1e-8)`. O(targets * buckets).
 * @param target - counts, [buckets] or [targets, buckets]
 * @param raw - counts, [buckets]
 * @param options - `smoothing` (>= 0, default 0): added to every bucket of the target
 * @returns the shape of `target`
 * @throws TamisError `shape` (another number of buckets), `target has no n-grams`, `raw has no n-grams`, `smoothing`
 * @example
 * import { corpus, kernels } from 'tamis'
 * const target = await kernels.countNgrams(['what the corpus should be like'])
 * const raw = await kernels.countNgrams(['what there is', 'and more of it'])
 * const logRatio = corpus.ngramLogRatio(target, raw)
 */
export function ngramLogRatio(
  target: Tensor,
  raw: Tensor,
  options?: { smoothing?: number },
): Tensor<'float64'> {
  const o = checkOptions('options', options, ['smoothing'])
  const smoothing = checkNumber('smoothing', o.smoothing ?? 0, { min: 0 })
  const rawCounts = checkTensor('raw', raw, { ranks: [1] })
  const counts = checkTensor('target', target, { ranks: [1, 2] })
  checkBuckets('target', counts, rawCounts)
  return now({
    call: () => native.logRatio(asFloat64(counts), asFloat64(rawCounts), smoothing),
    finish: (data) => ({ type: 'float64', dims: counts.dims, data }),
  })
}

function checkBuckets(name: string, counts: Tensor, raw: Tensor): void {
  const [got, want] = [counts.dims.at(-1), raw.dims[0]]
  if (want === 0) throw new TamisError('ERR_TAMIS_SHAPE', 'shape: raw has no n-grams, it has 0 buckets')
  if (counts.data.length === 0) throw new TamisError('ERR_TAMIS_SHAPE', `shape: ${name} has no n-grams`)
  if (got !== want)
    throw new TamisError('ERR_TAMIS_SHAPE', `shape: ${name} has ${got} buckets, raw has ${want}`)
}

/**
 * The log importance weight of each text (the sum of its n-grams' log-ratios, not divided by its length) and its
 * number of tokens. O(bytes * targets), in parallel.
 * @param texts - [n]
 * @param logRatio - [buckets], or [targets, buckets]
 * @param options - `ngrams`: as counted, default 2
 * @throws TamisError `texts`, `ngrams must be`, `buckets must be`, `rank`
 * @example
 * import { corpus, kernels } from 'tamis'
 * const texts = ['a rose is a rose', 'stock prices fell']
 * const raw = await kernels.countNgrams(texts)
 * const logRatio = corpus.ngramLogRatio(await kernels.countNgrams(['roses are red']), raw)
 * const { logWeights, tokens } = await corpus.importanceWeights(texts, logRatio)
 */
export async function importanceWeights(
  texts: readonly string[],
  logRatio: Tensor,
  options?: { ngrams?: number } & Cancellable,
): Promise<Weighted> {
  return promised(options, (o) => {
    const { ngrams } = checkOptions('options', o, ['ngrams'])
    const ratio = checkTensor('logRatio', logRatio, { types: FLOAT_TYPES, ranks: [1, 2] })
    return weigh(packTexts('texts', texts), texts.length, ratio, ngrams)
  })
}

function weigh(
  texts: NativeTexts,
  n: number,
  logRatio: Tensor,
  longest: number | undefined,
): Operation<{ scores: Float64Array; tokens: Uint32Array }, Weighted> {
  const { ngrams, buckets } = ngramShape({ ngrams: longest, buckets: logRatio.dims.at(-1) })
  const dims = [n, ...logRatio.dims.slice(0, -1)]
  return {
    call: (job) => native.scoreNgrams(texts, asFloat64(logRatio), ngrams, buckets, job),
    finish: ({ scores, tokens }) => ({
      logWeights: { type: 'float64', dims, data: scores },
      tokens: { type: 'uint32', dims: [n], data: tokens },
    }),
  }
}

/**
 * Draws documents without replacement in proportion to exp(logWeight), target after target from what the earlier
 * ones left. The noise of document i is Gumbel item i of stream t, so that a filter never redraws it. O(n log count)
 * for each target, in parallel.
 * @param logWeights - a float type, [n], or [n, targets] (then `proportions` is needed); -Infinity is never kept
 * @param count - how many to keep
 * @param options - `tokens` (uint32 [n]): documents of fewer than `minTokens` are no candidates
 * @throws TamisError `count must be a positive integer`, `count exceeds the N documents of at least M tokens`,
 * `proportions`, `logWeights must be finite`, `shape`
 * @example
 * import { corpus, tensor } from 'tamis'
 * const logWeights = tensor('float64', [4], [0.5, -2, 3, 1])
 * const { indices } = await corpus.importanceResample(logWeights, 2, { seed: 1 })
 */
export async function importanceResample(
  logWeights: Tensor,
  count: number,
  options?: ResampleOptions & { tokens?: Tensor } & Cancellable,
): Promise<Resampled> {
  return promised(options, (given) => {
    const o = checkOptions('options', given, [...RESAMPLE, 'tokens'])
    checkPositiveInteger('count', count)
    const weights = checkTensor('logWeights', logWeights, { types: FLOAT_TYPES, ranks: [1, 2] })
    const [n = 0, targets] = weights.dims
    // A matrix of weights cannot tell how large its targets are.
    if (targets !== undefined) checkProportions(o.proportions, targets)
    const tokens =
      o.tokens === undefined ? undefined : checkTensor('tokens', o.tokens, { types: ['uint32'], dims: [n] })
    return draw(weights, tokens, count, o)
  })
}

function draw(
  logWeights: Tensor,
  tokens: Tensor<'uint32'> | undefined,
  count: number,
  o: ResampleOptions,
): Operation<{ indices: Uint32Array; columns: Uint8Array; candidates: number }, Resampled> {
  const { seed, gumbel, minTokens } = resampleOptions(o)
  const shares = shareOut(count, logWeights.dims[1] ?? 1, o.proportions)
  const least = tokens ? minTokens : 0
  const noise = gumbel ? seed : undefined
  return {
    call: (job) => native.resample(asFloat64(logWeights), shares, tokens?.data, least, noise, job),
    finish: ({ indices, columns, candidates }) => {
      if (indices.length < count) throw countExceeds(candidates, least, count)
      return {
        indices: { type: 'uint32', dims: [count], data: indices },
        target: { type: 'uint8', dims: [count], data: columns },
      }
    },
  }
}

/**
 * Keeps the `count` documents of `raw` that look most like the target: {@link kernels.countNgrams} of both sides,
 * {@link ngramLogRatio}, {@link importanceWeights}, {@link importanceResample}. The texts are copied out of
 * JavaScript once, before the call returns; for files there is {@link selectFilesByImportance}, with the same result.
 * O(bytes * targets), in parallel.
 * @param raw - [n]
 * @param targets - string[]: one target; string[][]: one selection a target, at most 256
 * @throws TamisError `raw has no n-grams`, `target has no n-grams`, `count exceeds ...`, and what the steps throw
 * @example
 * import { corpus } from 'tamis'
 * const raw = ['a rose is a rose', 'stock prices fell', 'the rose garden', 'prices rose again']
 * const { indices } = await corpus.selectByImportance(raw, ['roses are red'], { count: 2, minTokens: 1 })
 * const kept = Array.from(indices.data, (i) => raw[i])
 */
export async function selectByImportance(
  raw: readonly string[],
  targets: readonly string[] | readonly (readonly string[])[],
  options: ImportanceOptions & Cancellable,
): Promise<Resampled & Weighted & { logRatio: Tensor<'float64'> }> {
  const o = checkOptions('options', options, [...RESAMPLE, ...FIT, 'count', 'signal'])
  const { ngrams, buckets } = ngramShape(o)
  const limit = fitLimit(o.fitNgrams, buckets, 1)
  const several = Array.isArray(targets) && Array.isArray(targets[0])
  const groups = several ? (targets as readonly string[][]) : [targets as readonly string[]]
  shareOut(checkPositiveInteger('count', o.count), groups.length, o.proportions ?? groups.map(() => 1))
  resampleOptions(o)
  checkCounters(buckets, 1 + groups.length)
  const n = raw?.length
  const texts = packTexts('raw', raw)
  const groupTexts = groups.map((group, t) => packTexts(several ? `targets[${t}]` : 'targets', group))

  const countOf = (packed: NativeTexts, most?: number) =>
    later(
      {
        call: (job) => native.countNgrams(packed, ngrams, buckets, most, undefined, job),
        finish: (data: Float64Array): Tensor => ({ type: 'float64', dims: [buckets], data }),
      },
      o.signal,
    )
  const rawCounts = await countOf(texts, limit)
  const targetCounts: Tensor[] = []
  for (const packed of groupTexts) targetCounts.push(await countOf(packed))
  const { target, totals } = stackTargets(targetCounts, several)
  const logRatio = ngramLogRatio(target, rawCounts, { smoothing: o.smoothing })
  const weighted = await later(weigh(texts, n, logRatio, ngrams), o.signal)
  const proportions = o.proportions ?? (several ? totals : undefined)
  const drawn = await later(
    draw(weighted.logWeights, weighted.tokens, o.count, { ...o, proportions }),
    o.signal,
  )
  return { ...drawn, ...weighted, logRatio }
}

const FIT = ['ngrams', 'buckets', 'smoothing', 'fitNgrams'] as const

/** Counts of targets as one tensor, and each one's total: the default proportions. */
export function stackTargets(
  counts: readonly Tensor[],
  several: boolean,
): { target: Tensor; totals: number[] } {
  const rows = counts.map(asFloat64)
  const totals = rows.map((row) => native.sum(row))
  const empty = totals.indexOf(0)
  if (empty >= 0) {
    const which = several ? ` (target ${empty})` : ''
    throw new TamisError('ERR_TAMIS_RANGE', `target has no n-grams${which}`)
  }
  if (!several) return { target: counts[0] as Tensor, totals }
  const width = rows[0]?.length ?? 0
  const data = new Float64Array(rows.length * width)
  for (const [t, row] of rows.entries()) data.set(row, t * width)
  return { target: { type: 'float64', dims: [rows.length, width], data }, totals }
}

/**
 * How much nearer a selection is to the target than the raw corpus: the mean over targets of
 * `KL(p_t || q_raw) - KL(p_t || q_selected)`, natural logarithm, higher is better (the paper's metric of a
 * selection; the pseudo-count is ours, since of a small selection its empty buckets would decide alone). O(targets * buckets).
 * @param target - counts, [buckets] or [targets, buckets]
 * @param raw - counts, [buckets]
 * @param selected - counts, [buckets]
 * @param options - `smoothing` (>= 0, default 1): added to each bucket of raw and selected
 * @throws TamisError `shape`, `target has no n-grams`, `smoothing`, and for smoothing 0 `raw has no n-grams`
 * @example
 * import { corpus, kernels } from 'tamis'
 * const target = kernels.countNgramsSync(['red roses'])
 * const raw = kernels.countNgramsSync(['a red rose', 'a bank'])
 * const kept = kernels.countNgramsSync(['a red rose'])
 * console.log(corpus.klReduction(target, raw, kept) > 0) // true
 */
export function klReduction(
  target: Tensor,
  raw: Tensor,
  selected: Tensor,
  options?: { smoothing?: number },
): number {
  const o = checkOptions('options', options, ['smoothing'])
  const smoothing = checkNumber('smoothing', o.smoothing ?? 1, { min: 0 })
  const counts = checkTensor('target', target, { ranks: [1, 2] })
  const rawCounts = checkTensor('raw', raw, { ranks: [1] })
  const selectedCounts = checkTensor('selected', selected, { ranks: [1] })
  checkBuckets('target', counts, rawCounts)
  checkBuckets('selected', selectedCounts, rawCounts)
  const [all, before, after] = [asFloat64(counts), asFloat64(rawCounts), asFloat64(selectedCounts)]
  if (smoothing === 0 && native.sum(after) === 0) {
    throw new TamisError('ERR_TAMIS_RANGE', 'selected has no n-grams, and smoothing is 0')
  }
  const width = before.length
  const targets = all.length / width
  let sum = 0
  for (let t = 0; t < targets; t++) {
    const row = all.subarray(t * width, (t + 1) * width)
    sum += divergence(row, before, smoothing) - divergence(row, after, smoothing)
  }
  return sum / targets
}

function divergence(p: Float64Array, q: Float64Array, smoothing: number): number {
  return now({ call: () => native.klDivergence(p, q, smoothing), finish: (nats) => nats })
}
