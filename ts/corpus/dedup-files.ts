/**
 * Duplicates in files: one document of each group of those that are the same is written, with all its other fields.
 *
 * A pass marks every document (a digest of its text, or the bands of its MinHash signature), documents that share a mark are
 * linked, and a last pass over the files writes what is kept. Memory: 4 bytes a document beside `memory`.
 * @module
 */

import { bytesOf, runOnFiles } from '../files.js'
import { lshParamsSync } from '../kernels/index.js'
import { checkThreshold, minHashShape } from '../minhash.js'
import { native } from '../native.js'
import { checkBoolean, checkOptions } from '../options.js'
import { openPlaces } from '../places.js'
import {
  DEDUP_OPTIONS,
  type DedupPlan,
  type FileDedupOptions,
  type FileSources,
  planDedup,
} from './dedup-files-options.js'
import { surveyGroups } from './dedup-files-report.js'
import { completeDedup, type FileDedup, sourcesOf } from './dedup-files-result.js'
import { checkBands, NEAR_OPTIONS, type NearOptions } from './slimpajama-near.js'

/** What {@link dedupFilesExact} is told. */
export interface ExactFileOptions extends FileDedupOptions {
  /** Compare texts as {@link cleanText} gives them. Default false: byte for byte. */
  clean?: boolean
}

/** What {@link dedupFilesNear} is told. */
export interface NearFileOptions extends FileDedupOptions, Omit<NearOptions, 'scope'> {}

/**
 * Keeps the first of all records of the same text, and writes it with all its other fields to one file or a folder: what
 * {@link dedupExact} keeps of the concatenated texts. O(bytes), two passes over the files, in parallel; the same records for
 * any number of threads. Texts are compared by 128 bits of XXH3.
 *
 * Memory: 4 bytes a record, two blocks (2 MiB) a worker, and what `memory` allows.
 * @param inputs - the files, see {@link FileSources}
 * @throws TamisError `FILE:RECORD: not a record with a string field "text"`; `OUT exists`; `ERR_TAMIS_IO` with the path;
 * `ERR_TAMIS_ABORTED`, whose message says where the finished parts lie
 * @example
 * import { corpus } from 'tamis'
 * const { kept, dropped } = await corpus.dedupFilesExact(['web/*.jsonl.gz'], { out: 'distinct' })
 */
export async function dedupFilesExact(inputs: FileSources, options: ExactFileOptions): Promise<FileDedup> {
  const o = checkOptions('options', options, [...DEDUP_OPTIONS, 'clean'])
  const settings = { clean: checkBoolean('clean', o.clean, false) }
  return dedupFiles('exact', planDedup(inputs, o), o, settings, { ...settings, near: undefined })
}

/**
 * Keeps the first of each group of near-identical records, and writes it with all its other fields to one file or a
 * folder: what {@link dedupNear} keeps of the concatenated texts. O(characters * numPerm) for the signatures, two passes over the
 * files, in parallel; the same records for any number of threads and any `memory`.
 *
 * Memory: 4 bytes a record, two blocks (2 MiB) a worker, and what `memory` allows. Disk beside the output: 8 bytes a
 * band and record (72 by default), twice where they exceed `memory`, and with `verify` 4 a value of the signature.
 * @param inputs - the files, see {@link FileSources}
 * @throws TamisError what {@link dedupNear} throws of its options, and what {@link dedupFilesExact} throws of files
 * @example
 * import { corpus } from 'tamis'
 * const { kept, matched } = await corpus.dedupFilesNear(['web/*.jsonl.gz', 'books'], {
 *   against: ['benchmarks'],
 *   out: 'distinct',
 *   clusters: 'duplicates.jsonl',
 * })
 */
export async function dedupFilesNear(inputs: FileSources, options: NearFileOptions): Promise<FileDedup> {
  const o = checkOptions('options', options, [...new Set([...DEDUP_OPTIONS, ...NEAR_OPTIONS])])
  const plan = planDedup(inputs, o)
  const shape = minHashShape(o)
  const { numPerm } = shape
  const threshold = checkThreshold(o.threshold ?? 0.8)
  const verify = checkBoolean('verify', o.verify, false)
  const given = checkBands(o, numPerm)
  const { bands, rows } = given.bands === undefined ? lshParamsSync(threshold, { numPerm }) : given
  const settings = { ...shape, seed: String(shape.seed), threshold, bands, rows, verify }
  const near = {
    ...shape,
    bands: bands as number,
    rows: rows as number,
    verify: verify ? threshold : undefined,
  }
  return dedupFiles('near', plan, o, settings, { clean: true, near })
}

type Marking = Pick<Parameters<typeof native.digestCorpora>[2], 'clean' | 'near'>

/** Runs the passes. `settings` are the method's options in force. */
async function dedupFiles(
  method: 'exact' | 'near',
  plan: DedupPlan,
  o: FileDedupOptions,
  settings: Record<string, unknown>,
  marking: Marking,
): Promise<FileDedup> {
  return runOnFiles(o, async (run) => {
    const against = plan.against.length > 0 ? await run.open(plan.against) : undefined
    const pool = await run.open(plan.patterns)
    const corpora = against ? [against, pool] : [pool]
    const sources = sourcesOf(plan, pool)
    const places = await openPlaces(run, plan, corpora, {
      tamis: native.version(),
      unicode: native.unicodeVersion(),
      method,
      ...run.read,
      ...settings,
      scope: plan.local,
      sources,
      against: against?.inputs().length ?? 0,
    })
    run.begin('mark', bytesOf(...corpora))
    const digested = await run.work((job) =>
      native.digestCorpora(
        against,
        pool,
        { ...marking, sources: plan.local ? sources : undefined, memory: plan.memory, threads: run.threads },
        run.state,
        job,
      ),
    )
    const seen = digested.seen()
    run.begin('link', digested.linkBytes())
    const duplicates = await run.work((job) => native.findDuplicates(digested, run.state, job))
    const survey = await surveyGroups(run, duplicates, sources)
    run.begin('write', bytesOf(pool))
    const written = run.hold(
      await run.work((job) =>
        native.writeDistinct(pool, duplicates, survey.shown, places.output, run.threads, job),
      ),
    )
    return completeDedup(
      run,
      plan,
      { places, pool, against, sources },
      { method, settings, seen, duplicates, survey, written },
    )
  })
}
