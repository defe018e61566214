/**
 * FLAP (An, Zhao, Yu, Tang, Wang, "Fluctuation-based Adaptive Structured Pruning for Large Language Models", AAAI 2024,
 * arXiv 2312.11983): heads and neurons whose activations hardly fluctuate are dropped, and what they gave on average
 * goes into a bias. No gradient, no training; the model stays dense.
 *
 * Means stay in float32 here, a bias that is there is added to, and the samples of a batch count one by one.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import type { NativeColumnStats } from '../native-channels.js'
import { checkCount, checkMemory, checkOneOf, checkOptions, show } from '../options.js'
import { checkNumbers } from '../rows.js'
import { atOnce } from '../run.js'
import { checkTensor, FLOAT_TYPES, type Tensor } from '../tensor.js'
import { checkLength, checkSquaredNorm, checkWeight } from './matrix.js'
import { partOf } from './state-dict.js'

/** How {@link ActivationStats} estimates fluctuations. */
export interface ActivationStatsOptions {
  /**
   * `authors`, with n samples seen before: 0 after the first, then
   * `fluctuation (n - 1) / n + sum over tokens of (x - mean)^2 / (n + 1)`, which the published results come from;
   * `variance`: the unbiased variance over all tokens, whatever the order, and a mean over tokens. Default `authors`.
   */
  estimator?: 'authors' | 'variance' | undefined
}

/** Statistics of a linear layer's input, by channel. */
export interface ActivationSummary {
  /** How many samples were seen. */
  samples: number
  /** Mean of the samples' means; with the estimator `variance` of all tokens. */
  mean: Float32Array
  /** See {@link ActivationStatsOptions}. */
  fluctuation: Float32Array
  /** Sum of squares over a sample's tokens, averaged over samples. */
  squaredNorm: Float32Array
}

/**
 * Streams statistics of a linear layer's input: O(tokens d) in one pass, in parallel, float64 sums; memory 3 d numbers,
 * and once more while tokens are added.
 * @throws TamisError `dim`, `expected N channels`, `no samples`, `not finite`
 * @example
 * import { tensor, weights } from 'tamis'
 * const stats = new weights.ActivationStats(2, { estimator: 'variance' })
 * stats.add(tensor('float32', [2, 2], [1, 5, 3, 5])) // a sample of two tokens
 * const { mean, fluctuation } = stats.result()
 * console.log(mean, fluctuation) // Float32Array(2) [ 2, 5 ] Float32Array(2) [ 2, 0 ]
 */
export class ActivationStats {
  readonly #dim: number
  readonly #stats: NativeColumnStats

  /** @param dim - channels, 1..2^32-1 */
  constructor(dim: number, options?: ActivationStatsOptions) {
    this.#dim = checkCount('dim', dim, 1)
    checkMemory('dim', 48 * this.#dim)
    const o = checkOptions('options', options, ['estimator'])
    const estimator = checkOneOf('estimator', o.estimator ?? 'authors', ['authors', 'variance'])
    this.#stats = atOnce(() => new native.ColumnStats(this.#dim, estimator === 'variance'))
  }

  /**
   * Adds a sample, or a batch of them in order. One without tokens is none; one that is not finite is refused whole.
   * @param x - a float type, [T, dim] or [B, T, dim]
   */
  add(x: Tensor): void {
    const sample = checkTensor('x', x, { types: FLOAT_TYPES, ranks: [2, 3] })
    const [tokens, channels] = sample.dims.slice(-2) as [number, number]
    if (channels !== this.#dim) {
      const got = `got dims [${sample.dims.join(', ')}]`
      throw new TamisError('ERR_TAMIS_SHAPE', `x: expected ${this.#dim} channels, ${got}`)
    }
    atOnce(() => this.#stats.add('x', partOf(sample), tokens))
  }

  /** The statistics of all that was added; more can be added after. */
  result(): ActivationSummary {
    const { matrices, mean, squares, spread } = atOnce(() => this.#stats.result())
    if (matrices === 0) {
      throw new TamisError('ERR_TAMIS_RANGE', 'no samples: add must be called before result')
    }
    return {
      samples: matrices,
      mean: Float32Array.from(mean),
      fluctuation: Float32Array.from(spread),
      squaredNorm: Float32Array.from(squares),
    }
  }
}

/**
 * What a channel is worth: `wifv` `fluctuation_j sum_i W_ij^2`, `ifv` `fluctuation_j`, `wifn`
 * `mean_i |W_ij| sqrt(squaredNorm_j)` (structured Wanda), `magnitude` `sqrt(sum_i W_ij^2)`.
 */
export type ChannelMetric = 'wifv' | 'ifv' | 'wifn' | 'magnitude'

/**
 * One score an input channel, larger for more worth keeping: float32 [in]. O(out in), in parallel, float64 sums.
 * @param weight - of the linear layer, a float type, [out, in], finite
 * @param stats - of its input, each [in]; may be null for `magnitude`
 * @param options - `metric`: default `wifv`
 * @throws TamisError `weight must be 2-d`, `stats`, `fluctuation`, `squaredNorm` (another length, negative, not finite),
 * `metric`, `not finite`
 * @example
 * import { tensor, weights } from 'tamis'
 * const weight = tensor('float32', [2, 2], [3, 1, 4, 2])
 * console.log(weights.scoreChannels(weight, null, { metric: 'magnitude' })) // Float32Array(2) [ 5, 2.2360680103302 ]
 */
export function scoreChannels(
  weight: Tensor,
  stats: ActivationSummary | null,
  options?: { metric?: ChannelMetric | undefined },
): Float32Array {
  const { tensor, out, columns } = checkWeight('weight', weight)
  const o = checkOptions('options', options, ['metric'])
  const metric = checkOneOf('metric', o.metric ?? 'wifv', ['wifv', 'ifv', 'wifn', 'magnitude'])
  const sums = (squared: boolean) =>
    atOnce(() => native.columnSums('weight', partOf(tensor), columns, squared))
  if (metric === 'magnitude') return Float32Array.from(sums(true), Math.sqrt)
  if (typeof stats !== 'object' || stats === null) {
    throw new TamisError(
      'ERR_TAMIS_TYPE',
      `stats must be those of an ActivationStats for '${metric}', got ${show(stats)}`,
    )
  }
  if (metric === 'wifn') {
    const norms = checkSquaredNorm(stats.squaredNorm, columns).map(Math.sqrt)
    return Float32Array.from(sums(false), (sum, j) => (sum / Math.max(1, out)) * (norms[j] as number))
  }
  const fluctuation = checkLength('fluctuation', checkNumbers('fluctuation', stats.fluctuation), columns)
  const place = fluctuation.findIndex((x) => !Number.isFinite(x))
  if (place >= 0) {
    throw new TamisError(
      'ERR_TAMIS_RANGE',
      `fluctuation is not finite: it holds ${fluctuation[place]} for channel ${place}`,
    )
  }
  const squares = sums(true)
  if (metric === 'ifv') return Float32Array.from(fluctuation)
  return Float32Array.from(squares, (sum, j) => sum * (fluctuation[j] as number))
}
