/**
 * Selection from files, whatever the records are scored by: how the best are found, written and told about.
 * @module
 */
import { TamisError } from '../errors.js'
import { bytesOf, type FileRun } from '../files.js'
import { type NativeJob, native } from '../native.js'
import type {
  NativeChosen,
  NativeCorpus,
  NativeExample,
  NativeFileTotals,
  NativeScored,
  NativeScoreOptions,
  NativeState,
  NativeWritten,
} from '../native-files.js'
import { commit, type Places } from '../places.js'
import type { Example, InputReport, SelectionReport, SelectionTotals, TargetReport } from '../report/data.js'
import type { SelectionPass, SelectionPlan } from './select-files-options.js'
import { countExceeds, shareOut } from './shares.js'

/** What a selection from files kept. */
export interface FileSelection {
  /** Good records of the raw files. */
  records: number
  /** Records of enough tokens. */
  candidates: number
  /** Records kept. */
  kept: number
  /** Bad records passed over. */
  skipped: number
  /** The files written; none in a dry run. */
  files: string[]
  /** Tokens of the kept. */
  tokens: number
  /** UTF-8 bytes of the texts of the kept. */
  bytes: number
  /** Messages of the first skipped records. */
  bad: string[]
  /** Where the manifest lies; undefined in a dry run. */
  manifest: string | undefined
  seconds: number
  /** Bytes read from disk: less than a whole run's after a resume. */
  bytesRead: number
  /** What a report is drawn from. */
  report: SelectionReport
}

/** Candidates in the sample that a report's distributions are drawn from. @hidden */
export const SAMPLE = 10_000
/** Records of each kind that a report shows. @hidden */
export const EXAMPLES = 10

/** What scores the records, in a column for each table. @hidden */
export interface Scoring {
  ngrams: number
  buckets: number
  score: (
    options: NativeScoreOptions,
    state: NativeState | undefined,
    job: NativeJob,
  ) => Promise<NativeScored>
  /** Of each table. */
  names: string[]
  proportions: readonly number[] | undefined
  minTokens: number
  /** Of the noise; none: the highest scores. */
  seed: bigint | undefined
  /** Where it is known before the scoring. */
  candidates: number | undefined
  /** Of the files, where a pass before took them. */
  hashes: (string | null)[] | undefined
}

/** The records found and read again. @hidden */
export interface Selected {
  files: NativeFileTotals[]
  hashes: (string | null)[]
  bad: string[]
  chosen: NativeChosen
  written: NativeWritten
  bytesRead: number
  totals: SelectionTotals
  samples: Pick<SelectionReport, 'weights' | 'lengths'>
  warnings: string[]
}

/** Scores every record, chooses, and reads the chosen again into the output. @hidden */
export async function scoreAndWrite(
  run: FileRun<SelectionPass>,
  plan: SelectionPlan,
  places: Places,
  corpus: NativeCorpus,
  scoring: Scoring,
): Promise<Selected> {
  const { ngrams, buckets, names } = scoring
  const amounts = amountsOf(plan, scoring)
  const { threads } = run
  const totalBytes = bytesOf(corpus)
  const unit = plan.amount.unit === 'tokens' || plan.amount.unit === 'bytes' ? plan.amount.unit : 'records'
  let sum = 0
  const budgets = amounts.map((amount) => {
    sum += amount
    return sum
  })
  run.begin('score', totalBytes)
  const scored = await run.work((job) =>
    scoring.score(
      {
        ngrams,
        buckets,
        minTokens: scoring.minTokens,
        seed: scoring.seed,
        unit,
        budgets,
        spare: EXAMPLES,
        sample: SAMPLE,
        keepWeights: plan.scores !== undefined && run.state !== undefined,
        hash: scoring.hashes === undefined,
        threads,
      },
      run.state,
      job,
    ),
  )
  const files = scored.files()
  checkCandidates(plan, scoring, files)
  const chosen = await run.work((job) => native.chooseRecords(scored, amounts, job))
  const written = await writeChosen(run, plan, places, corpus, chosen, scoring)
  const { state } = run
  if (plan.scores !== undefined && state) {
    run.check()
    await state.markCommit()
    await native.writeScores(plan.scores, corpus, scored, state, names, places.force, run.job)
  }
  const raw = scored.sample()
  const kept = chosen.sample()
  return {
    files,
    hashes: scoring.hashes ?? scored.hashes(),
    bad: scored.bad(),
    chosen,
    written,
    bytesRead: scored.bytesRead(),
    totals: totalsOf(files, chosen),
    samples: {
      weights: { raw: raw.scores, kept: kept.scores },
      lengths: { raw: raw.tokens, kept: kept.tokens },
    },
    warnings: warningsOf(plan, files, chosen, amounts, names),
  }
}

