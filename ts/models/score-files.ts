/**
 * Files to files with losses.
 * @module
 */
import { resolve } from 'node:path'
import {
  bytesOf,
  checkPatterns,
  checkStandardInput,
  FILE_OPTIONS,
  type FileOptions,
  runOnFiles,
} from '../files.js'
import { native } from '../native.js'
import type { NativeState } from '../native-files.js'
import { checkBoolean, checkInteger, checkOptions } from '../options.js'
import { commit, openPlaces, planOutput } from '../places.js'
import type { LossOptions } from './causal-lm.js'
import { manifestOf, modelFiles, type OutputOptions, planOf } from './files.js'
import { type ModelSource, resolveModel, SOURCE_OPTIONS, toldFetch } from './hub.js'

/** The passes of {@link scoreFiles}; `fetch`, whose records are files, where a model of the hub is not in the cache. */
export type ScorePass = 'fetch' | 'score' | 'read' | 'write'

/** What {@link scoreFiles} is told. */
export interface ScoreFilesOptions
  extends Omit<FileOptions<ScorePass>, 'threads'>,
    Pick<LossOptions, 'bos' | 'maxTokens' | 'stride'>,
    ModelSource,
    OutputOptions {
  /** The folder or GGUF file of the model or its name on the hub, as {@link CausalLM.load} takes it. */
  model: string
  /** One file for all records: `.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.parquet`; anything else is a folder. */
  out?: string
  /** A folder, with a file for each input. */
  outDir?: string
}

/** What {@link scoreFiles} wrote. */
export interface ScoredFiles {
  /** Good records, all of which are written. */
  records: number
  /** Tokens with a loss. */
  tokens: number
  /** The mean loss of a token. */
  loss: number
  /** Bad records passed over. */
  skipped: number
  /** Messages of the first of them. */
  bad: string[]
  files: string[]
  manifest: string
  seconds: number
}

/**
 * Writes files' records with their losses: in JSONL `tamis: { perplexity, loss, tokens }` behind a record's own fields, in Parquet columns
 * `tamis_perplexity`, `tamis_loss` and `tamis_tokens`; all else is carried through. The loss is the mean over a record's tokens as
 * {@link CausalLM.sequenceLosses} has it; a record without one (empty, a single token) has null (in Parquet NaN) and 0 tokens. Longer records than
 * `maxTokens` go in windows. Losses are kept in the state of the run as they come, so that an interrupted one goes on from the last 2 MiB of text (of
 * a compressed file: from its start). O(tokens); memory: the model, and 70 bytes a record. The same bytes for any number of threads.
 * @param raw - paths, globs, folders, `-`
 * @throws TamisError `maxTokens must be`, `stride must be`, `bos must be`; what {@link CausalLM.load} throws of `model`, and of files what
 * `corpus.selectFilesByImportance` throws
 * @example
 * import { models } from 'tamis'
 * await models.scoreFiles(['pool/*.jsonl'], { model: 'SmolLM2-135M-Instruct.Q4_1.gguf', out: 'scored.parquet' })
 */
export async function scoreFiles(raw: readonly string[], options: ScoreFilesOptions): Promise<ScoredFiles> {
  const known = FILE_OPTIONS.filter((name) => name !== 'threads')
  const own = [
    'model',
    'out',
    'outDir',
    'resume',
    'force',
    'bos',
    'maxTokens',
    'stride',
    ...SOURCE_OPTIONS,
  ] as const
  const o = checkOptions('options', options, [...known, ...own])
  const output = planOutput(o, false) as { path: string; folder: boolean }
  const plan = planOf(output, o)
  const begin = o.bos === undefined ? {} : { begin: checkBoolean('bos', o.bos, true) }
  const patterns = checkPatterns('raw', raw)
  checkStandardInput(patterns, plan.resume)
  const from = await resolveModel('model', o.model, { ...o, onProgress: toldFetch(o.onProgress) })
  return runOnFiles(o, async (run) => {
    const corpus = await run.open(patterns)
    const model = await native.openCausalModel(from, run.job)
    model.weigh()
    try {
      const window = checkInteger('maxTokens', o.maxTokens ?? model.positions(), 2, model.positions())
      const stride = checkInteger('stride', o.stride ?? window, 1, window)
      const used = { model: resolve(from), bos: o.bos, maxTokens: window, stride }
      const print = { tamis: native.version(), method: 'score', ...run.read, ...used }
      const places = await openPlaces(run, plan, [corpus], print, modelFiles(from))
      run.begin('score', bytesOf(corpus))
      const how = { ...begin, window, stride }
      const rows = await run.work((job) =>
        native.measureLosses(corpus, model, how, run.state as NativeState, job),
      )
      const [records, files, bad, hashes] = [rows.records(), rows.files(), rows.bad(), rows.hashes()]
      run.begin('read', bytesOf(corpus))
      const plain = { vector: undefined, numbers: [], hash: false, threads: undefined }
      const found = await run.work((job) => native.findPlaces(corpus, plain, undefined, job))
      const { chosen, tokens, loss } = await run.work(async (job) => {
        const [tokens, loss] = await rows.means(job)
        return { tokens, loss, chosen: await native.chooseScored(found, rows, job) }
      })
      run.begin('write', bytesOf(corpus))
      const writing = {
        ngrams: 1,
        buckets: 1,
        addScores: undefined,
        addLosses: true,
        examples: 0,
        threads: undefined,
      }
      const written = run.hold(
        await run.work((job) => native.writeChosen(corpus, chosen, places.output, writing, undefined, job)),
      )
      const outputs = written.files()
      const about = { method: 'score', options: used, corpus, files, hashes, outputs }
      const told = manifestOf(run, { ...about, totals: { records, tokens, loss } })
      const manifest = await commit(run, written, told)
      const skipped = files.reduce((sum, file) => sum + file.skipped, 0)
      const paths = outputs.map((file) => file.path)
      return { records, tokens, loss, skipped, bad, files: paths, manifest, seconds: told.seconds }
    } finally {
      model.dispose()
    }
  })
}
