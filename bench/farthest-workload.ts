/**
 * The workload of `kernels.farthestFirst`, on rows of two kinds.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { javascriptEngine, nodeCommand, tamisEngine } from './engines/node.js'
import type { KernelEngine, KernelWorkload } from './kernel-workload.js'
import { pythonEnvironment, tunedBlas } from './python.js'

const [ROWS, WIDTH, KEEP] = [1_000_000, 128, 1000]
/** Rows that the slower engines keep: each step is one pass, so that a part stands for all. */
const [NUMPY_KEEP, JAVASCRIPT_KEEP] = [50, 12]

/** Rows that apricot is given, since its memory is their square, and how many it keeps. */
const [APRICOT_ROWS, APRICOT_KEEP] = [8000, 80]

/** Rows of a kind, kept by the cosine from row 0 on. */
export function farthestWorkload(kind: 'clustered' | 'uniform', atLeast: number): KernelWorkload {
  const numpy = pythonEnvironment('numpy')
  const apricot = pythonEnvironment('apricot')
  const file = fileURLToPath(new URL(`data/rows-${kind}-${ROWS}x${WIDTH}.f32`, import.meta.url))
  const args = (keep: number) => [file, String(WIDTH), String(keep)]
  const numpyEngine = (name: string, about: string, env: Record<string, string>): KernelEngine => ({
    name,
    about,
    threads: [1, 2],
    part: NUMPY_KEEP / KEEP,
    setUp: numpy.setUp,
    version: () => numpy.version('numpy'),
    command: (threads) => numpy.command('farthest-first.py', args(NUMPY_KEEP), threads, env),
  })
  return {
    name: `farthest-first-${kind}`,
    about:
      `\`kernels.farthestFirst\`, ${KEEP} of ${ROWS} x ${WIDTH} ${kind} rows by the cosine; the rivals' rows are ` +
      'divided by their norms before the clock starts, ours after. The share of the limit is that of the bytes that ' +
      'the definition reads.',
    bars: [
      { rival: 'numpy', atLeast },
      { rival: 'javascript', atLeast: 30 },
      { rival: 'apricot', atLeast: 30 },
    ],
    limit: { of: 'memory', atLeast: 0.8 },
    work: { bytes: 4 * ROWS * WIDTH * KEEP },
    setUp() {
      if (existsSync(file) && statSync(file).size === 4 * ROWS * WIDTH) return
      const clumps = kind === 'clustered' ? '2000' : '0'
      const make = nodeCommand('rows.ts', [file, String(ROWS), String(WIDTH), '2', clumps], 2)
      execFileSync(make.file, make.args, { env: { ...process.env, ...make.env }, stdio: 'inherit' })
    },
    engines: [
      tamisEngine('`kernels.farthestFirstSync`', 'farthest-first.ts', args(KEEP)),
      numpyEngine('numpy', 'for each step one product, a minimum and an argmax, in place', tunedBlas()),
      numpyEngine('numpy-shipped', 'the same, its OpenBLAS as it is shipped', {}),
      {
        name: 'apricot',
        about:
          `\`FacilityLocationSelection\`, lazy, cosine: the nearest it has (no Max-Min), of all pairs; ${APRICOT_KEEP} ` +
          `of ${APRICOT_ROWS} rows, a rate in rows times kept`,
        threads: [1],
        part: (APRICOT_ROWS * APRICOT_KEEP) / (ROWS * KEEP),
        setUp: apricot.setUp,
        version: () => apricot.version('apricot-select', 'numba'),
        command: (threads) =>
          apricot.command(
            'farthest-first-apricot.py',
            [file, String(WIDTH), String(APRICOT_ROWS), String(APRICOT_KEEP)],
            threads,
            { NUMBA_NUM_THREADS: String(threads) },
          ),
      },
      javascriptEngine('one loop over typed arrays a step', 'farthest-first.ts', args(JAVASCRIPT_KEEP), {
        part: JAVASCRIPT_KEEP / KEEP,
      }),
    ],
  }
}
