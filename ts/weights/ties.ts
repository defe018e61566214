/**
 * TIES-Merging (Yadav, Tam, Choshen, Raffel, Bansal, "TIES-Merging: Resolving Interference When Merging Models",
 * NeurIPS 2023, arXiv 2306.01708), and the updates that it and others merge.
 *
 * Several models fine-tuned from one base become one: of each update only its largest entries, of each parameter only
 * the updates that agree with the elected sign.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkNumber, checkOptions, show } from '../options.js'
import { atOnce, type Cancellable, promised } from '../run.js'
import type { Tensor } from '../tensor.js'
import { checkDensity, checkKnown } from '../ternary.js'
import { alike, checkAlike, dictOf, entriesOf, partOf, partsOf, type StateDict } from './state-dict.js'

/**
 * `model - base`, tensor by tensor, in float32 (float64 tensors are subtracted in float64). O(n), at once.
 * @param model - float tensors
 * @param base - tensors of the same names and dims; for IA3 vectors, ones
 * @param options - `skip`: names that are left out, such as tied tensors, which must enter once
 * @throws TamisError `updates differ in tensors`, `shape mismatch`, `not finite`
 * @example
 * import { tensor, weights } from 'tamis'
 * const model = { w: tensor('float32', [2], [1, 2]) }
 * const base = { w: tensor('float32', [2], [0.5, 3]) }
 * console.log(weights.taskVector(model, base).w?.data) // Float32Array(2) [ 0.5, -1 ]
 */
export function taskVector(
  model: StateDict,
  base: StateDict,
  options?: { skip?: readonly string[] },
): Record<string, Tensor<'float32'>> {
  const { skip = [] } = checkOptions('options', options, ['skip'])
  if (!Array.isArray(skip) || !skip.every((name) => typeof name === 'string')) {
    throw new TamisError('ERR_TAMIS_TYPE', `skip must be a list of names, got ${show(skip)}`)
  }
  const without = (name: string, dict: unknown) => {
    // What is skipped may be of any type.
    const isRecord = typeof dict === 'object' && dict !== null && !Array.isArray(dict)
    const left = isRecord ? Object.entries(dict).filter(([key]) => !skip.includes(key)) : undefined
    return entriesOf(name, left ? Object.fromEntries(left) : dict)
  }
  const [tensors, others] = [without('model', model), without('base', base)]
  checkAlike('model', tensors, 'base', others)
  return dictOf(
    tensors,
    tensors.map(([name, tensor], i) => {
      const other = (others[i] as [string, Tensor])[1]
      return atOnce(() => native.subtract(shown('model - base', name), partOf(tensor), partOf(other)))
    }),
  )
}

/**
 * `base + lambda update`, tensor by tensor, in float32 (float64 tensors are added in float64). A tensor of the base
 * without an update is passed through. O(n), at once.
 * @param base - tensors; those with an update must be of float types
 * @param update - tensors of names and dims of the base
 * @param options - `lambda`: a finite number, default 1
 * @throws TamisError `updates differ in tensors`, `shape mismatch`, `not finite`, `lambda`
 * @example
 * import { tensor, weights } from 'tamis'
 * const base = { w: tensor('float32', [2], [1, 2]) }
 * const model = weights.addUpdate(base, { w: tensor('float32', [2], [1, -1]) }, { lambda: 0.5 })
 * console.log(model.w?.data) // Float32Array(2) [ 1.5, 1.5 ]
 */
export function addUpdate(base: StateDict, update: StateDict, options?: { lambda?: number }): StateDict {
  const o = checkOptions('options', options, ['lambda'])
  const lambda = checkNumber('lambda', o.lambda ?? 1)
  const all = entriesOf('base', base, {})
  const updates = new Map(entriesOf('update', update))
  const touched = entriesOf('base', Object.fromEntries(all.filter(([name]) => updates.has(name))))
  checkAlike('update', [...updates], 'base', touched)
  const sum = ([name, tensor]: [string, Tensor]) => {
    const own = updates.get(name) as Tensor
    const what = shown('base + update', name)
    return atOnce(() => native.addScaled(what, partOf(tensor), partOf(own), lambda))
  }
  return { ...Object.fromEntries(all), ...dictOf(touched, touched.map(sum)) }
}

