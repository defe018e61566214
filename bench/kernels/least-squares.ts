/**
 * A tall regression.
 * @module
 */
import { operation } from '../operations.js'

export const workload = operation('least-squares', {
  about: '`kernels.leastSquares`: 65,536 rows of 64, 4 right sides, float64.',
  call: '`kernels.leastSquaresSync`',
  rival: 'numpy',
  by: '`linalg.lstsq`, tuned',
})
