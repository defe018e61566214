/**
 * The cubic schedule of a sparsity that grows while a model is trained (Zhu, Gupta, "To Prune, or Not to Prune", 2017,
 * arXiv 1710.01878), with a warm-up before it and one after, as parameter-efficient sparsity has it.
 * @module
 */
import { TamisError } from '../errors.js'
import { checkCount, checkNumber, checkOptions, checkPositiveInteger, show } from '../options.js'
import { checkTensor, type Tensor } from '../tensor.js'

/** When a sparsity grows, and from where to where. */
export interface CubicSparsityOptions {
  /** Of the training, >= 1. */
  totalSteps: number
  /** In [0, 1]. Default 0.9. */
  finalSparsity?: number | undefined
  /** In [0, 1]. Default 0. */
  initialSparsity?: number | undefined
  /** The share of the steps at the initial sparsity, in [0, 1). Default 0.1. */
  initialWarmup?: number | undefined
  /** The share of the steps at the final sparsity, in [0, 1). Default 0.3. */
  finalWarmup?: number | undefined
}

/**
 * The sparsity at a step t of T: the initial one until `initialWarmup * T`, the final one after `T - finalWarmup * T`, and
 * between them `final + (initial - final) * (1 - progress)^3`.
 * @param step - an integer from 0 on, or uint32 [n]
 * @returns a number; of a tensor float64 [n]
 * @throws TamisError `warm-ups must sum to less than 1`, `totalSteps`, `finalSparsity`, `initialSparsity`, `step`
 * @example
 * import { training } from 'tamis'
 * const schedule = { totalSteps: 1000 }
 * console.log(training.cubicSparsity(100, schedule), training.cubicSparsity(400, schedule)) // 0 0.7875
 */
export function cubicSparsity(step: number, options: CubicSparsityOptions): number
export function cubicSparsity(step: Tensor, options: CubicSparsityOptions): Tensor<'float64'>
export function cubicSparsity(
  step: number | Tensor,
  options: CubicSparsityOptions,
): number | Tensor<'float64'> {
  const o = checkOptions('options', options, [
    'totalSteps',
    'finalSparsity',
    'initialSparsity',
    'initialWarmup',
    'finalWarmup',
  ])
  const total = checkPositiveInteger('totalSteps', o.totalSteps)
  const last = checkNumber('finalSparsity', o.finalSparsity ?? 0.9, { min: 0, max: 1 })
  const first = checkNumber('initialSparsity', o.initialSparsity ?? 0, { min: 0, max: 1 })
  const before = checkNumber('initialWarmup', o.initialWarmup ?? 0.1, { min: 0 })
  const after = checkNumber('finalWarmup', o.finalWarmup ?? 0.3, { min: 0 })
  if (before + after >= 1) {
    const got = `got ${show(before)} and ${show(after)}`
    throw new TamisError('ERR_TAMIS_RANGE', `warm-ups must sum to less than 1, ${got}`)
  }
  const at = (t: number): number => {
    if (t <= before * total) return first
    if (t > total - after * total) return last
    const progress = (t - before * total) / (total - (before + after) * total)
    return last + (first - last) * (1 - progress) ** 3
  }
  if (typeof step === 'number') return at(checkCount('step', step))
  const { dims, data } = checkTensor('step', step, { types: ['uint32'], ranks: [1] })
  return { type: 'float64', dims, data: Float64Array.from(data, at) }
}
