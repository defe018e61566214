/**
 * Distances and similarities of rows: of all pairs, and of each row's nearest.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import type { NativeRowSides } from '../native-cluster.js'
import { checkBoolean, checkMemory, checkOneOf, checkOptions, show } from '../options.js'
import { checkMask, checkReals, convertReals } from '../rows.js'
import { type Cancellable, now, type Operation, promised } from '../run.js'
import { checkTensor, type Tensor, viewAs, viewBytes } from '../tensor.js'

/**
 * | metric | value | nearer is | zero rows |
 * | --- | --- | --- | --- |
 * | `dot` | sum of products | larger | 0 |
 * | `cosine` | that over both norms, in [-1, 1] | larger | 0 with everything |
 * | `l2sq`, `l2` (= `euclidean`) | sum of squared differences, its root | smaller | ordinary |
 * | `hamming` | places that differ (`packed`: bits) | smaller | ordinary |
 * | `jaccard` | 1 - intersection / union of the places that are not 0 (`packed`: bits) | smaller | two empty sets: 0 |
 */
export type Metric = 'dot' | 'cosine' | 'l2sq' | 'l2' | 'euclidean' | 'hamming' | 'jaccard'

/** What rows are compared by. */
export interface PairwiseOptions {
  /** Default `cosine`, a similarity. */
  metric?: Metric | undefined
  /** Rows are bits in uint8 (`hamming` and `jaccard` only). Default `false`. */
  packed?: boolean | undefined
}

/** {@link PairwiseOptions}, how many neighbours, and which rows may be some. */
export interface NearestOptions extends PairwiseOptions {
  /** 1..the number of candidates. Default 1. */
  k?: number | undefined
  /** [n], uint8 or bool: only rows of the base with 1 are candidates. */
  mask?: Tensor | Uint8Array | undefined
  /** Row i of the base is no answer to query i: takes as many queries as rows. Default `false`. */
  excludeSelf?: boolean | undefined
}

/** float32, or float64 where the rows are vectors of float64. */
export type Scores = Tensor<'float32' | 'float64'>

/** Each is [q, k], nearest first. */
export interface Nearest {
  indices: Tensor<'uint32'>
  /** In the metric's own sense: similarities descend, distances ascend. */
  scores: Scores
}

const METRICS = ['dot', 'cosine', 'l2sq', 'l2', 'euclidean', 'hamming', 'jaccard'] as const

interface Sides {
  left: Tensor
  right: Tensor
  native: NativeRowSides
}

