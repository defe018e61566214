/**
 * The ten nearest rows of a large base for each query.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { javascriptEngine, nodeCommand, tamisEngine } from '../engines/node.js'
import type { KernelEngine, KernelWorkload } from '../kernel-workload.js'
import { packageVersion, setUpPackages } from '../node-packages.js'
import { pythonEnvironment, tunedBlas } from '../python.js'

const ROWS = Number(process.env.TAMIS_BENCH_ROWS ?? 1_000_000)
const QUERIES = 1000
const WIDTH = 384
const K = 10
/** The part of the queries that plain JavaScript is given. */
const PART = 0.005
const USEARCH_PART = 0.05
const file = (name: string): string => fileURLToPath(new URL(`../data/${name}.f32`, import.meta.url))
const BASE = file(`normal-${ROWS}x${WIDTH}-1`)
const FROM = file(`normal-${QUERIES}x${WIDTH}-2`)
const ARGS = [FROM, BASE, String(WIDTH), String(K)]

const vectors = pythonEnvironment('vectors')

function rival(
  name: string,
  about: string,
  way: string,
  packages: string[],
  env: Record<string, string>,
): KernelEngine {
  return {
    name,
    about,
    threads: [1, 2],
    setUp: vectors.setUp,
    version: () => vectors.version(...packages),
    command: (threads) => vectors.command('nearest.py', [way, ...ARGS, String(threads)], threads, env),
  }
}

export const workload: KernelWorkload = {
  name: 'nearest',
  about: `\`kernels.nearest\`: ${QUERIES} queries on ${ROWS} x ${WIDTH} float32 (normal draws), cosine, k = ${K}.`,
  bars: [
    { rival: 'faiss-cpu', atLeast: 1.1 },
    { rival: 'numpy', atLeast: 1.1 },
    { rival: 'usearch', atLeast: 2 },
    { rival: 'javascript', atLeast: 30 },
  ],
  limit: { of: 'matrix', atLeast: 0.85 },
  work: { multiplyAdds: QUERIES * ROWS * WIDTH },
  setUp() {
    for (const [path, count, seed] of [
      [BASE, ROWS, 1],
      [FROM, QUERIES, 2],
    ] as const) {
      if (existsSync(path)) continue
      const command = nodeCommand('rows.ts', [path, String(count), String(WIDTH), String(seed)], 2)
      execFileSync(command.file, command.args, { env: { ...process.env, ...command.env }, stdio: 'inherit' })
    }
  },
  engines: [
    tamisEngine('`kernels.nearestSync`', 'nearest.ts', ARGS),
    rival(
      'faiss-cpu',
      '`IndexFlatIP` on unit rows, its OpenBLAS set to this processor',
      'faiss',
      ['faiss-cpu'],
      tunedBlas(),
    ),
    rival('faiss-cpu-shipped', 'the same as it is shipped', 'faiss', ['faiss-cpu'], {}),
    rival('numpy', 'products in blocks of rows, `argpartition`, tuned', 'numpy', ['numpy'], tunedBlas()),
    rival('numpy-shipped', 'the same as it is shipped', 'numpy', ['numpy'], {}),
    {
      name: 'usearch',
      about: `\`exactSearch\` of the npm package; ${100 * USEARCH_PART} % of the queries`,
      threads: [1, 2],
      part: USEARCH_PART,
      setUp: setUpPackages,
      version: () => packageVersion('usearch'),
      command: (threads) =>
        nodeCommand(
          'javascript/nearest-usearch.ts',
          [...ARGS, String(USEARCH_PART), String(threads)],
          threads,
        ),
    },
    javascriptEngine(
      `loops over typed arrays; on ${100 * PART} % of the queries`,
      'nearest.ts',
      [...ARGS, String(PART)],
      {
        part: PART,
      },
    ),
  ],
}
