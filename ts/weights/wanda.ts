/**
 * Wanda (Sun, Liu, Bair, Kolter, "A Simple and Effective Pruning Approach for Large Language Models", ICLR 2024, arXiv
 * 2306.11695), beside which FLAP is measured, and magnitude pruning: single weights of a linear layer are set to 0, where
 * a runtime has kernels for that (2:4), or where only the number of zeros matters.
 *
 * Of equal scores the lower index is kept, where the authors' code drops it, and exactly the share that is asked for goes.
 * @module
 */
import { sparsifySync } from '../kernels/index.js'
import { native } from '../native.js'
import { checkOptions } from '../options.js'
import { atOnce } from '../run.js'
import type { Tensor, TensorType } from '../tensor.js'
import { checkShare, checkSquaredNorm, checkWeight } from './matrix.js'
import { partOf } from './state-dict.js'

/** How many weights go. */
export interface PruneWeightsOptions {
  /** The share that is set to 0, in [0, 1): `floor(sparsity n + 1e-6)`. Default 0.5. */
  sparsity?: number | undefined
  /** `[n, m]`: n of each m neighbours in a row stay, whatever `sparsity` says. */
  pattern?: readonly [n: number, m: number] | undefined
}

/** What is left of a weight. */
export interface SparseWeight<T extends TensorType = TensorType> {
  /** Of the weight's type; 0 where the mask is 0. */
  weight: Tensor<T>
  mask: Tensor<'uint8'>
}

/**
 * Keeps in each row the weights of the highest `|W_ij| sqrt(squaredNorm_j)`, computed in the weight's precision (halves
 * in float32). O(out in), rows in parallel.
 * @param weight - a float type, [out, in], finite
 * @param squaredNorm - of its input, [in] ({@link ActivationStats})
 * @throws TamisError `weight must be 2-d`, `squaredNorm`, `sparsity must be between 0 and 1`, `pattern`, `divisible`,
 * `not finite`
 * @example
 * import { tensor, weights } from 'tamis'
 * const weight = tensor('float32', [1, 4], [4, -1, 3, 2])
 * const { weight: sparse } = weights.pruneWanda(weight, Float32Array.of(1, 25, 1, 1))
 * console.log(sparse.data) // Float32Array(4) [ 4, -1, 0, 0 ]
 */
export function pruneWanda<T extends TensorType>(
  weight: Tensor<T>,
  squaredNorm: Float32Array | Tensor,
  options?: PruneWeightsOptions,
): SparseWeight<T> {
  const { tensor, columns } = checkWeight('weight', weight)
  const scale = checkSquaredNorm(squaredNorm, columns).map(Math.sqrt)
  const amount = checkAmount(options)
  atOnce(() => native.checkFinite('weight', partOf(tensor)))
  const bytes = atOnce(() => native.scaledMagnitudes(partOf(tensor), scale))
  const type = tensor.type === 'float64' ? 'float64' : 'float32'
  const View = type === 'float64' ? Float64Array : Float32Array
  const data = new View(bytes.buffer as ArrayBuffer, bytes.byteOffset, tensor.data.length)
  const scores: Tensor = { type, dims: tensor.dims, data }
  const { values, mask } = sparsifySync(tensor, { ...amount, scope: 'row', scores })
  return { weight: values, mask }
}

/**
 * Keeps the weights of the largest magnitudes: over the whole tensor, or with a pattern of each m neighbours. O(out in),
 * in parallel.
 * @param weight - a float type, [out, in], finite
 * @throws TamisError as {@link pruneWanda}
 * @example
 * import { tensor, weights } from 'tamis'
 * const { weight } = weights.pruneMagnitude(tensor('float32', [2, 2], [4, -1, 3, 2]), { sparsity: 0.25 })
 * console.log(weight.data) // Float32Array(4) [ 4, 0, 3, 2 ]
 */
export function pruneMagnitude<T extends TensorType>(
  weight: Tensor<T>,
  options?: PruneWeightsOptions,
): SparseWeight<T> {
  const { tensor } = checkWeight('weight', weight)
  const amount = checkAmount(options)
  atOnce(() => native.checkFinite('weight', partOf(tensor)))
  const { values, mask } = sparsifySync(tensor, amount)
  return { weight: values, mask }
}

function checkAmount(options: PruneWeightsOptions | undefined): {
  sparsity?: number
  pattern?: readonly [number, number]
} {
  const { sparsity = 0.5, pattern } = checkOptions('options', options, ['sparsity', 'pattern'])
  if (pattern !== undefined) return { pattern }
  return { sparsity: checkShare('sparsity', sparsity) }
}
