/**
 * Groups of weights that stand and fall together, and what {@link Hesso} and {@link HessoCric} share: the checks of
 * parameters, groups and options, and the saliency of groups.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import type { NativeDescent, NativeMember } from '../native-groups.js'
import { checkInteger, checkNumber, checkOptions, show } from '../options.js'
import { atOnce } from '../run.js'
import { checkTensor, type Tensor, viewBytes } from '../tensor.js'
import { checkKnown, refuse } from '../ternary.js'

/**
 * A set of groups: group j owns index j along an axis of every member. A layer's outputs are the rows of its weight, its
 * bias, and the columns of the next layer's weight.
 */
export interface PruneGroups {
  /** Groups of the set: the length of every member's axis. */
  count: number
  members: { param: number; axis: 0 | 1 }[]
}

/** How weights descend, and how many groups fall. */
export interface HessoOptions {
  /** Default `sgd`. */
  variant?: 'sgd' | 'adam' | 'adamw' | undefined
  /** Of the steps that name no other. */
  learningRate: number
  /** Of `sgd`, in [0, 1). Default 0. */
  momentum?: number | undefined
  /** Of the moments of `adam` and `adamw`, in [0, 1). Default 0.9. */
  beta1?: number | undefined
  /** Default 0.999. */
  beta2?: number | undefined
  /** >= 0. Added to the gradient; with `adamw` taken from the weights. Default 0; `adamw` 0.01. */
  weightDecay?: number | undefined
  /** The share of all groups that falls: in [0, 1], at most 0.999 of them. Default 0.5. */
  targetGroupSparsity?: number | undefined
  /** A set keeps a multiple of so many groups; sets of no more than that are trained only. Default 1. */
  groupDivisible?: number | undefined
}

/** The names of what the two optimisers share. */
export const DESCENT_KEYS = [
  'variant',
  'learningRate',
  'momentum',
  'beta1',
  'beta2',
  'weightDecay',
  'targetGroupSparsity',
] as const

/**
 * How salient each group is: float64 [count] for each set. Five criteria over a group's weights x and directions d, from
 * all members: the norm of x; that over the number of weights; 1 plus the cosine of x and d; the magnitude of their
 * product; half its square. Each is brought to a norm of 0.2 over the groups of all sets, then they are added. O(weights),
 * in parallel, sums in float64.
 * @param params - float32, of any dims
 * @param directions - float32, of the dims of `params`: where each goes, such as gradients or their running sums
 * @throws TamisError `group count must match the axis`, `axis out of range`,
 * `each axis of a parameter belongs to one group set`, `directions must match params`
 * @example
 * import { tensor, training } from 'tamis'
 * const weight = tensor('float32', [2, 2], [1, 1, 0.1, 0])
 * const gradient = tensor('float32', [2, 2], [1, 0, 0, 1])
 * const groups = [{ count: 2, members: [{ param: 0, axis: 0 as const }] }]
 * const { scores } = training.groupSaliency([weight], [gradient], groups)
 * console.log((scores[0]?.data[0] ?? 0) > (scores[0]?.data[1] ?? 0)) // true
 */
export function groupSaliency(
  params: readonly Tensor[],
  directions: readonly Tensor[],
  groups: readonly PruneGroups[],
): { scores: Tensor<'float64'>[] } {
  const weights = checkParams(params)
  const { counts, members } = checkGroups(weights, groups)
  const d = alikeData('directions', directions, weights)
  const found = atOnce(() => native.groupSaliency(dataOf(weights), d, counts, members))
  return { scores: found.map((data) => ({ type: 'float64', dims: [data.length], data })) }
}

/** A list of float32 tensors. */
export function checkParams(params: unknown): Tensor<'float32'>[] {
  return checkList('params', params).map((param, i) =>
    checkTensor(`params[${i}]`, param, { types: ['float32'] }),
  )
}

function checkList(name: string, value: unknown): unknown[] {
  if (Array.isArray(value)) return Array.from(value as unknown[])
  throw new TamisError('ERR_TAMIS_TYPE', `${name} must be a list, got ${show(value)}`)
}

export const dataOf = (tensors: readonly Tensor<'float32'>[]): Float32Array[] =>
  tensors.map(({ data }) => data)

/** The data of tensors that must have the dims of others. */
export function alikeData(
  name: string,
  tensors: unknown,
  params: readonly { dims: readonly number[] }[],
): Float32Array[] {
  const list = checkList(name, tensors)
  if (list.length !== params.length) {
    const got = `got ${list.length} for ${params.length}`
    throw new TamisError('ERR_TAMIS_SHAPE', `${name} must match params, ${got}`)
  }
  return params.map(({ dims }, i) => {
    const { data, dims: own } = checkTensor(`${name}[${i}]`, list[i], { types: ['float32'] })
    if (own.length === dims.length && own.every((n, axis) => n === dims[axis])) return data
    const got = `${name}[${i}] has dims [${own.join(', ')}], not [${dims.join(', ')}]`
    throw new TamisError('ERR_TAMIS_SHAPE', `${name} must match params: ${got}`)
  })
}

/** Sets of groups as the addon takes them. */
export interface Sets {
  counts: number[]
  members: NativeMember[]
}

