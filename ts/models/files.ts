/**
 * What calls of a model on files share.
 * @hidden
 * @module
 */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { FileRun } from '../files.js'
import { native } from '../native.js'
import type { NativeCorpus, NativeFileTotals, NativeOutputFile } from '../native-files.js'
import { checkBoolean } from '../options.js'

/** What is kept from one run to the next, and replaced. */
export interface OutputOptions {
  /** Go on with an interrupted run of the same options on the same files. Default false. */
  resume?: boolean
  /** Replace an output that exists. Default false. */
  force?: boolean
}

/** The plan of an output that is always written. */
export function planOf(output: { path: string; folder: boolean }, o: OutputOptions) {
  return {
    output,
    side: undefined,
    resume: checkBoolean('resume', o.resume, false),
    force: checkBoolean('force', o.force, false),
    dryRun: false,
  }
}

/** What a model is read from: a run that goes on must find the same. */
export function modelFiles(path: string): string[] {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return [path]
  const names = readdirSync(path).filter((name) => /\.(?:safetensors|json|jinja)$/.test(name))
  return names.sort().map((name) => join(path, name))
}

/** The manifest of a run. */
export function manifestOf<Pass extends string>(
  run: FileRun<Pass>,
  about: {
    method: string
    options: Record<string, unknown>
    corpus: NativeCorpus
    files: NativeFileTotals[]
    hashes: (string | null)[]
    totals: Record<string, number>
    outputs: NativeOutputFile[]
  },
): Record<string, unknown> & { seconds: number } {
  const { method, options, corpus, files, hashes, totals, outputs } = about
  const skipped = files.reduce((sum, file) => sum + file.skipped, 0)
  return {
    tamis: native.version(),
    method,
    startedAt: run.started.toISOString(),
    seconds: (Date.now() - run.started.getTime()) / 1000,
    options: { ...run.read, ...options },
    inputs: corpus.inputs().map(({ path, name, bytes }, i) => ({
      path,
      name,
      bytes,
      records: files[i]?.records,
      skipped: files[i]?.skipped,
      sha256: hashes[i] ?? null,
    })),
    totals: { ...totals, skipped },
    outputs,
  }
}
