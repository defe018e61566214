/**
 * Rows to columns at the least cost.
 * @module
 */
import { operation } from '../operations.js'

export const workload = operation('assign', {
  about: '`kernels.assign`: 1,000 rows to 1,000 columns, float64 costs.',
  call: '`kernels.assignSync`',
  rival: 'scipy',
  by: '`optimize.linear_sum_assignment`; it has one thread',
  threads: [1],
})
