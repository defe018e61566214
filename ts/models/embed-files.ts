/**
 * Files to vectors.
 * @module
 */
import { resolve } from 'node:path'
import { TamisError } from '../errors.js'
import {
  bytesOf,
  checkName,
  checkPatterns,
  checkStandardInput,
  FILE_OPTIONS,
  type FileOptions,
  runOnFiles,
} from '../files.js'
import { native } from '../native.js'
import type { NativeOutput, NativeState } from '../native-files.js'
import { checkOptions } from '../options.js'
import { commit, openPlaces } from '../places.js'
import { manifestOf, modelFiles, type OutputOptions, planOf } from './files.js'
import { resolveModel, SOURCE_OPTIONS, toldFetch } from './hub.js'
import { embedderSettings, type TextEmbedderOptions } from './text-embedder.js'

/** The passes of {@link embedFiles}; `fetch`, whose records are files, where a model of the hub is not in the cache. */
export type EmbedPass = 'fetch' | 'embed' | 'write'

/** What {@link embedFiles} is told. */
export interface EmbedFilesOptions
  extends Omit<FileOptions<EmbedPass>, 'threads'>,
    Omit<TextEmbedderOptions, 'signal'>,
    OutputOptions {
  /** The folder of the model or its name on the hub, as {@link TextEmbedder.load} takes it. */
  model: string
  /** Where vectors go: `.safetensors` (a tensor `embedding`), `.npy`, or `.parquet` (a column `embedding`). */
  out: string
}

/** What {@link embedFiles} wrote. */
export interface EmbeddedFiles {
  /** Vectors, one for each good record, in the order of files and records. */
  records: number
  dimensions: number
  /** Bad records passed over. */
  skipped: number
  /** Messages of the first of them. */
  bad: string[]
  /** The file written. */
  file: string
  manifest: string
  seconds: number
}

/**
 * Writes the vectors of files' records: what `tamis select --method kmq`, `tamis dedup --semantic` and others take beside a corpus. Texts
 * are read block by block and embedded on all threads; vectors are kept in the state of the run as they come, so that an interrupted one goes on
 * from the last 2 MiB of text (of a compressed file: from its start). O(tokens); memory: the model, and a block of texts with its vectors. The
 * same bytes for any number of threads.
 * @param raw - paths, globs, folders, `-`
 * @throws TamisError `out must end in`, what {@link TextEmbedder.load} throws of `model`, and of files what `corpus.selectFilesByImportance` throws
 * @example
 * import { models } from 'tamis'
 * await models.embedFiles(['pool/*.jsonl.gz'], { model: 'all-MiniLM-L6-v2', out: 'pool.safetensors' })
 */
export async function embedFiles(raw: readonly string[], options: EmbedFilesOptions): Promise<EmbeddedFiles> {
  const known = FILE_OPTIONS.filter((name) => name !== 'threads')
  const own = [
    'model',
    'out',
    'resume',
    'force',
    'pooling',
    'normalize',
    'maxTokens',
    ...SOURCE_OPTIONS,
  ] as const
  const o = checkOptions('options', options, [...known, ...own])
  const path = checkName('out', o.out)
  if (!/\.(?:safetensors|npy|parquet)$/i.test(path)) {
    throw new TamisError('ERR_TAMIS_RANGE', `out must end in .safetensors, .npy or .parquet, got ${path}`)
  }
  const settings = embedderSettings(o)
  const plan = planOf({ path, folder: false }, o)
  const patterns = checkPatterns('raw', raw)
  checkStandardInput(patterns, plan.resume)
  const folder = await resolveModel('model', o.model, { ...o, onProgress: toldFetch(o.onProgress) })
  return runOnFiles(o, async (run) => {
    const corpus = await run.open(patterns)
    const model = await native.openTextEmbedder(folder, settings, run.job)
    model.weigh()
    try {
      const dimensions = model.width()
      const used = {
        model: resolve(folder),
        pooling: model.pooling(),
        normalize: model.normalize(),
        maxTokens: model.mostTokens(),
      }
      const print = { tamis: native.version(), method: 'embed', ...run.read, ...used }
      const places = await openPlaces(run, plan, [corpus], print, modelFiles(folder))
      run.begin('embed', bytesOf(corpus))
      const rows = await run.work((job) => native.embedCorpus(corpus, model, run.state as NativeState, job))
      const [records, files, bad, hashes] = [rows.records(), rows.files(), rows.bad(), rows.hashes()]
      run.begin('write', 0)
      const written = run.hold(
        await run.work((job) => native.writeVectors(rows, places.output as NativeOutput, job)),
      )
      const outputs = written.files()
      const about = { method: 'embed', options: used, corpus, files, hashes, outputs }
      const told = manifestOf(run, { ...about, totals: { records, dimensions } })
      const manifest = await commit(run, written, told)
      const skipped = files.reduce((sum, file) => sum + file.skipped, 0)
      const file = outputs[0]?.path as string
      return { records, dimensions, skipped, bad, file, manifest, seconds: told.seconds }
    } finally {
      model.dispose()
    }
  })
}
