/**
 * What becomes of a run that found duplicates: the file of clusters, the manifest, and the result.
 * @module
 */

import type { FileRun } from '../files.js'
import { native } from '../native.js'
import type { NativeDuplicates, NativeSeen } from '../native-dedup-files.js'
import type { NativeCorpus } from '../native-files.js'
import { commit } from '../places.js'
import type { DedupReport, DedupTotals } from '../report/data.js'
import type { DedupPass, DedupPlan } from './dedup-files-options.js'
import { type DedupFiles, type DedupFound, reportDedup } from './dedup-files-report.js'

/** What a run that finds duplicates kept. */
export interface FileDedup extends DedupTotals {
  /** Of each source its records and how many are kept. */
  sources: { name: string; records: number; kept: number }[]
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
  /** What a report is drawn from. */
  report: DedupReport
}

/** The source of each file that is written. @hidden */
export function sourcesOf(plan: DedupPlan, pool: NativeCorpus): number[] {
  return pool.inputs().map(({ pattern }) => plan.sourceOf[pattern] as number)
}

/** Puts everything in place, the manifest last. @hidden */
export async function completeDedup(
  run: FileRun<DedupPass>,
  plan: DedupPlan,
  on: DedupFiles,
  found: DedupFound,
): Promise<FileDedup> {
  const { places, pool, against } = on
  const { seen, duplicates, written } = found
  if (plan.side !== undefined && places.output) {
    run.check()
    await run.state?.markCommit()
    await native.writeClusters(plan.side.path, against, pool, duplicates, places.force, run.job)
  }
  const outputs = written.files()
  const result = summarize(seen, duplicates.counts(), written.textBytes())
  const report = reportDedup(run, plan, on, found, totalsOf(result), result.warnings)
  const { tamis, method, startedAt, seconds, options, totals, warnings } = report
  const inputs = report.inputs.map((input, i) => ({ ...input, sha256: seen.at(-1)?.hashes[i] ?? null }))
  const others = report.against.map((input, i) => ({ ...input, sha256: seen[0]?.hashes[i] ?? null }))
  const files = { inputs, against: others, totals, outputs, warnings }
  const about = { tamis, method, startedAt, seconds, options, ...files }
  const manifest = places.output && (await commit(run, written, about))
  const names = manifest === undefined ? [] : outputs.map((file) => file.path)
  const sources = report.sources.map(({ name, records, kept }) => ({ name, records, kept }))
  return { ...result, sources, files: names, manifest, seconds, report }
}

type Result = Omit<FileDedup, 'sources' | 'files' | 'manifest' | 'seconds' | 'report'>

function summarize(
  seen: NativeSeen[],
  { kept, matched, clusters }: ReturnType<NativeDuplicates['counts']>,
  keptBytes: number,
): Result {
  const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0)
  const files = seen.at(-1)?.files ?? []
  const records = sum(files.map((file) => file.records))
  const skipped = sum(seen.flatMap((corpus) => corpus.files.map((file) => file.skipped)))
  const result = {
    records,
    kept: sum(kept),
    dropped: records - sum(kept),
    matched,
    clusters,
    skipped,
    bytes: sum(files.map((file) => file.textBytes)),
    keptBytes,
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

function totalsOf({
  records,
  kept,
  dropped,
  matched,
  clusters,
  skipped,
  bytes,
  keptBytes,
  against,
}: Result): DedupTotals {
  return { records, kept, dropped, matched, clusters, skipped, bytes, keptBytes, against }
}
