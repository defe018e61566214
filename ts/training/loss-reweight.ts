/**
 * Dynamic loss-based sample reweighting (Sow, Woisetschläger, Bulusu, Wang, Jacobsen, Liang, "Dynamic Loss-Based
 * Sample Reweighting for Improved Large Language Model Pretraining", ICLR 2025, arXiv 2502.06733): at each step the
 * losses of the batch weigh its samples, so that those of low loss count less and outliers do not run away.
 *
 * The weights are of the whole batch: with several devices gather all losses, weigh once, and give each its slice.
 * Here losses are normalised by one quotient in float64, `uniform` is uniform, and the step is weighed by the counts of
 * active tokens, as the authors' trainer does.
 * @module
 */
import { TamisError } from '../errors.js'
import { checkCount, checkOptions, show } from '../options.js'
import { checkTensor, type Tensor } from '../tensor.js'

/**
 * How a loss's place h in [-delta, delta] between the batch's lowest and highest becomes a score: `linUpper`
 * `min(h + delta, delta)`, `quadratic` `1 - h^2 / delta^2`, `extremes` `|h|`, `upper` `(h + delta) / 2`; `uniform`
 * weighs all alike.
 */
export type ReweightStrategy = 'linUpper' | 'quadratic' | 'extremes' | 'upper' | 'uniform'

/** How the losses of a batch become weights. */
export interface ReweightOptions {
  /** Default `linUpper`: low losses are pushed down, and from the middle of the range on all weigh the same. */
  strategy?: ReweightStrategy | undefined
  /** Of the softmax over the scores, > 0: the larger, the more uniform; `Infinity` is. Default 0.4. */
  temperature?: number | undefined
  /** Half the range to which losses are normalised, > 0. Default 1. */
  delta?: number | undefined
  /** The current step, an integer from 0 on: before `burnIn` the weights are uniform. Default: burnt in. */
  step?: number | undefined
  /** Steps of uniform weights, if `step` is given. Default 1000. */
  burnIn?: number | undefined
}

/** {@link ReweightOptions}, and how many tokens each loss is the mean of. */
export interface ReweightLossOptions extends ReweightOptions {
  /** Active tokens of each sample: uint32 [n], not all 0. Default: all the same. */
  tokenCounts?: Tensor | undefined
}

/** A batch's loss with its samples weighed. */
export interface ReweightedLoss {
  /** n times the sum of weight, share of the tokens and loss. */
  loss: number
  /** The loss's derivative by each sample's mean loss, the weights held constant: float32 [n]. */
  grad: Tensor<'float32'>
  /** As of {@link weighSamples}: float32 [n]. */
  weights: Tensor<'float32'>
}

const KEYS = ['strategy', 'temperature', 'delta', 'step', 'burnIn'] as const
/** Losses of a smaller range count as equal. */
const LEAST_SPAN = 1e-6
/** Twice a larger loss, and the difference of two, may be no float64 any more. */
const LARGE = 2 ** 1020

/** The score of a place h between -d and d. */
const SCORES: Readonly<Record<ReweightStrategy, (h: number, d: number) => number>> = {
  linUpper: (h, d) => Math.min(h + d, d),
  quadratic: (h, d) => 1 - (h / d) ** 2,
  extremes: (h) => Math.abs(h),
  upper: (h, d) => 0.5 * h + 0.5 * d,
  uniform: () => 0,
}

/**
 * The weights of the samples of one batch: float32 [n], summing to 1. Equal losses weigh the same. O(n), in float64;
 * synchronous, since it works inside a step of the optimiser.
 * @param losses - the mean loss of each sample, float32 or float64 [n], n >= 1
 * @throws TamisError `losses must be a non-empty vector`, `losses must be finite`, `temperature must be positive`,
 * `delta must be positive`, `unknown strategy`, `step`, `burnIn`
 * @example
 * import { tensor, training } from 'tamis'
 * const losses = tensor('float32', [3], [1, 2, 3])
 * const { weights } = training.weighSamples(losses)
 * console.log(Array.from(weights.data, (w) => w.toFixed(3)).join(' ')) // 0.039 0.480 0.480
 */
export function weighSamples(losses: Tensor, options?: ReweightOptions): { weights: Tensor<'float32'> } {
  const l = checkLosses(losses)
  return { weights: vector(weigh(l, checkOptions('options', options, KEYS))) }
}

