/**
 * One level of wavelets.
 * @module
 */
import { operation } from '../operations.js'

export const workload = operation('wavelet', {
  about: '`kernels.wavelet2`: db4 of a 4,096 x 4,096 float32 image, mirrored.',
  call: '`kernels.wavelet2Sync`',
  rival: 'pywavelets',
  by: '`dwt2`, float32; it has one thread',
  threads: [1],
})
