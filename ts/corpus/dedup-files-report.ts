/**
 * What a run that found duplicates tells of them: the data of its report.
 * @module
 */

import type { FileRun } from '../files.js'
import { native } from '../native.js'
import type {
  NativeDocumentPlace,
  NativeDuplicates,
  NativeGroupSurvey,
  NativeSeen,
} from '../native-dedup-files.js'
import type { NativeCorpus, NativeWritten } from '../native-files.js'
import type { Places } from '../places.js'
import type { DedupReport, FileReport, RecordPlace } from '../report/data.js'
import type { DedupPass, DedupPlan } from './dedup-files-options.js'

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
  survey: NativeGroupSurvey
  written: NativeWritten
}

/** Groups that a report shows, and pairs of a dropped record and what stands for it. */
const EXAMPLES = 10

/** Looks at the groups before the writing pass, which is to show some of their documents. @hidden */
export async function surveyGroups(
  run: FileRun<DedupPass>,
  duplicates: NativeDuplicates,
  sources: number[],
): Promise<NativeGroupSurvey> {
  return run.work((job) => native.surveyDuplicates(duplicates, Uint32Array.from(sources), EXAMPLES, job))
}

/** What a report is drawn from. @hidden */
export function reportDedup(
  run: FileRun<DedupPass>,
  plan: DedupPlan,
  { pool, against, sources }: DedupFiles,
  { method, settings, seen, duplicates, survey, written }: DedupFound,
  totals: DedupReport['totals'],
  warnings: string[],
): DedupReport {
  const { onBad: onBadRecord, ...read } = run.read
  const { kept } = duplicates.counts()
  const inputs = fileReports(pool, seen.at(-1)).map((file, i) => ({
    ...file,
    kept: kept[i] ?? 0,
    ...(survey.reasons[i] ?? { within: 0, across: 0, matched: 0 }),
  }))
  return {
    kind: 'dedup',
    tamis: native.version(),
    method,
    startedAt: run.started.toISOString(),
    seconds: (Date.now() - run.started.getTime()) / 1000,
    options: { ...settings, scope: plan.local ? 'local' : 'global', ...read, onBadRecord },
    inputs,
    against: against ? fileReports(against, seen[0]) : [],
    sources: sumSources(plan.sources, sources, inputs),
    totals,
    sizes: survey.sizes.flatMap(({ groups, documents }, i) =>
      groups === 0 ? [] : [{ from: 2 ** i, to: 2 ** (i + 1) - 1, clusters: groups, records: documents }],
    ),
    examples: examplesOf(pool, against, survey, written),
    warnings,
  }
}

/** What became of the records of each source; `sources` is that of each input. */
function sumSources(
  names: string[],
  sources: number[],
  inputs: DedupReport['inputs'],
): DedupReport['sources'] {
  const sums = names.map((name) => ({ name, records: 0, kept: 0, within: 0, across: 0, matched: 0 }))
  for (const [i, input] of inputs.entries()) {
    const sum = sums[sources[i] as number]
    for (const what of ['records', 'kept', 'within', 'across', 'matched'] as const)
      if (sum) sum[what] += input[what]
  }
  return sums
}

function fileReports(corpus: NativeCorpus, seen: NativeSeen | undefined): FileReport[] {
  return corpus.inputs().map(({ name, path, bytes }, i) => {
    const { records = 0, skipped = 0 } = seen?.files[i] ?? {}
    return { name, path, bytes, records, skipped }
  })
}

/** The documents that the survey named, with the texts that the writing pass saw. */
function examplesOf(
  pool: NativeCorpus,
  against: NativeCorpus | undefined,
  survey: NativeGroupSurvey,
  written: NativeWritten,
): DedupReport['examples'] {
  const own = pool.inputs()
  const others = against?.inputs() ?? []
  const texts = new Map(
    [...written.highest(), ...written.misses()].map(({ file, record, text }) => [`${file}:${record}`, text]),
  )
  const place = ({ against, file, record }: NativeDocumentPlace): RecordPlace => ({
    source: (against ? others : own)[file]?.name ?? '',
    record,
  })
  const textOf = ({ file, record }: NativeDocumentPlace) => texts.get(`${file}:${record}`) ?? ''
  return {
    largest: survey.largest.map(({ place: at, documents }) => ({
      ...place(at),
      records: documents,
      text: textOf(at),
    })),
    dropped: survey.pairs.map(({ dropped, kept }) => ({
      dropped: { ...place(dropped), text: textOf(dropped) },
      kept: kept.against ? place(kept) : { ...place(kept), text: textOf(kept) },
    })),
  }
}
