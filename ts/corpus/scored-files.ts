/**
 * Selection from files by a score that a record's text alone decides: at random, or by what compression finds of it in
 * target texts.
 * @module
 */

import {
  bytesOf,
  checkPatterns,
  checkStandardInput,
  FILE_OPTIONS,
  type FileRun,
  runOnFiles,
} from '../files.js'
import { native } from '../native.js'
import type { NativeCorpus, NativeFileTotals, NativeState } from '../native-files.js'
import { checkCount, checkInteger, checkOptions, parseSeed, type Seed } from '../options.js'
import { openPlaces } from '../places.js'
import { completeSelection, type FileSelection, type Scoring, scoreAndWrite } from './select-files.js'
import {
  type FileSelectionOptions,
  planSelection,
  SELECTION_OPTIONS,
  type SelectionPass,
  type SelectionPlan,
} from './select-files-options.js'

/** What {@link selectFilesAtRandom} is told. */
export interface RandomFileOptions extends FileSelectionOptions {
  /** An integer 0..2^64-1. Default 0. */
  seed?: Seed
  /** Records of fewer tokens are no candidates. Default 0. */
  minTokens?: number
}

/** What {@link selectFilesByCompression} is told. */
export interface CompressionFileOptions extends FileSelectionOptions {
  /** Of zlib, 1 to 9. Default 6. */
  level?: number
  /** Records of fewer tokens are no candidates. Default 0. */
  minTokens?: number
}

/**
 * Keeps records of files at random, each candidate with the same chance: those of the largest noise, which is Gumbel item i of
 * stream 0 for record i. One pass to draw (another before it for a `fraction`) and one to write, O(bytes), in parallel; memory
 * does not grow with the files but for about 80 bytes a record kept; the same records for any number of threads.
 * @param raw - paths, globs, folders, `-`
 * @throws TamisError what {@link selectFilesByImportance} throws of files and amounts
 * @example
 * import { corpus } from 'tamis'
 * const { kept } = await corpus.selectFilesAtRandom(['web/*.jsonl.gz'], { fraction: 0.01, out: 'sample.jsonl' })
 */
export async function selectFilesAtRandom(
  raw: readonly string[],
  options: RandomFileOptions,
): Promise<FileSelection> {
  const o = checkOptions('options', options, [...FILE_OPTIONS, ...SELECTION_OPTIONS, 'seed', 'minTokens'])
  const seed = parseSeed(o.seed)
  const minTokens = checkCount('minTokens', o.minTokens ?? 0)
  return selectByScore(raw, undefined, o, {
    method: 'random',
    score: undefined,
    settings: { seed: String(seed), minTokens },
    minTokens,
    seed,
    scoring: (pool) => (scoring, state, job) => native.scoreEqually(pool, scoring, state, job),
  })
}

/**
 * Keeps the records of files that share most with target texts, as gzip sees them: {@link selectByCompression} of the
 * concatenated records. Every record is compressed with every target, O(records * target bytes), in parallel; memory: the
 * targets, and about 80 bytes a record kept. An interrupted run can be gone on with.
 * @param raw - paths, globs, folders, `-`
 * @param targets - files as in `raw`, of tens to hundreds of records
 * @throws TamisError `level`, `targets must not be empty`, and what {@link selectFilesByImportance} throws of files and amounts
 * @example
 * import { corpus } from 'tamis'
 * await corpus.selectFilesByCompression(['pool.jsonl'], ['target.jsonl'], { count: 1000, out: 'kept.jsonl' })
 */
export async function selectFilesByCompression(
  raw: readonly string[],
  targets: readonly string[],
  options: CompressionFileOptions,
): Promise<FileSelection> {
  const o = checkOptions('options', options, [...FILE_OPTIONS, ...SELECTION_OPTIONS, 'level', 'minTokens'])
  const level = checkInteger('level', o.level ?? 6, 1, 9)
  const minTokens = checkCount('minTokens', o.minTokens ?? 0)
  return selectByScore(raw, checkPatterns('targets', targets), o, {
    method: 'zip-fit',
    score: 'Alignment',
    settings: { level, minTokens },
    minTokens,
    seed: undefined,
    scoring: (pool, target) => (scoring, state, job) =>
      native.alignCorpus(pool, target as NativeCorpus, level, scoring, state, job),
  })
}

interface ByScore {
  method: string
  score: string | undefined
  settings: Record<string, unknown>
  minTokens: number
  seed: bigint | undefined
  scoring: (pool: NativeCorpus, target: NativeCorpus | undefined) => Scoring['score']
}

async function selectByScore(
  raw: readonly string[],
  targets: string[] | undefined,
  o: FileSelectionOptions,
  by: ByScore,
): Promise<FileSelection> {
  const plan = planSelection(o)
  const patterns = checkPatterns('raw', raw)
  checkStandardInput([...patterns, ...(targets ?? [])], plan.resume)
  return runOnFiles(o, async (run: FileRun<SelectionPass>) => {
    const pool = await run.open(patterns)
    const target = targets && (await run.open(targets))
    const used = { ...amountOf(plan), addScores: plan.addScores, ...by.settings }
    const places = await openPlaces(run, plan, target ? [pool, target] : [pool], {
      tamis: native.version(),
      unicode: native.unicodeVersion(),
      method: by.method,
      ...run.read,
      ...used,
      scores: plan.scores !== undefined,
    })
    const targetFiles = target && (await countRecords(run, target, 0, undefined))
    const files =
      plan.amount.unit === 'fraction' ? await countRecords(run, pool, by.minTokens, run.state) : undefined
    const selected = await scoreAndWrite(run, plan, places, pool, {
      ngrams: 1,
      buckets: 1,
      score: by.scoring(pool, target),
      names: [''],
      proportions: undefined,
      minTokens: by.minTokens,
      seed: by.seed,
      candidates: files && sum(files, (file) => file.candidates),
      hashes: undefined,
    })
    if (by.score === undefined) {
      const none = new Float64Array(0)
      selected.samples.weights = { raw: none, kept: none }
    }
    const kept = selected.totals.kept
    return completeSelection(run, places, pool, selected, {
      method: by.method,
      score: by.score,
      options: used,
      targets:
        target && targetFiles
          ? [
              {
                name: '0',
                files: target.inputs().map(({ path }) => path),
                records: sum(targetFiles, (file) => file.records),
                tokens: sum(targetFiles, (file) => file.tokens),
                kept,
              },
            ]
          : [],
    })
  })
}

/** The amount, as an option. @hidden */
export function amountOf(plan: SelectionPlan): Record<string, unknown> {
  return { [plan.amount.unit]: plan.amount.value }
}

const sum = (files: NativeFileTotals[], of: (file: NativeFileTotals) => number) =>
  files.reduce((total, file) => total + of(file), 0)

/** Counts records, their tokens, and those that have enough of them. */
async function countRecords(
  run: FileRun<SelectionPass>,
  corpus: NativeCorpus,
  minTokens: number,
  state: NativeState | undefined,
): Promise<NativeFileTotals[]> {
  run.begin('count', bytesOf(corpus))
  const { threads } = run
  const options = { ngrams: 1, buckets: 1, limit: 0, minTokens, hash: false, threads }
  const counted = await run.work((job) => native.countCorpus(corpus, options, state, 'count', job))
  return counted.files
}
