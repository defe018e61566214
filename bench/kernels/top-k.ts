/**
 * Selection: the best million of a hundred million.
 * @module
 */
import { javascriptEngine, tamisEngine } from '../engines/node.js'
import type { KernelWorkload } from '../kernel-workload.js'
import { pythonEnvironment } from '../python.js'

const numpy = pythonEnvironment('numpy')
const N = Number(process.env.TAMIS_BENCH_ITEMS ?? 100_000_000)
const K = Math.floor(N / 100)
const ARGS = [String(N), String(K)]

export const workload: KernelWorkload = {
  name: 'top-k',
  about: `\`kernels.topK\`, ${K} of ${N} float32 items, in descending order.`,
  bars: [
    { rival: 'numpy', atLeast: 2 },
    { rival: 'javascript', atLeast: 10 },
  ],
  engines: [
    tamisEngine('`kernels.topKSync`', 'top-k.ts', ARGS),
    {
      name: 'numpy',
      about: '`argpartition` and a sort of the chosen; it has one thread',
      threads: [1],
      setUp: numpy.setUp,
      version: () => numpy.version('numpy'),
      command: (threads) => numpy.command('top-k.py', ARGS, threads),
    },
    javascriptEngine('a bounded heap of places in typed arrays, sorted at the end', 'top-k.ts', ARGS),
  ],
}