/** Checks sets of groups against the parameters that they are of. */
export function checkGroups(params: readonly { dims: readonly number[] }[], groups: unknown): Sets {
  const taken = new Set<string>()
  const counts: number[] = []
  const members: NativeMember[] = []
  for (const [set, group] of checkList('groups', groups).entries()) {
    const { count, members: own } = checkOptions(`groups[${set}]`, group as PruneGroups, ['count', 'members'])
    counts.push(checkInteger(`groups[${set}].count`, count, 1, 2 ** 31 - 1))
    for (const [i, member] of checkList(`groups[${set}].members`, own).entries()) {
      const name = `groups[${set}].members[${i}]`
      const { param, axis } = checkOptions(name, member as PruneGroups['members'][number], ['param', 'axis'])
      const dims = Number.isInteger(param) ? params[param]?.dims : undefined
      const key = `${param} ${axis}`
      if (dims === undefined || taken.has(key)) {
        const got = dims ? `axis ${show(axis)} of parameter ${param} has two` : `there is no ${show(param)}`
        refuse(`each axis of a parameter belongs to one group set: in ${name} ${got}`, param)
      }
      taken.add(key)
      if ((axis !== 0 && axis !== 1) || axis >= dims.length) {
        refuse(`axis out of range: ${name} is of dims [${dims.join(', ')}], axis must be 0 or 1`, axis)
      }
      if (dims[axis] !== count) {
        const got = `${name} has ${dims[axis]} along axis ${axis}, count is ${count}`
        throw new TamisError('ERR_TAMIS_SHAPE', `group count must match the axis: ${got}`)
      }
      const product = (sides: readonly number[]) => sides.reduce((items, n) => items * n, 1)
      const [outer, inner] = [product(dims.slice(0, axis)), product(dims.slice(axis + 1))]
      members.push({ set, tensor: param, outer, inner })
    }
  }
  return { counts, members }
}

/** The sets of more than so many groups, and where they were among all. */
export interface Pruned {
  sets: Sets
  /** The number among all sets of each that is left. */
  places: number[]
}

export function largerThan({ counts, members }: Sets, least: number): Pruned {
  const places = counts.flatMap((count, set) => (count > least ? [set] : []))
  const left = members.filter(({ set }) => places.includes(set))
  return {
    sets: {
      counts: places.map((place) => counts[place] as number),
      members: left.map((member) => ({ ...member, set: places.indexOf(member.set) })),
    },
    places,
  }
}

/** The weights and how they descend. */
export function descentOf(params: readonly Tensor<'float32'>[], sets: Sets, o: HessoOptions): NativeDescent {
  const variant = checkKnown('variant', o.variant ?? 'sgd', ['sgd', 'adam', 'adamw'])
  const unit = { min: 0, below: 1 }
  const momentum = checkNumber('momentum', o.momentum ?? 0, unit)
  const betas = [checkNumber('beta1', o.beta1 ?? 0.9, unit), checkNumber('beta2', o.beta2 ?? 0.999, unit)]
  const decay = checkNumber('weightDecay', o.weightDecay ?? (variant === 'adamw' ? 0.01 : 0), { min: 0 })
  const rule = {
    betas: variant === 'sgd' ? undefined : betas,
    momentum,
    decay,
    decoupled: variant === 'adamw',
  }
  return atOnce(() => new native.GroupedDescent(dataOf(params), sets.counts, sets.members, rule))
}

export function checkRate(rate: unknown): number {
  return checkNumber('learningRate', rate, { min: 0 })
}

/** How many of n groups fall. */
export function targetOf(n: number, sparsity: unknown = 0.5): number {
  if (typeof sparsity !== 'number' || !(sparsity >= 0 && sparsity <= 1)) {
    refuse('target group sparsity must be in [0, 1]', sparsity)
  }
  return Math.floor(n * Math.min(sparsity, 0.999) + 1e-6)
}

/** The places of the k lowest scores but for those that are `out`, ascending; equal ones: the lower place first. */
export function lowest(scores: Float64Array, k: number, out?: ReadonlySet<number>): Uint32Array {
  const left = out?.size ? scores.map((score, i) => (out.has(i) ? Number.NaN : score)) : scores
  const count = Math.min(k, scores.length - (out?.size ?? 0))
  return atOnce(
    () =>
      native.topK('float64', viewBytes({ data: left }), left.length, count, false, false) as {
        indices: Uint32Array
      },
  ).indices
}

/** Scores of sets, one after the other. */
export function joined(scores: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(scores.reduce((n, { length }) => n + length, 0))
  let start = 0
  for (const part of scores) {
    all.set(part, start)
    start += part.length
  }
  return all
}

/** Numbers among the groups of all sets, ascending, as numbers in each set. */
export function bySet(groups: Iterable<number>, counts: readonly number[]): Uint32Array[] {
  const sorted = Uint32Array.from(groups).sort()
  let [start, from] = [0, 0]
  return counts.map((count) => {
    let to = from
    while (to < sorted.length && (sorted[to] as number) < start + count) to++
    const own = sorted.slice(from, to).map((group) => group - start)
    ;[start, from] = [start + count, to]
    return own
  })
}

/** The lists of the sets that are pruned among those of all sets, as tensors. */
export function listed(lists: readonly Uint32Array[], { places }: Pruned, sets: number): Tensor<'uint32'>[] {
  return Array.from({ length: sets }, (_, set) => {
    const data = lists[places.indexOf(set)] ?? new Uint32Array(0)
    return { type: 'uint32', dims: [data.length], data }
  })
}

/** The weights as tensors. */
export function paramsOf(descent: NativeDescent, dims: readonly (readonly number[])[]): Tensor<'float32'>[] {
  return descent.weights().map((data, i) => ({ type: 'float32', dims: dims[i] as number[], data }))
}