/** Reads the chosen records again, into the output if there is one. @hidden */
export async function writeChosen(
  run: FileRun<SelectionPass>,
  plan: SelectionPlan,
  places: Places,
  corpus: NativeCorpus,
  chosen: NativeChosen,
  { ngrams, buckets, names }: Pick<Scoring, 'ngrams' | 'buckets' | 'names'>,
): Promise<NativeWritten> {
  run.begin('write', chosen.bytes())
  return run.hold(
    await run.work((job) =>
      native.writeChosen(
        corpus,
        chosen,
        places.output,
        {
          ngrams,
          buckets,
          addScores: plan.addScores ? names : undefined,
          examples: EXAMPLES,
          threads: run.threads,
        },
        run.state,
        job,
      ),
    ),
  )
}

/** What each table may keep, in the plan's unit. */
function amountsOf(plan: SelectionPlan, scoring: Scoring): number[] {
  const { unit, value } = plan.amount
  let amount = value
  if (unit === 'fraction') {
    const candidates = scoring.candidates ?? 0
    amount = Math.floor(value * candidates + 1e-6)
    if (amount === 0) {
      throw new TamisError(
        'ERR_TAMIS_RANGE',
        `fraction ${value} of the ${candidates} documents of at least ${scoring.minTokens} tokens is no document: choose a larger one`,
      )
    }
  } else if (unit === 'count' && scoring.candidates !== undefined && scoring.candidates < value) {
    throw countExceeds(scoring.candidates, scoring.minTokens, value)
  }
  return shareOut(amount, scoring.names.length, scoring.proportions)
}

function checkCandidates(plan: SelectionPlan, scoring: Scoring, files: NativeFileTotals[]): void {
  const candidates = files.reduce((sum, file) => sum + file.candidates, 0)
  if (plan.amount.unit === 'count' && candidates < plan.amount.value) {
    throw countExceeds(candidates, scoring.minTokens, plan.amount.value)
  }
}

/** Sums over all raw files. @hidden */
export function totalsOf(files: NativeFileTotals[], chosen: NativeChosen): SelectionTotals {
  const sum = (of: (file: NativeFileTotals) => number) => files.reduce((total, file) => total + of(file), 0)
  return {
    records: sum((file) => file.records),
    candidates: sum((file) => file.candidates),
    kept: chosen.kept().reduce((a, b) => a + b, 0),
    skipped: sum((file) => file.skipped),
    tokens: sum((file) => file.tokens),
    keptTokens: chosen.tokens(),
    bytes: sum((file) => file.bytes),
    keptBytes: chosen.bytes(),
  }
}

