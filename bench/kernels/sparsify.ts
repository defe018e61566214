/**
 * Two of each four.
 * @module
 */
import { operation } from '../operations.js'

export const workload = operation('sparsify', {
  about: '`kernels.sparsify`: 2 of each 4 of 4,096 x 4,096 float32.',
  call: '`kernels.sparsifySync`',
  rival: 'torch',
  by: '`topk` of each four and `scatter`, without gradients',
})
