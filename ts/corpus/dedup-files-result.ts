/**
 * What becomes of a run that found duplicates: the file of clusters, the manifest, and the result.
 * @module
 */
import { native } from '../native.js'
import type { NativeDuplicates, NativeSeen } from '../native-dedup-files.js'
import type { NativeCorpus, NativeWritten } from '../native-files.js'
import type { DedupPass, DedupPlan } from './dedup-files-options.js'
import type { FileRun } from './files.js'
import { commit, type Places } from './places.js'

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

/** The corpora of a run, and the source of each file that is written. @hidden */
export interface DedupFiles {
  places: Places
  pool: NativeCorpus
  against: NativeCorpus | undefined
  sources: number[]
}

/** What the passes of a method found. @hidden */
export interface DedupFound {
  method: string
  /** The method's options in force. */
  settings: Record<string, unknown>
  /** Of each corpus; the last one is the one that is written. */
  seen: NativeSeen[]
  duplicates: NativeDuplicates
  written: NativeWritten
}

/** The source of each file that is written. @hidden */
export function sourcesOf(plan: DedupPlan, pool: NativeCorpus): number[] {
  return pool.inputs().map(({ pattern }) => plan.sourceOf[pattern] as number)
}

/** Bytes of corpora on disk. @hidden */
export function bytesOf(...corpora: NativeCorpus[]): number {
  return corpora.flatMap((corpus) => corpus.inputs()).reduce((sum, input) => sum + input.bytes, 0)
}

/** Puts everything in place, the manifest last. @hidden */
export async function completeDedup(
  run: FileRun<DedupPass>,
  plan: DedupPlan,
  { places, pool, against, sources }: DedupFiles,
  { method, settings, seen, duplicates, written }: DedupFound,
): Promise<FileDedup> {
  if (plan.side !== undefined && places.output) {
    run.check()
    await run.state?.markCommit()
    await native.writeClusters(plan.side.path, against, pool, duplicates, places.force, run.job)
  }
  const outputs = written.files()
  const counts = duplicates.counts()
  const result = summarize(plan, sources, seen, counts, written.textBytes())
  const seconds = (Date.now() - run.started.getTime()) / 1000
  const { onBad: onBadRecord, ...read } = run.read
  const scope = plan.local ? 'local' : 'global'
  const manifest =
    places.output &&
    (await commit(run, written, {
      tamis: native.version(),
      method,
      startedAt: run.started.toISOString(),
      seconds,
      options: { ...settings, scope, ...read, onBadRecord },
      ...manifestOf(pool, against, seen, counts.kept),
      totals: totalsOf(result),
      outputs,
      warnings: result.warnings,
    }))
  const files = manifest === undefined ? [] : outputs.map((file) => file.path)
  return { ...result, files, manifest, seconds }
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
