/**
 * HESSO-CRIC, the corrective form of {@link Hesso}: before groups fall, trial steps look for those whose fall would hurt.
 *
 * First a quarter, a half and three quarters of each set's groups are zeroed for a step, to see what becomes of the loss.
 * Then in cycles the groups of the lowest scores are zeroed and let back, until no more of them turn out to be low only
 * because others stood. What has the lowest mean score over all trials, corrected by the losses, falls in the end, while
 * training goes on. As in the authors' code parameters outside the sets stand still in the trials.
 * @module
 */
import { TamisError } from '../errors.js'
import type { NativeDescent } from '../native-groups.js'
import { checkCount, checkNumber, checkOptions, checkPositiveInteger, show } from '../options.js'
import { atOnce } from '../run.js'
import type { Tensor } from '../tensor.js'
import {
  alikeData,
  bySet,
  checkGroups,
  checkParams,
  checkRate,
  DESCENT_KEYS,
  descentOf,
  type HessoOptions,
  joined,
  largerThan,
  listed,
  lowest,
  type Pruned,
  type PruneGroups,
  paramsOf,
  targetOf,
} from './hesso-groups.js'

/** How long trials last, and when the groups that they find fall. */
export interface HessoCricOptions extends Omit<HessoOptions, 'groupDivisible'> {
  /** The step at which trials start. Default 0, which is the first step, as 1 is. */
  startStep?: number | undefined
  /** Cycles at most. Default 10. */
  maxCycles?: number | undefined
  /** Cycles end when at most so many groups are in doubt. Default 0. */
  tolerance?: number | undefined
  /** Steps of a cycle. */
  samplingSteps: number
  /** Steps in which the groups that were found fade. */
  hybridSteps: number
}

/** Where a step of {@link HessoCric} leads. */
export interface HessoCricStep {
  /** The parameters after the step: copies, of the caller. */
  params: Tensor<'float32'>[]
  /** Of each set the groups that were found to fall, ascending; none before the trials end. */
  redundant: Tensor<'uint32'>[]
}

/** Trials of a set: at each of these shares one step with the groups zeroed, and one to see the loss. */
const SHARES = [0.25, 0.5, 0.75] as const
const TRIALS = 2 * SHARES.length

/**
 * An optimiser that tries before it prunes. It holds what {@link Hesso} does, and in the trials a copy of the parameters; a
 * step is O(weights), a trial step one more pass.
 * @example
 * import { tensor, training } from 'tamis'
 * const groups = [{ count: 2, members: [{ param: 0, axis: 0 as const }] }]
 * const weight = tensor('float32', [2, 2], [1, 1, 0.1, 0])
 * const options = { learningRate: 0.1, startStep: 1, maxCycles: 1, samplingSteps: 1, hybridSteps: 2 }
 * const cric = new training.HessoCric([weight], groups, options)
 * const gradient = tensor('float32', [2, 2], [1, 0, 0, 1])
 * let step = cric.step([gradient], { loss: 1 })
 * for (let i = 0; i < 6; i++) step = cric.step([gradient], { loss: 1 })
 * console.log(step.redundant[0]?.data) // Uint32Array(1) [ 1 ]
 */
export class HessoCric {
  readonly #descent: NativeDescent
  readonly #dims: (readonly number[])[]
  readonly #sets: number
  readonly #pruned: Pruned
  readonly #rate: number
  readonly #target: number
  readonly #start: number
  readonly #cycles: number
  readonly #tolerance: number
  readonly #sampling: number
  readonly #hybrid: number
  readonly #all: number[]
  /** The parameters of the sets. */
  readonly #owned: number[]
  #step = 0
  #loss = Number.NaN
  /** Sums of the scores of all trials, and how many those are. */
  #scores: Float64Array
  #collected = 0
  /** Of each set the sum and the number of its losses over that at the start. */
  readonly #ratios: { sum: number; count: number }[]
  #cycle = 0
  #violating = new Set<number>()
  readonly #historical = new Set<number>()
  #trial = new Set<number>()
  #redundant: Uint32Array[] | undefined
  #ended = 0

  /**
   * @param params - float32, of any dims; copied
   * @param groups - sets of groups; an axis of a parameter belongs to one of them at most, sets of one group are only trained
   * @throws TamisError `group count must match the axis`, `axis out of range`,
   * `each axis of a parameter belongs to one group set`, `target group sparsity must be in [0, 1]`, and an option by its name
   */
  constructor(params: readonly Tensor[], groups: readonly PruneGroups[], options: HessoCricOptions) {
    const weights = checkParams(params)
    const sets = checkGroups(weights, groups)
    const keys = [
      ...DESCENT_KEYS,
      'startStep',
      'maxCycles',
      'tolerance',
      'samplingSteps',
      'hybridSteps',
    ] as const
    const o = checkOptions('options', options, keys)
    this.#rate = checkRate(o.learningRate)
    this.#pruned = largerThan(sets, 1)
    const { counts, members } = this.#pruned.sets
    const n = counts.reduce((sum, count) => sum + count, 0)
    this.#target = targetOf(n, o.targetGroupSparsity)
    this.#start = Math.max(1, checkCount('startStep', o.startStep ?? 0))
    this.#cycles = checkPositiveInteger('maxCycles', o.maxCycles ?? 10)
    this.#tolerance = checkNumber('tolerance', o.tolerance ?? 0, { min: 0 })
    this.#sampling = checkPositiveInteger('samplingSteps', o.samplingSteps)
    this.#hybrid = checkPositiveInteger('hybridSteps', o.hybridSteps)
    this.#descent = descentOf(weights, this.#pruned.sets, o)
    this.#dims = weights.map(({ dims }) => dims)
    this.#all = weights.map((_, i) => i)
    this.#owned = this.#all.filter((param) => members.some(({ tensor }) => tensor === param))
    this.#sets = sets.counts.length
    this.#scores = new Float64Array(n)
    this.#ratios = counts.map(() => ({ sum: 0, count: 0 }))
  }

