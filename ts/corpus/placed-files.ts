/**
 * Selection from files by a choice among all records at once: what the records' own fields say, or what lies beside them.
 * @module
 */
import { TamisError } from '../errors.js'
import { bytesOf, checkPatterns, checkStandardInput, type FileRun, runOnFiles } from '../files.js'
import { native } from '../native.js'
import type { NativePlaces } from '../native-corpus.js'
import type { NativeChosen } from '../native-files.js'
import { openPlaces } from '../places.js'
import { amountOf } from './scored-files.js'
import {
  completeSelection,
  EXAMPLES,
  type FileSelection,
  SAMPLE,
  type Selected,
  totalsOf,
  writeChosen,
} from './select-files.js'
import type { FileSelectionOptions, SelectionPass, SelectionPlan } from './select-files-options.js'

/** All records, and how many are kept. @hidden */
export interface Pool {
  run: FileRun<SelectionPass>
  places: NativePlaces
  plan: SelectionPlan
  /** Records to keep, where the amount says that. */
  count: number
  signal: AbortSignal | undefined
}

/** What is kept, and every record's score, if there is one. @hidden */
export interface Choice {
  chosen: NativeChosen
  scores: Float32Array | undefined
}

/** How a method chooses. @hidden */
export interface ByPlaces {
  method: string
  /** Its options in force. */
  settings: Record<string, unknown>
  /** The field of each record's vector. */
  vector?: string | undefined
  /** Fields of numbers. */
  numbers: string[]
  /** Files beside the records on which the result depends. */
  files?: readonly string[] | undefined
  /** What scores are called, where there are any. */
  score: string | undefined
  choose(pool: Pool): Promise<Choice>
}

/** One pass over the files for all records, one to write what is chosen of them. @hidden */
export async function selectByPlaces(
  raw: readonly string[],
  o: FileSelectionOptions,
  plan: SelectionPlan,
  by: ByPlaces,
): Promise<FileSelection> {
  const { method, vector, numbers } = by
  const patterns = checkPatterns('raw', raw)
  checkStandardInput(patterns, plan.resume)
  return runOnFiles(o, async (run: FileRun<SelectionPass>) => {
    const corpus = await run.open(patterns)
    const used = { ...amountOf(plan), addScores: plan.addScores, ...by.settings }
    const fingerprint = {
      tamis: native.version(),
      unicode: native.unicodeVersion(),
      method,
      ...run.read,
      ...used,
      scores: plan.scores !== undefined,
    }
    const places = await openPlaces(run, plan, [corpus], fingerprint, by.files)
    run.begin('read', bytesOf(corpus))
    const wanted = { vector, numbers, hash: true, threads: run.threads }
    const found = await run.work((job) => native.findPlaces(corpus, wanted, run.state, job))
    const count = countOf(plan, found.records())
    run.begin('choose', 0)
    const { chosen, scores } = await by.choose({
      run,
      places: found,
      plan,
      count,
      signal: o.signal,
    })
    run.check()
    const written = await writeChosen(run, plan, places, corpus, chosen, {
      ngrams: 1,
      buckets: 1,
      names: [''],
    })
    if (plan.scores !== undefined && places.output && scores) {
      await native.writePlaceScores(plan.scores, corpus, found, scores, places.force, run.job)
    }
    const selected = select(found, chosen, written, scores, plan)
    return completeSelection(run, places, corpus, selected, {
      method,
      score: scores && by.score,
      options: used,
      targets: [],
    })
  })
}

/** The records of the highest (or lowest) scores that the amount pays for, and the nearest misses. @hidden */
export function chooseBest(
  { places, plan, count }: Pool,
  scores: Float32Array,
  lowest: boolean,
): NativeChosen {
  const { unit, value } = plan.amount
  const by = unit === 'tokens' || unit === 'bytes' ? { unit, value } : { unit: 'records', value: count }
  return places.chooseBest(scores, lowest, by.unit, by.value, EXAMPLES)
}

function countOf(plan: SelectionPlan, n: number): number {
  const { unit, value } = plan.amount
  if (unit === 'count' && value > n) {
    throw new TamisError('ERR_TAMIS_RANGE', `count exceeds the ${n} records: ${value} were asked for`)
  }
  if (unit !== 'fraction') return value
  const count = Math.floor(value * n + 1e-6)
  if (count > 0) return count
  throw new TamisError(
    'ERR_TAMIS_RANGE',
    `fraction ${value} of the ${n} records is no record: choose a larger one`,
  )
}

function select(
  found: NativePlaces,
  chosen: NativeChosen,
  written: Selected['written'],
  scores: Float32Array | undefined,
  plan: SelectionPlan,
): Selected {
  const files = found.files()
  const totals = totalsOf(files, chosen)
  const raw = found.sample(scores, SAMPLE, 0n)
  const kept = chosen.sample()
  const warnings: string[] = []
  const { skipped } = totals
  if (skipped > 0) warnings.push(`${skipped} bad record${skipped === 1 ? ' was' : 's were'} skipped`)
  if (totals.kept === 0) warnings.push('nothing was kept: the best record alone is above the budget')
  const { unit, value } = plan.amount
  if (unit === 'count' && totals.kept < value) {
    warnings.push(`only ${totals.kept} of ${value} were kept: no other record is far enough from them`)
  }
  return {
    files,
    hashes: found.hashes(),
    bad: found.bad(),
    chosen,
    written,
    bytesRead: found.bytesRead(),
    totals,
    samples: {
      weights: { raw: raw.scores, kept: scores ? kept.scores : new Float64Array(0) },
      lengths: { raw: raw.tokens, kept: kept.tokens },
    },
    warnings,
  }
}
