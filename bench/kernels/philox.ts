/**
 * Draws: how fast words and uniform numbers come.
 * @module
 */
import { javascriptEngine, tamisEngine } from '../engines/node.js'
import type { KernelWorkload } from '../kernel-workload.js'
import { pythonEnvironment } from '../python.js'

const numpy = pythonEnvironment('numpy')
/** Draws of a call, and calls of a repetition: into one array again and again, whose memory is warm. */
const N = 1 << 24
const CALLS = 1

export const workload: KernelWorkload = {
  name: 'philox',
  about: `\`kernels.uniform\`: ${N} float32 into one array, again and again.`,
  bars: [
    { rival: 'numpy', atLeast: 2 },
    { rival: 'javascript', atLeast: 2 },
  ],
  limit: { of: 'store', atLeast: 0.5 },
  work: { bytes: 4 * N * CALLS },
  engines: [
    tamisEngine('`kernels.uniformSync` into an array that is there (`out`)', 'philox.ts', [
      String(N),
      String(CALLS),
    ]),
    {
      name: 'numpy',
      about: '`Generator(Philox).random` into an array that is there (`out`), float32; it has one thread',
      threads: [1],
      setUp: numpy.setUp,
      version: () => numpy.version('numpy'),
      command: (threads) => numpy.command('philox.py', [String(N), String(CALLS)], threads),
    },
    javascriptEngine('the same words from a loop over typed arrays', 'philox-uniform.ts', [
      String(N),
      String(CALLS),
    ]),
  ],
}