/** How updates are trimmed and merged. */
export interface MergeTiesOptions {
  /** The share of each update's entries that is kept, in (0, 1]. Default 0.2. */
  density?: number | undefined
  /** Of the updates that agree: their weighted `mean`, their weighted `sum`, or the largest (`max`). Default `mean`. */
  merge?: 'mean' | 'sum' | 'max' | undefined
  /** One finite weight an update. Default 1. */
  weights?: readonly number[] | undefined
  /** Entries are ranked over a whole update (`global`) or each tensor apart (`tensor`). Default `global`. */
  scope?: 'global' | 'tensor' | undefined
}

/**
 * The merged update (not the model): each update is trimmed to its largest magnitudes (`max(1, floor(density n + 1e-6))`;
 * equal ones: the lower index first), each parameter's sign is that of the weighted sum, and what agrees with it is
 * merged. A sum that is exactly 0 takes the majority sign of the scope. Sums run over the updates in order, in float64;
 * results are float32. One pass to rank each update and one to merge, in parallel; the updates are copied before the
 * call returns.
 * @param updates - at least one; float tensors of the same names and dims
 * @throws TamisError `at least one update is needed`, `updates differ in tensors`, `shape mismatch`,
 * `density must be in (0, 1]`, `one weight per update is needed`, `unknown merge`, `unknown scope`, `not finite`
 * @example
 * import { tensor, weights } from 'tamis'
 * const a = { w: tensor('float32', [3], [0.5, 1, -2]) }
 * const b = { w: tensor('float32', [3], [-0.25, 3, 1]) }
 * const { w } = await weights.mergeTies([a, b], { density: 1 })
 * console.log(w?.data) // Float32Array(3) [ 0.5, 2, -2 ]
 */
export async function mergeTies(
  updates: readonly StateDict[],
  options?: MergeTiesOptions & Cancellable,
): Promise<Record<string, Tensor<'float32'>>> {
  return promised(options, (given: MergeTiesOptions | undefined) => {
    const o = checkOptions('options', given, ['density', 'merge', 'weights', 'scope'])
    const density = checkDensity(o.density ?? 0.2)
    const merge = checkKnown('merge', o.merge ?? 'mean', ['mean', 'sum', 'max'])
    const scope = checkKnown('scope', o.scope ?? 'global', ['global', 'tensor'])
    const all = alike('updates', updates, 'at least one update')
    const weights = checkWeights(o.weights, all.length)
    const first = all[0] as [string, Tensor][]
    const names = first.map(([name]) => name)
    return {
      call: (job) =>
        native.mergeUpdates(names, all.map(partsOf), density, scope === 'global', weights, merge, job),
      finish: (merged: Float32Array[]) => dictOf(first, merged),
    }
  })
}

function checkWeights(weights: unknown, count: number): number[] {
  if (weights === undefined) return Array.from({ length: count }, () => 1)
  const isList = Array.isArray(weights) || ArrayBuffer.isView(weights)
  const list = isList ? Array.from(weights as unknown as ArrayLike<unknown>) : []
  if (isList && list.length === count && list.every((w) => typeof w === 'number' && Number.isFinite(w))) {
    return list as number[]
  }
  throw new TamisError(
    isList ? 'ERR_TAMIS_RANGE' : 'ERR_TAMIS_TYPE',
    `one weight per update is needed: weights must be ${count} finite numbers, got ${show(weights)}`,
  )
}

const shown = (what: string, name: string): string => `${what}: tensor ${JSON.stringify(name)}`
