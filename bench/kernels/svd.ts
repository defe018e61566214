/**
 * Singular vectors of a tall matrix.
 * @module
 */
import { operation } from '../operations.js'

export const workload = operation('svd', {
  about: '`kernels.svd`: all singular values and vectors of a 2,048 x 256 float64 matrix.',
  call: '`kernels.svdSync`',
  rival: 'numpy',
  by: '`linalg.svd` without full matrices, tuned',
})
