/**
 * Eigenvectors of a symmetric matrix.
 * @module
 */
import { operation } from '../operations.js'

export const workload = operation('eigh', {
  about: '`kernels.eigh`: all eigenvalues and vectors of a symmetric float64 matrix of 1,024.',
  call: '`kernels.eighSync`',
  rival: 'numpy',
  by: '`linalg.eigh`, tuned',
})
