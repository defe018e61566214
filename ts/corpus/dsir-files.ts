/**
 * DSIR over files: the selection of {@link selectByImportance} on the concatenated records, in two passes over the
 * raw files and memory that does not grow with them.
 * @module
 */
import { createHash } from 'node:crypto'
import { checkStandardInput, type FileRun, runOnFiles } from '../files.js'
import { native } from '../native.js'
import type { NativeCorpus, NativeNgramCounts } from '../native-files.js'
import { checkOptions } from '../options.js'
import { commit, openPlaces } from '../places.js'
import type { BucketShift, SelectionReport, TargetReport } from '../report/data.js'
import type { Tensor } from '../tensor.js'
import { klReduction, ngramLogRatio, stackTargets } from './dsir.js'
import {
  checkSettings,
  type FileImportanceOptions,
  type FileTargets,
  type Fit,
  fitCounts,
  type GivenCounts,
  type Group,
  IMPORTANCE_KEYS,
  readCounts,
  type Settings,
} from './dsir-fit.js'
import {
  exampleReports,
  type FileSelection,
  inputReports,
  type Selected,
  scoreAndWrite,
} from './select-files.js'
import { planSelection, type SelectionPass, type SelectionPlan } from './select-files-options.js'

/** What {@link selectFilesByImportance} kept. */
export interface ImportanceSelection extends FileSelection {
  /** How much nearer the kept are to the target than the raw files: see {@link klReduction}. */
  klReduction: number
}

/** Buckets shown that gained, and that lost. */
const SHIFTS = 15
/** Bytes of the corpora that are looked through for the n-grams behind buckets. */
const NAMING_BYTES = 2 ** 21

/**
 * Keeps the records of files that look most like the target files, and writes them with all their other fields to
 * one file or a folder. Two passes, O(bytes), in parallel; the same records for any number of threads, and the same
 * that {@link selectByImportance} keeps of the concatenated texts.
 *
 * Memory: 8 * buckets * (targets + 1) bytes, two blocks (2 MiB) with their n-grams and 7 MiB of word tables a worker, and
 * about 80 bytes for each record that may still be kept. Disk, beside the output: see `spoolBytes`.
 * @param raw - paths, globs, folders (their `.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.parquet`, `.txt` files), `-`
 * @param targets - files as in `raw`: string[], one target; string[][], one selection a target; or by name
 * @throws TamisError what {@link selectByImportance} throws; `FILE:RECORD: not a record with a string field "text"`;
 * `OUT exists`; `ERR_TAMIS_IO` with the path; `ERR_TAMIS_ABORTED`, whose message says where the finished parts lie
 * @example
 * import { corpus } from 'tamis'
 * const { kept, klReduction } = await corpus.selectFilesByImportance(['web/*.jsonl.gz'], ['sample.jsonl'], {
 *   fraction: 0.1,
 *   out: 'selected',
 * })
 */
export async function selectFilesByImportance(
  raw: readonly string[],
  targets: FileTargets,
  options: FileImportanceOptions,
): Promise<ImportanceSelection> {
  const o = checkOptions('options', options, IMPORTANCE_KEYS)
  const plan = planSelection(o)
  const settings = checkSettings(raw, targets, o)
  const targetFiles = settings.counts ? [] : settings.groups.flatMap((group) => group.files)
  checkStandardInput([...settings.raw, ...targetFiles], plan.resume)
  return runOnFiles(o, async (run) => {
    const pool = await run.open(settings.raw)
    const groups: Group[] = []
    for (const { name, files } of settings.groups) {
      groups.push({ name, files, corpus: settings.counts ? undefined : await run.open(files) })
    }
    const given = await readCounts(settings)
    const corpora = [pool, ...groups.flatMap((group) => group.corpus ?? [])]
    const places = await openPlaces(run, plan, corpora, fingerprint(run, plan, settings, given))
    const fit = await fitCounts(run, plan, settings, pool, groups, given)
    const { target, totals } = stackTargets(fit.targets, settings.several)
    const logRatio = ngramLogRatio(target, fit.raw, { smoothing: settings.smoothing })
    const selected = await scoreAndWrite(run, plan, places, pool, {
      ngrams: settings.ngrams,
      buckets: settings.buckets,
      score: (options, state, job) =>
        native.scoreCorpus(pool, logRatio.data as Float64Array, options, state, job),
      names: groups.map((group) => group.name),
      proportions: settings.proportions ?? (settings.several ? totals : undefined),
      minTokens: settings.minTokens,
      seed: settings.gumbel ? settings.seed : undefined,
      candidates: fit.candidates,
      hashes: fit.hashes,
    })
    const kept: Tensor = { ...fit.raw, data: selected.written.counts() }
    const report: SelectionReport & { klReduction: number } = {
      kind: 'select',
      tamis: native.version(),
      method: 'dsir',
      startedAt: run.started.toISOString(),
      seconds: 0,
      options: optionsInForce(run, settings, o),
      inputs: inputReports(pool, selected.files, selected.chosen.keptOfFile()),
      targets: targetReports(groups, fit, selected),
      totals: selected.totals,
      ...selected.samples,
      kl: divergences(groups, fit, kept),
      klReduction: klReduction(target, fit.raw, kept),
      buckets: await nameShifts(run, settings, corpora, fit, kept),
      examples: exampleReports(pool, selected.written),
      warnings: [...selected.warnings, ...fit.warnings],
    }
    report.seconds = (Date.now() - run.started.getTime()) / 1000
    const files = selected.written.files()
    const manifest =
      places.output && (await commit(run, selected.written, manifestOf(report, selected, files)))
    const { records, candidates, skipped, keptTokens, keptBytes } = report.totals
    return {
      records,
      candidates,
      kept: report.totals.kept,
      skipped,
      files: manifest === undefined ? [] : files.map((file) => file.path),
      klReduction: report.klReduction,
      tokens: keptTokens,
      bytes: keptBytes,
      bad: [...selected.bad, ...fit.bad],
      manifest,
      seconds: report.seconds,
      bytesRead: fit.bytesRead + selected.bytesRead,
      report,
    }
  })
}

