/**
 * Duplicates in files: one document of each group of those that are the same is written, with all its other fields.
 *
 * A pass marks every document (a digest of its text, or the bands of its MinHash signature), documents that share a mark are
 * linked, and a last pass over the files writes what is kept. Memory: 4 bytes a document beside `memory`.
 * @module
 */
import { lshParamsSync } from '../kernels/index.js'
import { checkThreshold, minHashShape } from '../minhash.js'
import { native } from '../native.js'
import type { NativeDuplicates, NativeSeen } from '../native-dedup-files.js'
import type { NativeCorpus } from '../native-files.js'
import { checkBoolean, checkOptions } from '../options.js'
import {
  DEDUP_OPTIONS,
  type DedupPlan,
  type FileDedupOptions,
  type FileSources,
  planDedup,
} from './dedup-files-options.js'
import { runOnFiles } from './files.js'
import { commit, openPlaces } from './places.js'
import { checkBands, NEAR_OPTIONS, type NearOptions } from './slimpajama-near.js'

/** What a run that finds duplicates kept. */
export interface FileDedup {
  /** Good records of the input. */
  records: number
  /** Records kept: one of each group. */
  kept: number
  /** Records dropped. */
  dropped: number
  /** Records among the dropped that are the same as one of `against`. */
  matched: number
  /** Groups of two and more records of which one is kept. */
  clusters: number
  /** Bad records passed over. */
  skipped: number
  /** UTF-8 bytes of the texts of all records, and of the kept. */
  bytes: number
  keptBytes: number
  /** Of each source its records and how many are kept. */
  sources: { name: string; records: number; kept: number }[]
  /** Records that were only compared with. */
  against: number
  /** The files written; none in a dry run. */
  files: string[]
  /** Messages of the first skipped records. */
  bad: string[]
  warnings: string[]
  /** Where the manifest lies; undefined in a dry run. */
  manifest: string | undefined
  seconds: number
  /** Bytes read from disk by the marking pass: less than a whole run's after a resume. */
  bytesRead: number
}

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
 * Memory: 4 bytes a record, two blocks (8 MiB) a worker, and what `memory` allows.
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
 * Memory: 4 bytes a record, two blocks (8 MiB) a worker, and what `memory` allows. Disk beside the output: 8 bytes a
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
    const sources = pool.inputs().map(({ pattern }) => plan.sourceOf[pattern] as number)
    const used = { ...settings, scope: plan.local ? 'local' : 'global' }
    const places = await openPlaces(run, plan, corpora, {
      tamis: native.version(),
      unicode: native.unicodeVersion(),
      method,
      ...run.read,
      ...used,
      sources,
      against: against?.inputs().length ?? 0,
    })
    const bytes = (of: NativeCorpus) => of.inputs().reduce((sum, input) => sum + input.bytes, 0)
    run.begin(
      'mark',
      corpora.map(bytes).reduce((a, b) => a + b),
    )
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
    run.begin('write', bytes(pool))
    const written = run.hold(
      await run.work((job) => native.writeDistinct(pool, duplicates, places.output, run.threads, job)),
    )
    const { state } = run
    if (plan.side !== undefined && state) {
      run.check()
      await state.markCommit()
      await native.writeClusters(plan.side.path, against, pool, duplicates, places.force, run.job)
    }
    const outputs = written.files()
    const result = summarize(plan, sources, seen, duplicates.counts(), written.textBytes())
    const seconds = (Date.now() - run.started.getTime()) / 1000
    const { onBad: onBadRecord, ...read } = run.read
    const manifest =
      places.output &&
      (await commit(run, written, {
        tamis: native.version(),
        method,
        startedAt: run.started.toISOString(),
        seconds,
        options: { ...used, ...read, onBadRecord },
        ...manifestOf(pool, against, seen, duplicates.counts().kept),
        totals: totalsOf(result),
        outputs,
        warnings: result.warnings,
      }))
    return {
      ...result,
      files: manifest === undefined ? [] : outputs.map((file) => file.path),
      manifest,
      seconds,
    }
  })
}

type Result = Omit<FileDedup, 'files' | 'manifest' | 'seconds'>

function summarize(
  plan: DedupPlan,
  sourceOfFile: number[],
  seen: NativeSeen[],
  { kept, matched, clusters }: ReturnType<NativeDuplicates['counts']>,
  keptBytes: number,
): Result {
  const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0)
  const files = seen.at(-1)?.files ?? []
  const records = sum(files.map((file) => file.records))
  const skipped = sum(seen.flatMap((corpus) => corpus.files.map((file) => file.skipped)))
  const sources = plan.sources.map((name, source) => {
    const of = (numbers: number[]) => sum(numbers.filter((_, file) => sourceOfFile[file] === source))
    return { name, records: of(files.map((file) => file.records)), kept: of(kept) }
  })
  const result = {
    records,
    kept: sum(kept),
    dropped: records - sum(kept),
    matched,
    clusters,
    skipped,
    bytes: sum(files.map((file) => file.textBytes)),
    keptBytes,
    sources,
    against: seen.length > 1 ? sum((seen[0] as NativeSeen).files.map((file) => file.records)) : 0,
    bad: seen.flatMap((corpus) => corpus.bad),
    warnings: [] as string[],
    bytesRead: sum(seen.map((corpus) => corpus.bytesRead)),
  }
  const { warnings } = result
  if (skipped > 0) warnings.push(`${skipped} bad record${skipped === 1 ? ' was' : 's were'} skipped`)
  if (records > 0 && result.kept === 0) warnings.push('nothing was kept: every record is one of against')
  return result
}

function totalsOf({ records, kept, dropped, matched, clusters, skipped, bytes, keptBytes, against }: Result) {
  return { records, kept, dropped, matched, clusters, skipped, bytes, keptBytes, against }
}

/** The files of the run, for its manifest. */
function manifestOf(
  pool: NativeCorpus,
  against: NativeCorpus | undefined,
  seen: NativeSeen[],
  kept: number[],
): Record<string, unknown> {
  const file = (corpus: NativeCorpus, of: NativeSeen | undefined) =>
    corpus.inputs().map(({ name, path, bytes }, i) => {
      const { records = 0, skipped = 0 } = of?.files[i] ?? {}
      return { name, path, bytes, records, skipped, sha256: of?.hashes[i] ?? null }
    })
  return {
    inputs: file(pool, seen.at(-1)).map((input, i) => ({ ...input, kept: kept[i] ?? 0 })),
    against: against ? file(against, seen[0]) : [],
  }
}
