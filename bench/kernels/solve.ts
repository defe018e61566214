/**
 * A positive definite system.
 * @module
 */
import { operation } from '../operations.js'

export const workload = operation('solve', {
  about: '`kernels.solve`: a positive definite float64 system of 1,024 with 64 right sides.',
  call: '`kernels.solveSync`',
  rival: 'scipy',
  by: "`linalg.solve` with `assume_a='pos'`, tuned",
})