/** All that a run's results depend on besides the files that it reads. */
function fingerprint(
  run: FileRun<SelectionPass>,
  plan: SelectionPlan,
  settings: Settings,
  given: GivenCounts,
): Record<string, unknown> {
  const { raw: _raw, groups, seed, rawCounts: _counts, ...used } = settings
  const digest = ({ counts }: NativeNgramCounts) =>
    createHash('sha256')
      .update(new Uint8Array(counts.buffer, counts.byteOffset, counts.byteLength))
      .digest('hex')
  return {
    tamis: native.version(),
    unicode: native.unicodeVersion(),
    method: 'dsir',
    ...run.read,
    amount: plan.amount,
    scores: plan.scores !== undefined,
    addScores: plan.addScores,
    targets: groups.map((group) => group.name),
    ...used,
    seed: String(seed),
    rawCounts: given.raw && digest(given.raw),
    targetCounts: given.targets?.map(digest),
  }
}

/** The buckets whose shares changed most, each with the n-gram behind it. */
async function nameShifts(
  run: FileRun<SelectionPass>,
  settings: Settings,
  corpora: NativeCorpus[],
  fit: Fit,
  kept: Tensor,
): Promise<SelectionReport['buckets']> {
  const { ngrams, buckets } = settings
  const [before, after] = [fit.raw.data as Float64Array, kept.data as Float64Array]
  const { gained, lost } = native.largestShifts(before, after, SHIFTS)
  const wanted = Uint32Array.of(...gained, ...lost)
  // Targets first: what grew most is what they are made of.
  const places = [...corpora.slice(1), ...corpora.slice(0, 1)]
  const options = { ngrams, buckets, wanted, bytes: NAMING_BYTES }
  const names = await run.work((job) => native.nameBuckets(places, options, job))
  const sides = [before, after, ...fit.targets.map((target) => target.data as Float64Array)]
  const totals = sides.map((side) => native.sum(side))
  const shown = Array.from(wanted, (bucket, i): BucketShift => {
    const shares = sides.map((side, s) => (totals[s] ? (side[bucket] as number) / totals[s] : 0))
    const [raw = 0, selected = 0, ...targets] = shares
    const target = targets.reduce((a, b) => a + b, 0) / targets.length
    return { bucket, ngram: names[i] ?? null, raw, kept: selected, target }
  })
  return { gained: shown.slice(0, gained.length), lost: shown.slice(gained.length) }
}

function targetReports(groups: Group[], fit: Fit, selected: Selected): TargetReport[] {
  const kept = selected.chosen.kept()
  return groups.map(({ name, files, corpus }, t) => ({
    name,
    files: corpus ? corpus.inputs().map((input) => input.path) : files,
    records: fit.sides[t]?.records ?? 0,
    tokens: fit.sides[t]?.tokens ?? 0,
    kept: kept[t] ?? 0,
  }))
}

function divergences(groups: Group[], fit: Fit, kept: Tensor): SelectionReport['kl'] {
  return groups.map(({ name }, t) => {
    const target = fit.targets[t]?.data as Float64Array
    const from = (corpus: Tensor) => native.klDivergence(target, corpus.data as Float64Array, 1)
    return { target: name, raw: from(fit.raw), selected: from(kept) }
  })
}

/** The options that the result depends on, defaults filled in. */
function optionsInForce(
  run: FileRun<SelectionPass>,
  settings: Settings,
  o: FileImportanceOptions,
): Record<string, unknown> {
  const {
    signal: _signal,
    onProgress: _progress,
    threads: _threads,
    spoolBytes: _spool,
    resume: _resume,
    force: _force,
    ...given
  } = o
  const { raw: _raw, groups: _groups, several: _several, counts: _counts, gumbel, seed, ...used } = settings
  const { onBad: onBadRecord, ...read } = run.read
  const method = gumbel ? 'gumbel' : 'topK'
  const all = { ...given, ...used, ...read, onBadRecord, method, seed: String(seed) }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

/** What lies beside the output. */
function manifestOf(
  report: SelectionReport,
  selected: Selected,
  outputs: ReturnType<Selected['written']['files']>,
): Record<string, unknown> {
  const { tamis, method, startedAt, seconds, options, targets, totals, kl, klReduction, warnings } = report
  const inputs = report.inputs.map((input, i) => ({ ...input, sha256: selected.hashes[i] ?? null }))
  return {
    tamis,
    method,
    startedAt,
    seconds,
    options,
    inputs,
    targets,
    totals,
    kl,
    klReduction,
    outputs,
    warnings,
  }
}
