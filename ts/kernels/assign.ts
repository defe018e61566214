/**
 * Sharing out: whole shares of a total, and one column for each row.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkBoolean, checkCount, checkOptions } from '../options.js'
import { checkNumbers } from '../rows.js'
import { type Cancellable, now, type Operation, promised } from '../run.js'
import { asFloat64, checkTensor, type Tensor } from '../tensor.js'

/** Bounds of the shares. */
export interface ApportionOptions {
  /** The most that each item can get: whole numbers >= 0, or Infinity. Default: no bound. */
  capacities?: ArrayLike<number> | Tensor | undefined
}

function share(
  total: number,
  weights: ArrayLike<number> | Tensor,
  options: ApportionOptions | undefined,
): Operation<Uint32Array, Tensor<'uint32'>> {
  const whole = checkCount('total', total)
  const parts = checkNumbers('weights', weights)
  const o = checkOptions('options', options, ['capacities'])
  const capacities = o.capacities === undefined ? undefined : checkNumbers('capacities', o.capacities)
  return {
    call: (job) => native.apportion(whole, parts, capacities, job),
    finish: (data) => ({ type: 'uint32', dims: [data.length], data }),
  }
}

/**
 * Whole shares of `total` in proportion to `weights` (largest remainder; equal remainders to the lowest index): uint32
 * [n], which add up to the total. What is above a capacity is handed on to the others in proportion. O(n) a round,
 * and seldom more than two rounds.
 * @param total - an integer 0..2^32-1
 * @param weights - [n], >= 0
 * @throws TamisError `total`, `weights` (negative, not finite, all 0, of another length than the capacities),
 * `capacities` (over the positive weights they add up to less than the total)
 * @example
 * import { kernels } from 'tamis'
 * const shares = await kernels.apportion(10, [1, 1, 1, 3])
 * console.log(shares.data) // Uint32Array(4) [ 2, 2, 1, 5 ]
 */
export async function apportion(
  total: number,
  weights: ArrayLike<number> | Tensor,
  options?: ApportionOptions & Cancellable,
): Promise<Tensor<'uint32'>> {
  return promised(options, (o) => share(total, weights, o))
}

/** {@link apportion}, at once. */
export function apportionSync(
  total: number,
  weights: ArrayLike<number> | Tensor,
  options?: ApportionOptions,
): Tensor<'uint32'> {
  return now(share(total, weights, options))
}

/** What is best. */
export interface AssignOptions {
  /** The largest sum in place of the least. Default `false`. */
  maximize?: boolean | undefined
}

/** One column for each row. */
export interface Assignment {
  /** [n], no column twice. */
  columns: Tensor<'uint32'>
  /** The sum of the costs there. */
  total: number
}

function match(
  cost: Tensor,
  options: AssignOptions | undefined,
): Operation<{ columns: Uint32Array; total: number }, Assignment> {
  const costs = checkTensor('cost', cost, { ranks: [2] })
  const o = checkOptions('options', options, ['maximize'])
  const maximize = checkBoolean('maximize', o.maximize, false)
  const [rows, columns] = costs.dims as [number, number]
  if (rows > columns) {
    const want = 'cost must have at most as many rows as columns'
    throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got dims [${rows}, ${columns}]`)
  }
  return {
    call: (job) => native.assign(asFloat64(costs), rows, columns, maximize, job),
    finish: ({ columns: data, total }) => ({ columns: { type: 'uint32', dims: [rows], data }, total }),
  }
}

/**
 * The linear sum assignment: each row gets its own column so that the sum of costs is least. Exact, in float64, by
 * shortest augmenting paths (Jonker and Volgenant, "A shortest augmenting path algorithm for dense and sparse linear
 * assignment problems", Computing 38, 1987); where several assignments are best, always the same one. O(n^2 m).
 * @param cost - [n, m] with n <= m, finite
 * @throws TamisError `rows` (more than columns), `finite`, `rank`, `dims`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const { columns, total } = await kernels.assign(tensor('float32', [2, 3], [4, 1, 3, 2, 0, 5]))
 * console.log(columns.data, total) // Uint32Array(2) [ 1, 0 ] 3
 */
export async function assign(cost: Tensor, options?: AssignOptions & Cancellable): Promise<Assignment> {
  return promised(options, (o) => match(cost, o))
}

/** {@link assign}, at once. */
export function assignSync(cost: Tensor, options?: AssignOptions): Assignment {
  return now(match(cost, options))
}
