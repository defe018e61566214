/**
 * A weighted draw without replacement.
 * @module
 */
import { operation } from '../operations.js'

export const workload = operation('gumbel-top-k', {
  about: '`kernels.gumbelTopK`: 1,000,000 of 10,000,000 by float32 log-weights.',
  call: '`kernels.gumbelTopKSync`',
  rival: 'numpy',
  by: 'a Gumbel draw each, `argpartition` and a sort of the chosen; it has one thread',
  threads: [1],
})
