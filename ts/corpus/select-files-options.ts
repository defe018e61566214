/**
 * What a selection from files is told: how much to keep, and where it goes.
 * @module
 */
import { TamisError } from '../errors.js'
import { checkName, type FileOptions } from '../files.js'
import { checkBoolean, checkInteger, checkNumber, checkPositiveInteger } from '../options.js'
import { type OutputPlan, planOutput } from '../places.js'

/** The passes of a selection. */
export type SelectionPass = 'fit' | 'count' | 'score' | 'read' | 'choose' | 'write'

/** What a selection from files is told, whatever it scores by. */
export interface FileSelectionOptions extends FileOptions<SelectionPass> {
  /** Keep so many records. One of `count`, `fraction`, `tokens` and `bytes` is needed. */
  count?: number
  /** Keep this share of the candidates: above 0, at most 1; `floor(fraction * candidates + 1e-6)` records. */
  fraction?: number
  /** Keep records, best first, until the next one would bring their tokens above this. */
  tokens?: number
  /** Keep records, best first, until the next one would bring the UTF-8 bytes of their texts above this. */
  bytes?: number
  /**
   * Where the kept records go, in input order. A path that ends in `.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.parquet`
   * (or `.txt`, `.txt.gz`, `.txt.zst` for plain text) is written as that one file; any other is a folder with a file for
   * each input under its own name. Needed but in a dry run.
   */
  out?: string
  /** As `out`, but always a folder. */
  outDir?: string
  /** Also write the score and the tokens of every record to this file: it ends in `.parquet`. */
  scores?: string
  /** Another name of `scores`. */
  weightsFile?: string
  /**
   * Add score and source to the records: a member `tamis` of JSON records, columns `tamis_*` of Parquet. Default
   * false.
   */
  addScores?: boolean
  /**
   * Bytes of disk beside the output in which the fit may keep the n-grams for the scoring, which then reads and hashes
   * no text again: about three quarters of the text's size. Never more than a quarter of what is free; what
   * does not fit is scored from the files. 0: keep none. Default: no other bound.
   */
  spoolBytes?: number
  /** Go on with an interrupted run of the same options on the same files. Default false. */
  resume?: boolean
  /** Replace an output that exists. Default false. */
  force?: boolean
  /** Work everything out, write nothing. Default false. */
  dryRun?: boolean
}

/** The names of {@link FileSelectionOptions} beyond those of {@link FileOptions}. @hidden */
export const SELECTION_OPTIONS = [
  'count',
  'fraction',
  'tokens',
  'bytes',
  'out',
  'outDir',
  'scores',
  'weightsFile',
  'addScores',
  'spoolBytes',
  'resume',
  'force',
  'dryRun',
] as const

const UNITS = ['count', 'fraction', 'tokens', 'bytes'] as const

/** How much to keep, and where it goes. @hidden */
export interface SelectionPlan extends OutputPlan {
  amount: { unit: (typeof UNITS)[number]; value: number }
  scores: string | undefined
  addScores: boolean
  spoolBytes: number
}

/** Checks what can be checked before a file is touched. @hidden */
export function planSelection(o: FileSelectionOptions): SelectionPlan {
  const dryRun = checkBoolean('dryRun', o.dryRun, false)
  const scores = o.scores ?? o.weightsFile
  if (o.scores !== undefined && o.weightsFile !== undefined && o.scores !== o.weightsFile) {
    throw new TamisError('ERR_TAMIS_RANGE', 'scores and weightsFile are two names of one option: give one')
  }
  const plan = {
    amount: planAmount(o),
    output: planOutput(o, dryRun),
    scores,
    side: scores === undefined ? undefined : { name: 'scores', path: scores, endings: ['.parquet'] },
    addScores: checkBoolean('addScores', o.addScores, false),
    spoolBytes: checkInteger(
      'spoolBytes',
      o.spoolBytes ?? Number.MAX_SAFE_INTEGER,
      0,
      Number.MAX_SAFE_INTEGER,
    ),
    resume: checkBoolean('resume', o.resume, false),
    force: checkBoolean('force', o.force, false),
    dryRun,
  }
  if (scores !== undefined) checkName('scores', scores)
  return plan
}

function planAmount(o: FileSelectionOptions): SelectionPlan['amount'] {
  const given = UNITS.filter((unit) => o[unit] !== undefined)
  const [unit] = given
  if (unit === undefined || given.length > 1) {
    throw new TamisError(
      'ERR_TAMIS_RANGE',
      `exactly one of count, fraction, tokens and bytes must say how much to keep, got ${given.join(' and ') || 'none'}`,
    )
  }
  if (unit !== 'fraction') return { unit, value: checkPositiveInteger(unit, o[unit]) }
  return { unit, value: checkNumber('fraction', o.fraction, { above: 0, max: 1 }) }
}
