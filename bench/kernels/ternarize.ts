/**
 * A fine-tuning update made ternary and written: the whole way from floats in memory to bytes on disk.
 * @module
 */
import { fileURLToPath } from 'node:url'
import { javascriptEngine, tamisEngine } from '../engines/node.js'
import type { KernelWorkload } from '../kernel-workload.js'
import { pythonEnvironment } from '../python.js'

const numpy = pythonEnvironment('numpy')
const torch = pythonEnvironment('merge')
/** 1 GB of float32. */
const N = Number(process.env.TAMIS_BENCH_ITEMS ?? 250_000_000)
const ARGS = [String(N), fileURLToPath(new URL('../data/ternary', import.meta.url))]

export const workload: KernelWorkload = {
  name: 'ternarize',
  about:
    `\`kernels.ternarize\`, density 0.05, of ${N} float32 items (${((4 * N) / 1e9).toFixed(1)} GB), and ` +
    '`weights.writeTernary` to a file that is synced; rivals write the same signs as their own kind of file. Notes: ' +
    'seconds of the signs alone, and the bytes of the file. The limit is that of four passes over the floats (moments, ' +
    'two for the cut, signs), without the file.',
  bars: [
    { rival: 'numpy', atLeast: 5 },
    { rival: 'torch', atLeast: 5 },
  ],
  limit: { of: 'memory', atLeast: 0.6 },
  work: { bytes: 4 * 4 * N },
  engines: [
    tamisEngine('`kernels.ternarizeSync`, `weights.writeTernary`', 'ternarize.ts', ARGS),
    {
      name: 'numpy',
      about:
        "the authors' steps: `partition` of the magnitudes, `std`, the signs packed in two masks; it has one thread",
      threads: [1],
      setUp: numpy.setUp,
      version: () => numpy.version('numpy'),
      command: (threads) => numpy.command('ternarize-numpy.py', ARGS, threads),
    },
    {
      name: 'torch',
      about: "the authors' steps: `kthvalue` of the magnitudes, `std`, the signs as int8 by `torch.save`",
      threads: [1, 2],
      setUp: torch.setUp,
      version: () => torch.version('torch'),
      command: (threads) => torch.command('ternarize-torch.py', ARGS, threads),
    },
    javascriptEngine(
      "a histogram of the magnitudes' bits, two moments, two masks, in loops over typed arrays",
      'ternarize.ts',
      ARGS,
    ),
  ],
}