/** Two sides that can be compared; without the right one the left one with itself. */
function checkSides(
  [leftName, x]: [string, unknown],
  right: [string, unknown] | undefined,
  o: PairwiseOptions,
): Sides {
  const named = checkOneOf('metric', o.metric ?? 'cosine', METRICS)
  const metric = named === 'euclidean' ? 'l2' : named
  const packed = checkBoolean('packed', o.packed, false)
  const isSet = metric === 'hamming' || metric === 'jaccard'
  if (packed && !isSet) {
    throw new TamisError(
      'ERR_TAMIS_RANGE',
      `packed goes with metric 'hamming' or 'jaccard', got ${show(named)}`,
    )
  }
  const check = (name: string, value: unknown): Tensor => {
    if (!isSet) return checkReals(name, value, [2])
    return packed
      ? checkTensor(name, value, { types: ['uint8'], ranks: [2] })
      : checkTensor(name, value, { ranks: [2] })
  }
  let left = check(leftName, x)
  let other = right ? check(...right) : left
  const [count = 0, width = 0] = left.dims
  const [rows = 0, otherWidth = 0] = other.dims
  if (right && width !== otherWidth) {
    const want = `width: ${leftName} and ${right[0]} must have rows of one width`
    throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got ${width} and ${otherWidth}`)
  }
  if (right && left.type !== other.type) {
    if (isSet) {
      const want = `${right[0]} must be of the type of ${leftName}`
      throw new TamisError('ERR_TAMIS_TYPE', `${want}, ${left.type}, got ${other.type}`)
    }
    left = convertReals(left as Scores, 'float64')
    other = convertReals(other as Scores, 'float64')
  }
  return { left, right: other, native: { left: count, right: rows, width, metric, packed } }
}

/** The type of the scores of these sides. */
function scoreType({ left, native: { metric } }: Sides): 'float32' | 'float64' {
  return left.type === 'float64' && metric !== 'hamming' && metric !== 'jaccard' ? 'float64' : 'float32'
}

function asScores(type: 'float32' | 'float64', dims: number[], bytes: Uint8Array): Scores {
  const like: Scores = {
    type,
    dims: [0],
    data: type === 'float64' ? new Float64Array(0) : new Float32Array(0),
  }
  return { type, dims, data: viewAs(like, bytes) }
}

function isTensor(value: unknown): value is Tensor {
  return typeof value === 'object' && value !== null && 'type' in value && 'dims' in value && 'data' in value
}

function compare(
  x: Tensor,
  y: Tensor | undefined,
  options: PairwiseOptions | undefined,
): Operation<Uint8Array, Scores> {
  const o = checkOptions('options', options, ['metric', 'packed'])
  const sides = checkSides(['x', x], y === undefined ? undefined : ['y', y], o)
  const { left, right } = sides.native
  const type = scoreType(sides)
  checkMemory('the result', left * right * (type === 'float64' ? 16 : 8))
  const other = y === undefined ? undefined : viewBytes(sides.right)
  return {
    call: (job) => native.pairwise(sides.left.type, viewBytes(sides.left), other, sides.native, job),
    finish: (bytes) => asScores(type, [left, right], bytes),
  }
}

/** `pairwise(x, options)` as `pairwise(x, undefined, options)`. */
function parted<O extends object>(
  y: Tensor | O | undefined,
  options: O | undefined,
): [Tensor | undefined, O | undefined] {
  const isOptions = y !== undefined && options === undefined && !isTensor(y)
  return isOptions ? [undefined, y] : [y as Tensor | undefined, options]
}

/**
 * The scores of all pairs of rows: [n, m], or [n, n] of `x` with itself. Computed in float64 from the items themselves
 * (l2 from differences), so that `pairwise(x)` is symmetric and a row at l2 distance 0 from itself. NaN gives NaN.
 * O(n m d), in parallel.
 * @param x - [n, d]; a float type for vectors, any type for `hamming` and `jaccard`
 * @param y - [m, d]; for sets of the type of `x`
 * @throws TamisError `width`, `metric`, `packed`, `rank`, `dims`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const x = tensor('float32', [2, 2], [0, 0, 3, 4])
 * const { data } = await kernels.pairwise(x, { metric: 'l2' })
 * console.log(data) // Float32Array(4) [ 0, 5, 5, 0 ]
 */
export async function pairwise(
  x: Tensor,
  y?: Tensor | (PairwiseOptions & Cancellable),
  options?: PairwiseOptions & Cancellable,
): Promise<Scores> {
  const [other, o] = parted(y, options)
  return promised(o, (o) => compare(x, other, o))
}

/** {@link pairwise}, at once. */
export function pairwiseSync(x: Tensor, y?: Tensor | PairwiseOptions, options?: PairwiseOptions): Scores {
  return now(compare(x, ...parted(y, options)))
}

function search(
  queries: Tensor,
  base: Tensor,
  options: NearestOptions | undefined,
): Operation<{ indices: Uint32Array; scores: Uint8Array }, Nearest> {
  const o = checkOptions('options', options, ['metric', 'packed', 'k', 'mask', 'excludeSelf'])
  const sides = checkSides(['queries', queries], ['base', base], o)
  const { left, right } = sides.native
  const mask = checkMask('mask', o.mask, right)
  const excludeSelf = checkBoolean('excludeSelf', o.excludeSelf, false)
  if (excludeSelf && left !== right) {
    const want = 'excludeSelf needs as many queries as rows of the base'
    throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got ${left} and ${right}`)
  }
  const k = checkK(o.k ?? 1, right)
  checkMemory('k', left * k * 40)
  const type = scoreType(sides)
  const dims = [left, k]
  return {
    call: (job) => {
      const [from, to] = [viewBytes(sides.left), viewBytes(sides.right)]
      return native.nearest(sides.left.type, from, to, sides.native, { k, excludeSelf }, mask, job)
    },
    finish: ({ indices, scores }) => ({
      indices: { type: 'uint32', dims, data: indices },
      scores: asScores(type, dims, scores),
    }),
  }
}

function checkK(k: unknown, rows: number): number {
  if (typeof k === 'number' && Number.isInteger(k) && k >= 1 && k <= rows) return k
  const code = typeof k === 'number' ? 'ERR_TAMIS_RANGE' : 'ERR_TAMIS_TYPE'
  throw new TamisError(code, `k must be an integer from 1 to ${rows}, the rows of the base, got ${show(k)}`)
}

/**
 * The k nearest rows of a base for each query, exact, nearest first; equal scores by index, NaN last. Candidates are
 * found by products of 8-bit copies of the rows within a proved bound of their error, and decided in float64 from the
 * items themselves. O(q n d) time, in parallel, and never q x n memory.
 * @param queries - [q, d]; types as for {@link pairwise}
 * @param base - [n, d]
 * @throws TamisError `k must`, `width`, `mask`, `excludeSelf`, `metric`, `packed`, `rank`, `dims`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const base = tensor('float32', [3, 2], [1, 0, 0, 1, 1, 1])
 * const { indices } = await kernels.nearest(tensor('float32', [1, 2], [2, 1.9]), base, { k: 2 })
 * console.log(indices.data) // Uint32Array(2) [ 2, 0 ]
 */
export async function nearest(
  queries: Tensor,
  base: Tensor,
  options?: NearestOptions & Cancellable,
): Promise<Nearest> {
  return promised(options, (o) => search(queries, base, o))
}

/** {@link nearest}, at once. */
export function nearestSync(queries: Tensor, base: Tensor, options?: NearestOptions): Nearest {
  return now(search(queries, base, options))
}
