/**
 * What a mixture of files tells of itself: the data of its report.
 * @module
 */

import type { FileRun } from '../files.js'
import { native } from '../native.js'
import type { NativeCorpus, NativeFileTotals } from '../native-files.js'
import type { MixReport, MixSourceReport } from '../report/data.js'
import { countSources, type Group } from './mix-files-sources.js'

/** What was mixed. @hidden */
export interface MixFound {
  /** The options in force, but for those of reading. */
  options: Record<string, unknown>
  by: MixReport['by']
  proportions: readonly number[] | undefined
  /** What each file has. */
  files: readonly NativeFileTotals[]
  /** What the mixture has of each file. */
  written: readonly NativeFileTotals[]
  groups: readonly Group[]
  /** Of each source. */
  sources: readonly { mixed: number; probability: number; epochs: number }[]
}

/** What a report is drawn from. @hidden */
export function reportMix<Pass extends string>(
  run: FileRun<Pass>,
  pool: NativeCorpus,
  found: MixFound,
): MixReport {
  const { files, written, by } = found
  const { onBad: onBadRecord, ...read } = run.read
  const sum = (of: readonly NativeFileTotals[], what: keyof NativeFileTotals) =>
    of.reduce((total, file) => total + file[what], 0)
  const skipped = sum(files, 'skipped')
  return {
    kind: 'mix',
    tamis: native.version(),
    method: 'mix',
    startedAt: run.started.toISOString(),
    seconds: (Date.now() - run.started.getTime()) / 1000,
    options: { ...found.options, ...read, onBadRecord },
    by,
    inputs: pool.inputs().map(({ name, path, bytes }, i) => {
      const { records = 0, skipped = 0 } = files[i] ?? {}
      return { name, path, bytes, records, skipped, mixed: written[i]?.records ?? 0 }
    }),
    sources: sourceReports(pool, found),
    totals: {
      records: sum(files, 'records'),
      tokens: sum(files, 'tokens'),
      skipped,
      mixed: sum(written, 'records'),
      mixedTokens: sum(written, 'tokens'),
      mixedBytes: sum(written, 'textBytes'),
    },
    warnings: skipped > 0 ? [`${skipped} bad record${skipped === 1 ? ' was' : 's were'} skipped`] : [],
  }
}

function sourceReports(pool: NativeCorpus, found: MixFound): MixSourceReport[] {
  const { files, written, groups, sources, proportions } = found
  const mixedOf = countSources(pool, written, groups)
  const all = proportions?.reduce((sum, share) => sum + share, 0) ?? 0
  return countSources(pool, files, groups).map(({ name, patterns, records, tokens }, i) => {
    const { mixed = 0, probability = 0, epochs = 0 } = sources[i] ?? {}
    const share = proportions?.[i]
    return {
      // A source without a name has a number.
      name: name === String(i) ? patterns.join(' ') : name,
      records,
      tokens,
      mixed,
      mixedTokens: mixedOf[i]?.tokens ?? 0,
      wanted: share === undefined ? probability : share / all,
      epochs,
    }
  })
}
