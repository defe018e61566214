/**
 * A random order.
 * @module
 */
import { operation } from '../operations.js'

export const workload = operation('permutation', {
  about: '`kernels.permutation` of 10,000,000.',
  call: '`kernels.permutationSync`',
  rival: 'numpy',
  by: '`Generator.permutation` of PCG64; it has one thread',
  threads: [1],
})
