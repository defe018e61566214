/**
 * HESSO (Chen and others, "HESSO: Towards Automatic Efficient and User Friendly Any Neural Network Training and Pruning",
 * 2024, arXiv 2409.09085): train a network and cut a smaller dense one out of it in one go. Groups of weights that several
 * measures of saliency agree on stay; the others fade linearly to zero while training goes on, and are never revived.
 *
 * Here a period takes the groups of the lowest scores that are left, where the authors' code may take others if a group
 * that has fallen already is not among the lowest; Adam is the standard one; and the caller names the groups.
 * @module
 */
import { TamisError } from '../errors.js'
import type { NativeDescent } from '../native-groups.js'
import { checkCount, checkOptions, checkPositiveInteger } from '../options.js'
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

/** When groups fall. */
export interface HessoSchedule extends HessoOptions {
  /** The step from which on groups fall. Default 0. */
  startPruningStep?: number | undefined
  /** Steps in which they do, at least one per period. */
  pruningSteps: number
  /** How many times groups are chosen. Default 1. */
  pruningPeriods?: number | undefined
}

/** Where a step of {@link Hesso} leads. */
export interface HessoStep {
  /** The parameters after the step: copies, of the caller. */
  params: Tensor<'float32'>[]
  /** Of each set the groups that fade, ascending. */
  shrinking: Tensor<'uint32'>[]
  /** Of each set the groups that are 0 and stay so, ascending. */
  pruned: Tensor<'uint32'>[]
}

/**
 * An optimiser that prunes. It holds the parameters, a direction of each and, for Adam, two moments; a step is O(weights),
 * in parallel, and the start of a period one more pass.
 * @example
 * import { tensor, training } from 'tamis'
 * const groups = [{ count: 2, members: [{ param: 0, axis: 0 as const }] }]
 * const weight = tensor('float32', [2, 2], [1, 1, 0.1, 0])
 * const options = { learningRate: 0.1, targetGroupSparsity: 0.5, pruningSteps: 4 }
 * const hesso = new training.Hesso([weight], groups, options)
 * const { params, shrinking } = hesso.step([tensor('float32', [2, 2], [1, 0, 0, 1])])
 * console.log(shrinking[0]?.data, params[0]?.dims) // Uint32Array(1) [ 1 ] [ 2, 2 ]
 */
export class Hesso {
  readonly #descent: NativeDescent
  readonly #dims: (readonly number[])[]
  readonly #all: number[]
  readonly #sets: number
  readonly #pruned: Pruned
  readonly #rate: number
  readonly #divisible: number
  readonly #start: number
  /** Steps of a period. */
  readonly #span: number
  /** Groups of each period that is to come. */
  readonly #shares: number[]
  #step = 0
  #shrinking = new Set<number>()
  #gone = new Set<number>()

  /**
   * @param params - float32, of any dims; copied
   * @param groups - sets of groups; an axis of a parameter belongs to one of them at most
   * @throws TamisError `group count must match the axis`, `axis out of range`,
   * `each axis of a parameter belongs to one group set`, `target group sparsity must be in [0, 1]`,
   * `pruning steps must be at least one per period`, and an option by its name
   */
  constructor(params: readonly Tensor[], groups: readonly PruneGroups[], options: HessoSchedule) {
    const weights = checkParams(params)
    const sets = checkGroups(weights, groups)
    const keys = [
      ...DESCENT_KEYS,
      'groupDivisible',
      'startPruningStep',
      'pruningSteps',
      'pruningPeriods',
    ] as const
    const o = checkOptions('options', options, keys)
    this.#rate = checkRate(o.learningRate)
    this.#divisible = checkPositiveInteger('groupDivisible', o.groupDivisible ?? 1)
    this.#pruned = largerThan(sets, this.#divisible)
    const { counts } = this.#pruned.sets
    const target = targetOf(
      counts.reduce((sum, n) => sum + n, 0),
      o.targetGroupSparsity,
    )
    this.#start = checkCount('startPruningStep', o.startPruningStep ?? 0)
    const periods = checkPositiveInteger('pruningPeriods', o.pruningPeriods ?? 1)
    const steps = checkPositiveInteger('pruningSteps', o.pruningSteps)
    if (steps < periods) {
      const got = `got ${steps} for ${periods}`
      throw new TamisError('ERR_TAMIS_RANGE', `pruning steps must be at least one per period, ${got}`)
    }
    this.#span = Math.floor(steps / periods)
    const share = Math.floor(target / periods)
    this.#shares = Array.from({ length: periods }, (_, i) =>
      i === periods - 1 ? target - share * (periods - 1) : share,
    )
    this.#descent = descentOf(weights, this.#pruned.sets, o)
    this.#dims = weights.map(({ dims }) => dims)
    this.#all = weights.map((_, i) => i)
    this.#sets = sets.counts.length
  }

  /**
   * A step of the descent, and of what falls.
   * @param grads - float32, of the dims of the parameters: the loss's gradient where they are
   * @param options - `learningRate` of this step
   * @throws TamisError `grads must match params`, `gradients must be finite`; nothing has changed then
   */
  step(grads: readonly Tensor[], options?: { learningRate?: number | undefined }): HessoStep {
    const o = checkOptions('options', options, ['learningRate'])
    const rate = o.learningRate === undefined ? this.#rate : checkRate(o.learningRate)
    const gradients = alikeData(
      'grads',
      grads,
      this.#dims.map((dims) => ({ dims })),
    )
    return atOnce(() => {
      this.#descent.direct(gradients)
      this.#step++
      const since = this.#step - this.#start
      const span = this.#span
      if (since >= 0 && this.#shares.length > 0 && (since - 1 + span) % span === 0) this.#choose()
      const t = ((since % span) + span) % span
      this.#descent.update(this.#all, rate)
      this.#scale(this.#shrinking, (span - t - 1) / (span - t))
      this.#scale(this.#gone, 0)
      if (since >= 0 && t === span - 1) {
        for (const group of this.#shrinking) this.#gone.add(group)
        this.#shrinking = new Set()
      }
      const lists = (groups: Iterable<number>) =>
        listed(bySet(groups, this.#pruned.sets.counts), this.#pruned, this.#sets)
      return {
        params: paramsOf(this.#descent, this.#dims),
        shrinking: lists(this.#shrinking),
        pruned: lists(this.#gone),
      }
    })
  }

  /** Begins a period: the groups of the lowest scores begin to fade. */
  #choose(): void {
    const share = this.#shares.shift() as number
    const { counts } = this.#pruned.sets
    const chosen = lowest(joined(this.#descent.saliency()), share, this.#gone)
    const gone = bySet(this.#gone, counts)
    let first = 0
    for (const [set, own] of bySet(chosen, counts).entries()) {
      const [count, q] = [counts[set] as number, this.#divisible]
      const kept = count - (gone[set] as Uint32Array).length - own.length
      const wanted = Math.min(count, Math.max(q, Math.ceil(kept / q) * q))
      const falling = own.subarray(0, Math.max(0, own.length - (wanted - kept)))
      for (const group of falling) this.#shrinking.add(first + group)
      first += count
    }
  }

  #scale(groups: ReadonlySet<number>, factor: number): void {
    if (groups.size === 0) return
    for (const [set, own] of bySet(groups, this.#pruned.sets.counts).entries()) {
      if (own.length > 0) this.#descent.scale(set, own, factor)
    }
  }
}
