/**
 * Convolution of images.
 * @module
 */
import { operation } from '../operations.js'

export const workload = operation('convolve', {
  about: '`kernels.convolve`: 8 images of 32 channels of 128 x 128, 32 kernels of 3 x 3, float32.',
  call: '`kernels.convolveSync`',
  rival: 'torch',
  by: '`nn.functional.conv2d`, without gradients',
})