function warningsOf(
  plan: SelectionPlan,
  files: NativeFileTotals[],
  chosen: NativeChosen,
  amounts: number[],
  names: string[],
): string[] {
  const warnings: string[] = []
  const skipped = files.reduce((sum, file) => sum + file.skipped, 0)
  if (skipped > 0) warnings.push(`${skipped} bad record${skipped === 1 ? ' was' : 's were'} skipped`)
  const kept = chosen.kept()
  for (const [t, name] of names.entries()) {
    const which = names.length > 1 ? ` for the target ${name}` : ''
    if (kept[t] === 0 && amounts[t] === 0)
      warnings.push(`nothing was to be kept${which}: its share of the amount is 0`)
    else if (kept[t] === 0)
      warnings.push(`nothing was kept${which}: the best document alone is above the budget`)
  }
  const candidates = files.reduce((sum, file) => sum + file.candidates, 0)
  const all = kept.reduce((a, b) => a + b, 0) === candidates
  if (all && plan.amount.unit !== 'count' && plan.amount.value !== 1) {
    warnings.push(`all ${candidates} candidates were kept: the budget is above what they hold`)
  }
  return warnings
}

/** Each raw file, for a report. @hidden */
export function inputReports(
  corpus: NativeCorpus,
  files: NativeFileTotals[],
  keptOfFile: number[],
): InputReport[] {
  return corpus.inputs().map((input, i) => {
    const { records = 0, candidates = 0, skipped = 0 } = files[i] ?? {}
    const { name, path, bytes } = input
    return { name, path, bytes, records, candidates, kept: keptOfFile[i] ?? 0, skipped }
  })
}

/** The records to look at, for a report. @hidden */
export function exampleReports(corpus: NativeCorpus, written: NativeWritten): SelectionReport['examples'] {
  const inputs = corpus.inputs()
  const told = (examples: NativeExample[]): Example[] =>
    examples.map(({ file, record, score, key, tokens, text }) => ({
      source: inputs[file]?.name ?? '',
      record,
      logWeight: score,
      key,
      tokens,
      text,
    }))
  return { highest: told(written.highest()), lowest: told(written.lowest()), misses: told(written.misses()) }
}

/** What a selection without n-gram targets tells of itself. @hidden */
export interface Told {
  /** Short name of the recipe, or of the way to choose. */
  method: string
  /** What a score is, where scores mean something. */
  score: string | undefined
  /** The options in force. */
  options: Record<string, unknown>
  targets: TargetReport[]
}

/** Puts the output in place and says what was kept, for methods without a fit. @hidden */
export async function completeSelection(
  run: FileRun<SelectionPass>,
  places: Places,
  corpus: NativeCorpus,
  selected: Selected,
  told: Told,
): Promise<FileSelection> {
  const { onBad: onBadRecord, ...read } = run.read
  const used = { ...told.options, ...read, onBadRecord }
  const report: SelectionReport = {
    kind: 'select',
    tamis: native.version(),
    method: told.method,
    ...(told.score !== undefined && { score: told.score }),
    startedAt: run.started.toISOString(),
    seconds: (Date.now() - run.started.getTime()) / 1000,
    options: Object.fromEntries(Object.entries(used).filter(([, value]) => value !== undefined)),
    inputs: inputReports(corpus, selected.files, selected.chosen.keptOfFile()),
    targets: told.targets,
    totals: selected.totals,
    ...selected.samples,
    kl: [],
    buckets: { gained: [], lost: [] },
    examples: exampleReports(corpus, selected.written),
    warnings: selected.warnings,
  }
  const outputs = selected.written.files()
  const { tamis, method, startedAt, seconds, options, targets, totals, warnings } = report
  const inputs = report.inputs.map((input, i) => ({ ...input, sha256: selected.hashes[i] ?? null }))
  const about = { tamis, method, startedAt, seconds, options, inputs, targets, totals, outputs, warnings }
  const manifest = places.output && (await commit(run, selected.written, about))
  const { records, candidates, kept, skipped, keptTokens, keptBytes } = totals
  return {
    records,
    candidates,
    kept,
    skipped,
    files: manifest === undefined ? [] : outputs.map((file) => file.path),
    tokens: keptTokens,
    bytes: keptBytes,
    bad: selected.bad,
    manifest,
    seconds,
    bytesRead: selected.bytesRead,
    report,
  }
}
