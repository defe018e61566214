/**
 * What the workloads of k-means share.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { javascriptEngine, nodeCommand, tamisEngine } from './engines/node.js'
import type { Bar, KernelEngine, KernelWorkload } from './kernel-workload.js'
import { packageVersion, setUpPackages } from './node-packages.js'
import { pythonEnvironment, tunedBlas } from './python.js'

const ROWS = Number(process.env.TAMIS_BENCH_KMEANS_ROWS ?? 100_000)
const WIDTH = 384
const K = 1024
/** The part of the rows that JavaScript is given, k and more. */
const PART = 0.02

const vectors = pythonEnvironment('vectors')

/** Which rows, and how long. */
export interface KMeansRun {
  name: string
  about: string
  /** 0 for none. */
  clumps: number
  iterations: number
  bars: readonly Bar[]
}

export function kMeansWorkload({ name, about, clumps, iterations, bars }: KMeansRun): KernelWorkload {
  const data = fileURLToPath(
    new URL(`data/${clumps > 0 ? `clumps-${clumps}` : 'normal'}-${ROWS}x${WIDTH}-3.f32`, import.meta.url),
  )
  const args = [data, String(WIDTH), String(K), String(iterations)]
  const rival = (
    engine: string,
    how: string,
    way: string,
    packages: string[],
    env: Record<string, string>,
  ): KernelEngine => ({
    name: engine,
    about: how,
    threads: [1, 2],
    setUp: vectors.setUp,
    version: () => vectors.version(...packages),
    command: (threads) => vectors.command('k-means.py', [way, ...args, String(threads)], threads, env),
  })
  const whole = clumps === 0
  return {
    name,
    about: `\`kernels.kMeans\`: ${ROWS} x ${WIDTH} float32, k = ${K}, the first ${K} rows as starts; ${about}.`,
    bars,
    ...(whole && {
      limit: { of: 'matrix', atLeast: 0.85 },
      work: { multiplyAdds: (iterations + 1) * ROWS * WIDTH * K },
    }),
    setUp() {
      if (existsSync(data)) return
      const command = nodeCommand('rows.ts', [data, String(ROWS), String(WIDTH), '3', String(clumps)], 2)
      execFileSync(command.file, command.args, { env: { ...process.env, ...command.env }, stdio: 'inherit' })
    },
    engines: [
      tamisEngine('`kernels.kMeansSync`, tolerance 0', 'k-means.ts', args),
      rival(
        'faiss-cpu',
        '`Clustering` on all rows, its OpenBLAS set to this processor',
        'faiss',
        ['faiss-cpu'],
        tunedBlas(),
      ),
      rival('faiss-cpu-shipped', 'the same as it is shipped', 'faiss', ['faiss-cpu'], {}),
      rival('scikit-learn', '`KMeans`, `lloyd`, tolerance 0, tuned', 'lloyd', ['scikit-learn'], tunedBlas()),
      ...(whole
        ? [
            rival(
              'numpy',
              'product and `argmin` in blocks, means by sorted sums, tuned',
              'numpy',
              ['numpy'],
              tunedBlas(),
            ),
            rival('numpy-shipped', 'the same as it is shipped', 'numpy', ['numpy'], {}),
            javascriptEngine(
              `loops over typed arrays; on ${100 * PART} % of the rows`,
              'k-means.ts',
              [...args, String(PART)],
              { part: PART },
            ),
            javascriptEngine(
              `the npm package, on ${100 * PART} % of the rows`,
              'k-means-ml.ts',
              [...args, String(PART)],
              {
                name: 'ml-kmeans',
                part: PART,
                setUp: setUpPackages,
                version: () => packageVersion('ml-kmeans'),
              },
            ),
          ]
        : [rival('scikit-learn-elkan', 'the same, `elkan`', 'elkan', ['scikit-learn'], tunedBlas())]),
    ],
  }
}