  /**
   * A step of the descent, or a trial.
   * @param grads - float32, of the dims of the parameters: the loss's gradient where they are
   * @param options - `loss` where the parameters are, finite from `startStep` on; `learningRate` of this step
   * @throws TamisError `grads must match params`, `gradients must be finite`, `loss must be finite`; nothing has changed then
   */
  step(
    grads: readonly Tensor[],
    options: { loss: number; learningRate?: number | undefined },
  ): HessoCricStep {
    const o = checkOptions('options', options, ['loss', 'learningRate'])
    const rate = o.learningRate === undefined ? this.#rate : checkRate(o.learningRate)
    const gradients = alikeData(
      'grads',
      grads,
      this.#dims.map((dims) => ({ dims })),
    )
    const n = this.#step + 1
    if (n >= this.#start && !(typeof o.loss === 'number' && Number.isFinite(o.loss))) {
      throw new TamisError('ERR_TAMIS_RANGE', `loss must be finite, got ${show(o.loss)}`)
    }
    return atOnce(() => {
      this.#descent.direct(gradients)
      this.#step = n
      const sampling = this.#start + TRIALS * this.#pruned.sets.counts.length
      if (n < this.#start) this.#descent.update(this.#all, rate)
      else if (this.#redundant) this.#prune(n, rate)
      else if (n < sampling) this.#project(n - this.#start, o.loss)
      else this.#sample(n - sampling, rate)
      const none = this.#pruned.sets.counts.map(() => new Uint32Array(0))
      return {
        params: paramsOf(this.#descent, this.#dims),
        redundant: listed(this.#redundant?.map((own) => own.slice()) ?? none, this.#pruned, this.#sets),
      }
    })
  }

  #collect(): Float64Array {
    const scores = joined(this.#descent.saliency())
    for (const [i, score] of scores.entries()) this.#scores[i] = (this.#scores[i] as number) + score
    this.#collected++
    return scores
  }

  /** Zeroes a share of a set's groups, or sees what that did to the loss. */
  #project(m: number, loss: number): void {
    if (m === 0) this.#remember(loss)
    const scores = this.#collect()
    const { counts } = this.#pruned.sets
    const set = Math.floor(m / TRIALS)
    if (m % 2 === 1) {
      const ratio = this.#ratios[set] as { sum: number; count: number }
      ratio.sum += loss / this.#loss
      ratio.count++
      this.#descent.restore()
      return
    }
    const first = counts.slice(0, set).reduce((sum, n) => sum + n, 0)
    const count = counts[set] as number
    const share = SHARES[Math.floor(m / 2) % SHARES.length] as number
    const own = lowest(scores.slice(first, first + count), Math.max(1, Math.floor(count * share)))
    this.#descent.scale(set, own, 0)
  }

  #remember(loss: number): void {
    this.#loss = loss
    this.#descent.save()
  }

  /** A step of a cycle, m steps after the first cycle began. */
  #sample(m: number, rate: number): void {
    // Without sets there is nothing to project, so that cycles are the first to see the weights.
    if (m === 0 && this.#pruned.sets.counts.length === 0) this.#descent.save()
    const low = lowest(this.#collect(), this.#target)
    if (m % this.#sampling === 0) {
      this.#cycle++
      this.#violating =
        this.#cycle === 1
          ? new Set(low)
          : new Set([...this.#trial].filter((group) => !this.#historical.has(group)))
      for (const group of this.#violating) this.#historical.add(group)
      this.#descent.restore()
    }
    for (const group of low) this.#trial.add(group)
    for (const group of this.#historical) this.#trial.delete(group)
    this.#descent.update(this.#owned, rate)
    const t = (m - 1 + this.#sampling) % this.#sampling
    const falling = bySet(this.#violating, this.#pruned.sets.counts)
    this.#scale(falling, (this.#sampling - t - 1) / (this.#sampling - t))
    if (this.#cycle >= this.#cycles || this.#violating.size <= this.#tolerance) this.#settle()
  }

  /** Ends the trials. */
  #settle(): void {
    const { counts } = this.#pruned.sets
    const means = this.#scores.map((sum) => sum / this.#collected)
    let first = 0
    for (const [set, count] of counts.entries()) {
      const ratio = this.#ratios[set] as { sum: number; count: number }
      const more = ratio.sum / ratio.count / count
      for (let i = first; i < first + count; i++) means[i] = (means[i] as number) + more
      first += count
    }
    this.#redundant = bySet(lowest(means, this.#target), counts)
    this.#descent.restore()
    this.#descent.forget()
    this.#ended = this.#step
  }

  /** A step while the groups that were found fade, or are held at 0. */
  #prune(n: number, rate: number): void {
    this.#descent.update(this.#all, rate)
    const t = n - this.#ended - 1
    const factor = t < this.#hybrid ? (this.#hybrid - t - 1) / (this.#hybrid - t) : 0
    this.#scale(this.#redundant ?? [], factor)
  }

  #scale(lists: readonly Uint32Array[], factor: number): void {
    for (const [set, own] of lists.entries()) {
      if (own.length > 0) this.#descent.scale(set, own, factor)
    }
  }
}