/**
 * The loss of a step whose samples are weighed by {@link weighSamples}, and its gradient: multiply the gradient of each
 * sample's mean loss by its item of `grad`. Before the burn-in is over it is the mean over all tokens. O(n), in float64.
 * @param losses - the mean loss of each sample, float32 or float64 [n], n >= 1
 * @throws TamisError as {@link weighSamples}; `tokencounts must have one count per loss`, `tokencounts must not all be zero`
 * @example
 * import { tensor, training } from 'tamis'
 * const losses = tensor('float32', [2], [2, 4])
 * const tokenCounts = tensor('uint32', [2], [30, 10])
 * const { loss, grad } = training.reweightLoss(losses, { tokenCounts, step: 10 })
 * console.log(loss, grad.data) // 2.5 Float32Array(2) [ 0.75, 0.25 ]
 */
export function reweightLoss(losses: Tensor, options?: ReweightLossOptions): ReweightedLoss {
  const l = checkLosses(losses)
  const { tokenCounts, ...o } = checkOptions('options', options, [...KEYS, 'tokenCounts'])
  const share = shares(tokenCounts, l.length)
  const weights = weigh(l, o)
  const grad = weights.map((w, i) => l.length * w * (share[i] as number))
  const loss = grad.reduce((sum, g, i) => sum + g * (l[i] as number), 0)
  return { loss, grad: vector(grad), weights: vector(weights) }
}

function weigh(l: Float64Array, o: ReweightOptions): Float64Array {
  const { strategy = 'linUpper', temperature = 0.4, delta = 1, step, burnIn } = o
  if (!Object.hasOwn(SCORES, strategy)) {
    const known = Object.keys(SCORES).join(', ')
    throw new TamisError(
      'ERR_TAMIS_RANGE',
      `unknown strategy: strategy must be one of ${known}, got ${show(strategy)}`,
    )
  }
  checkPositive('temperature', temperature)
  checkPositive('delta', delta, Number.MAX_VALUE)
  const steps = checkCount('burnIn', burnIn ?? 1000)
  const burning = step !== undefined && checkCount('step', step) < steps
  if (strategy === 'uniform' || burning) return new Float64Array(l.length).fill(1 / l.length)

  let [low, high] = [Infinity, -Infinity]
  for (const x of l) [low, high] = [Math.min(low, x), Math.max(high, x)]
  // A power of two, by which nothing is rounded.
  const unit = Math.max(-low, high) > LARGE ? 2 ** -4 : 1
  ;[low, high] = [low * unit, high * unit]
  const span = Math.max(high - low, LEAST_SPAN)
  const score = SCORES[strategy]
  // The difference is made before it is divided: it is exactly 0 where all losses are the same.
  const scores = l.map((x) => score(delta * ((2 * (x * unit) - low - high) / span), delta))
  const most = scores.reduce((a, b) => Math.max(a, b), -Infinity)
  const weights = scores.map((f) => Math.exp((f - most) / temperature))
  const total = weights.reduce((sum, w) => sum + w, 0)
  return weights.map((w) => w / total)
}

function checkLosses(losses: Tensor): Float64Array {
  const { dims, data } = checkTensor('losses', losses, { types: ['float32', 'float64'] })
  if (dims.length !== 1 || data.length === 0) {
    const got = `got dims [${dims.join(', ')}]`
    throw new TamisError('ERR_TAMIS_SHAPE', `losses must be a non-empty vector, ${got}`)
  }
  const place = data.findIndex((x) => !Number.isFinite(x))
  if (place >= 0) {
    throw new TamisError('ERR_TAMIS_RANGE', `losses must be finite, got ${data[place]} at item ${place}`)
  }
  return Float64Array.from(data)
}

function checkPositive(name: string, value: unknown, most = Infinity): void {
  if (typeof value === 'number' && value > 0 && value <= most) return
  throw new TamisError('ERR_TAMIS_RANGE', `${name} must be positive, got ${show(value)}`)
}

/** The part of all tokens that each sample has. */
function shares(tokenCounts: Tensor | undefined, n: number): Float64Array {
  if (tokenCounts === undefined) return new Float64Array(n).fill(1 / n)
  const { dims, data } = checkTensor('tokenCounts', tokenCounts, { types: ['uint32'] })
  if (dims.length !== 1 || data.length !== n) {
    const got = `got dims [${dims.join(', ')}] for ${n}`
    throw new TamisError('ERR_TAMIS_SHAPE', `tokencounts must have one count per loss, ${got}`)
  }
  const total = data.reduce((sum, count) => sum + count, 0)
  if (total === 0) throw new TamisError('ERR_TAMIS_RANGE', 'tokencounts must not all be zero')
  return Float64Array.from(data, (count) => count / total)
}

function vector(data: Float64Array): Tensor<'float32'> {
  return { type: 'float32', dims: [data.length], data: Float32Array.from(data) }
}
