/**
 * Ternary tensors: of the largest magnitudes the signs, and one scale.
 * @module
 */
import { native } from '../native.js'
import type { NativeSigns } from '../native-weights.js'
import { checkOptions } from '../options.js'
import { type Cancellable, now, type Operation, promised } from '../run.js'
import { checkTensor, FLOAT_TYPES, type Tensor, viewBytes } from '../tensor.js'
import {
  checkScale,
  TERNARIZE,
  type TernarizeOptions,
  type TernaryTensor,
  ternarizeOptions,
  ternaryTensor,
} from '../ternary.js'

export type { TernarizeOptions, TernaryTensor } from '../ternary.js'

function signs(
  x: Tensor,
  options: TernarizeOptions | undefined,
): Operation<{ parts: NativeSigns[]; scale: number }, TernaryTensor> {
  const { density, alpha } = ternarizeOptions(checkOptions('options', options, TERNARIZE))
  const tensor = checkTensor('x', x, { types: FLOAT_TYPES })
  const part = { type: tensor.type, data: viewBytes(tensor) }
  return {
    call: (job) => native.ternarize(['x'], [part], density, alpha, job),
    finish: ({ parts: [first], scale }) =>
      ternaryTensor(tensor.dims, checkScale(scale), first as NativeSigns),
  }
}

/**
 * The signs of the `max(1, floor(density n + 1e-6))` largest magnitudes (equal ones: the lower index first; a zero that
 * is kept has no sign), packed in two bit masks, and one scale for all: steps 2-4 of ComPEFT (Yadav, Choshen, Raffel,
 * Bansal, 2023, arXiv 2311.13171). Halves are widened to float32; float64 is ranked and summed as it is. O(n), in
 * parallel.
 * @param x - a float type, of any dims, n >= 1 items
 * @throws TamisError `density must be in (0, 1]`, `alpha must be positive`, `unknown scale`, `update is empty`,
 * `not finite`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const x = tensor('float32', [2, 2], [0.5, -3, 0.25, 1])
 * const { scale, positive, negative } = await kernels.ternarize(x, { density: 0.5, scale: 'mean-abs' })
 * console.log(scale, positive.data, negative.data) // 2 Uint8Array(1) [ 8 ] Uint8Array(1) [ 2 ]
 */
export async function ternarize(x: Tensor, options?: TernarizeOptions & Cancellable): Promise<TernaryTensor> {
  return promised(options, (o) => signs(x, o))
}

/** {@link ternarize}, at once. */
export function ternarizeSync(x: Tensor, options?: TernarizeOptions): TernaryTensor {
  return now(signs(x, options))
}
