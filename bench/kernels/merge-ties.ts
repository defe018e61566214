/**
 * TIES over files: four models of 1 GB and their base, merged into a fifth.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { nodeCommand, tamisEngine } from '../engines/node.js'
import type { KernelEngine, KernelWorkload } from '../kernel-workload.js'
import { pythonEnvironment } from '../python.js'

const merge = pythonEnvironment('merge')
/** Layers of 51 MB each, beside embeddings of 262 MB. */
const LAYERS = Number(process.env.TAMIS_BENCH_LAYERS ?? 15)
const MODELS = 4
const FOLDER = fileURLToPath(new URL(`../data/models-${LAYERS}`, import.meta.url))
const ARGS = [FOLDER, String(MODELS)]
const BYTES = 4 * (2 * 32_000 * 1024 + LAYERS * (4 * 1024 * 1024 + 3 * 1024 * 2816))

function rival(name: string, about: string, packages: string[]): KernelEngine {
  return {
    name,
    about,
    threads: [1, 2],
    setUp: merge.setUp,
    version: () => merge.version(...packages),
    command: (threads) => merge.command(`merge-ties-${name}.py`, ARGS, threads),
  }
}

export const workload: KernelWorkload = {
  name: 'merge-ties',
  about:
    `\`weights.mergeFiles\`, method \`ties\`, each tensor trimmed apart to a fifth: ${MODELS} float32 models of ` +
    `${(BYTES / 1e9).toFixed(2)} GB and their base, from files to a file. The rivals run once, without a warm-up: their files are in the page cache.`,
  bars: [
    { rival: 'mergekit', atLeast: 2 },
    { rival: 'torch', atLeast: 4 },
  ],
  memory: [{ rival: 'mergekit', atMost: 0.25 }],
  setUp() {
    if (existsSync(`${FOLDER}/model-${MODELS - 1}/model.safetensors`)) return
    const { file, args, env } = nodeCommand('models.ts', [FOLDER, String(LAYERS), String(MODELS)], 2)
    execFileSync(file, args, { env: { ...process.env, ...env }, stdio: 'inherit' })
  },
  engines: [
    tamisEngine(
      '`weights.mergeFiles`; its output is on the disk (synced) when it ends',
      'merge-ties.ts',
      ARGS,
    ),
    rival('mergekit', 'its `run_merge`, method `ties`, on the CPU', ['mergekit', 'torch']),
    rival('torch', 'the same steps with `topk` tensor by tensor, files by the safetensors package', [
      'torch',
      'safetensors',
    ]),
  ],
}
