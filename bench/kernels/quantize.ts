/**
 * Weights in 4 bits.
 * @module
 */
import { operation } from '../operations.js'

export const workload = operation('quantize', {
  about: '`kernels.quantize`: 4,096 x 4,096 float32 to 4 bits in groups of 128 with zero points.',
  call: '`kernels.quantizeSync`',
  rival: 'torch',
  by: 'the same by `aminmax`, rounding and clamping, without gradients',
})
