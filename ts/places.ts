/**
 * Where a run on files writes: one main output and at most one file beside it, held from the start and put in place at the
 * end.
 * @module
 */
import { resolve, sep } from 'node:path'
import { TamisError } from './errors.js'
import { checkApart, checkName, checkSideFile, type FileRun } from './files.js'
import { native } from './native.js'
import type { NativeCorpus, NativeOutput, NativeWritten } from './native-files.js'

/** What is written, and what becomes of an earlier run's. @hidden */
export interface OutputPlan {
  output: { path: string; folder: boolean } | undefined
  /** A file beside the output, named as the option that asks for it. */
  side: { name: string; path: string; endings: readonly string[] } | undefined
  resume: boolean
  force: boolean
  dryRun: boolean
}

const ONE_FILE = /\.(jsonl|ndjson|txt)(\.gz|\.zst)?$|\.parquet$/i

/** The main output: one file if its name says so, else a folder. @hidden */
export function planOutput(o: { out?: string; outDir?: string }, dryRun: boolean): OutputPlan['output'] {
  if (o.out !== undefined && o.outDir !== undefined) {
    throw new TamisError('ERR_TAMIS_RANGE', 'out and outDir both say where the kept records go: give one')
  }
  if (o.outDir !== undefined) return { path: checkName('outDir', o.outDir), folder: true }
  if (o.out !== undefined) {
    const path = checkName('out', o.out)
    return { path, folder: !ONE_FILE.test(path) }
  }
  if (dryRun) return undefined
  throw new TamisError('ERR_TAMIS_RANGE', 'out must say where the kept records go (or let dryRun be true)')
}

/**
 * Takes hold of the places that are written, so that what must not be replaced stops a run before its first pass.
 * @param fingerprint - what the results depend on besides the files
 * @param files - on which they depend besides the corpora
 * @hidden
 */
export async function openPlaces<Pass extends string>(
  run: FileRun<Pass>,
  plan: OutputPlan,
  corpora: NativeCorpus[],
  fingerprint: Record<string, unknown>,
  files: readonly string[] = [],
): Promise<Places> {
  if (plan.dryRun || !plan.output) return { output: undefined, force: plan.force }
  const { path, folder } = plan.output
  const { side } = plan
  await checkApart(path, corpora)
  if (side !== undefined) {
    await checkApart(side.path, corpora)
    if (`${resolve(side.path)}${sep}`.startsWith(`${resolve(path)}${sep}`)) {
      throw new TamisError(
        'ERR_TAMIS_RANGE',
        `${side.name} must lie outside the output ${path}, got ${side.path}`,
      )
    }
  }
  const force = await run.claim(path, { options: fingerprint, corpora, files }, plan)
  if (side !== undefined) checkSideFile(side.name, side.path, force, side.endings)
  return { output: run.hold(await native.openOutput(path, folder, force)), force }
}

/** The places that are written. @hidden */
export interface Places {
  output: NativeOutput | undefined
  force: boolean
}

/** Writes the manifest, which completes the output, and clears what the run would have gone on from. @hidden */
export async function commit<Pass extends string>(
  run: FileRun<Pass>,
  written: NativeWritten,
  manifest: Record<string, unknown>,
): Promise<string> {
  run.check()
  return run.settle(async () => {
    const json = `${JSON.stringify(manifest, null, 2)}\n`
    const path = await native.commitWritten(written, json, run.job)
    run.committed()
    return path
  })
}
