/**
 * Normal draws.
 * @module
 */
import { operation } from '../operations.js'

export const workload = operation('normal', {
  about: '`kernels.normal`: 16,777,216 float32 draws.',
  call: '`kernels.normalSync`',
  rival: 'numpy',
  by: '`Generator.standard_normal` of PCG64, float32; it has one thread',
  threads: [1],
})
