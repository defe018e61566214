/**
 * All distances of two sets.
 * @module
 */
import { operation } from '../operations.js'

export const workload = operation('pairwise', {
  about: '`kernels.pairwise`: Euclidean distances of 4,096 rows of 384 to 4,096 others, float32.',
  call: '`kernels.pairwiseSync`',
  rival: 'scipy',
  by: '`spatial.distance.cdist` of float64; it has one thread',
  threads: [1],
})
