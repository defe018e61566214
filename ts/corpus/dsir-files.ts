/**
 * DSIR over files: the selection of {@link selectByImportance} on the concatenated records, in two passes over the
 * raw files and memory that does not grow with them.
 * @module
 */
import { createHash } from 'node:crypto'
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import type { NativeCorpus, NativeCounted, NativeNgramCounts } from '../native-files.js'
import { ngramShape } from '../ngrams.js'
import { checkNumber, checkOptions, show } from '../options.js'
import type { BucketShift, SelectionReport, TargetReport } from '../report/data.js'
import type { Tensor } from '../tensor.js'
import {
  fitLimit,
  type ImportanceOptions,
  klReduction,
  ngramLogRatio,
  resampleOptions,
  stackTargets,
} from './dsir.js'
import {
  checkName,
  checkPatterns,
  checkStandardInput,
  FILE_OPTIONS,
  type FileRun,
  runOnFiles,
} from './files.js'
import {
  commit,
  exampleReports,
  type FileSelection,
  type FileSelectionOptions,
  inputReports,
  openPlaces,
  planSelection,
  SELECTION_OPTIONS,
  type Selected,
  type SelectionPass,
  type SelectionPlan,
  scoreAndWrite,
} from './select-files.js'
import { shareOut } from './shares.js'

/** One target's files, a list for each of several targets, or lists with the targets' names. */
export type FileTargets =
  | readonly string[]
  | readonly (readonly string[])[]
  | Readonly<Record<string, readonly string[]>>

/** All that {@link selectFilesByImportance} can be told. */
export interface FileImportanceOptions extends Omit<ImportanceOptions, 'count'>, FileSelectionOptions {
  /** Counts of the raw side to fit on (`countNgramFiles`), instead of a pass over the raw files. */
  rawCounts?: string
  /** Counts files of the targets, in the same form as `targets`, which must then be empty. */
  targetCounts?: FileTargets
}

const KEYS = [
  ...SELECTION_OPTIONS,
  ...FILE_OPTIONS,
  'ngrams',
  'buckets',
  'seed',
  'method',
  'minTokens',
  'proportions',
  'smoothing',
  'fitNgrams',
  'rawCounts',
  'targetCounts',
] as const

/** Buckets shown that gained, and that lost. */
const SHIFTS = 15
/** Bytes of the corpora that are looked through for the n-grams behind buckets. */
const NAMING_BYTES = 2 ** 21

/**
 * Keeps the records of files that look most like the target files, and writes them with all their other fields to
 * one file or a folder. Two passes, O(bytes), in parallel; the same records for any number of threads, and the same
 * that {@link selectByImportance} keeps of the concatenated texts.
 *
 * Memory: 8 * buckets * (targets + 1) bytes and two blocks (8 MiB) a worker, up to about 128 MiB of word tables a
 * worker, and about 80 bytes for each record that may still be kept.
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
): Promise<FileSelection> {
  const o = checkOptions('options', options, KEYS)
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
      tables: logRatio.data as Float64Array,
      names: groups.map((group) => group.name),
      proportions: settings.proportions ?? (settings.several ? totals : undefined),
      minTokens: settings.minTokens,
      seed: settings.gumbel ? settings.seed : undefined,
      candidates: fit.candidates,
    })
    const kept: Tensor = { ...fit.raw, data: selected.written.counts() }
    const report: SelectionReport = {
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

/** What the method is told, checked. */
interface Settings {
  raw: string[]
  groups: { name: string; files: string[] }[]
  several: boolean
  /** Whether the groups' files are counts files. */
  counts: boolean
  rawCounts: string | undefined
  ngrams: number
  buckets: number
  smoothing: number
  seed: bigint
  gumbel: boolean
  minTokens: number
  fitNgrams: 'all' | 'auto' | number
  proportions: readonly number[] | undefined
}

interface Group {
  name: string
  files: string[]
  corpus: NativeCorpus | undefined
}

function checkSettings(raw: unknown, targets: FileTargets, o: FileImportanceOptions): Settings {
  const counts = o.targetCounts !== undefined
  if (counts && Object.keys(targets ?? {}).length > 0) {
    throw new TamisError('ERR_TAMIS_RANGE', 'targets must be empty ([]) where targetCounts is given')
  }
  const { groups, several } = checkTargets(
    counts ? 'targetCounts' : 'targets',
    counts ? o.targetCounts : targets,
  )
  // The amount may not be known yet; whether the proportions fit the targets is.
  if (o.proportions) shareOut(1, groups.length, o.proportions)
  const { ngrams, buckets } = ngramShape(o)
  fitLimit(o.fitNgrams, buckets, 1)
  return {
    raw: checkPatterns('raw', raw),
    groups,
    several,
    counts,
    rawCounts: o.rawCounts === undefined ? undefined : checkName('rawCounts', o.rawCounts),
    ngrams,
    buckets,
    smoothing: checkNumber('smoothing', o.smoothing ?? 0, { min: 0 }),
    ...resampleOptions(o),
    fitNgrams: o.fitNgrams ?? 'all',
    proportions: o.proportions,
  }
}

function checkTargets(name: string, targets: unknown): Pick<Settings, 'groups' | 'several'> {
  if (Array.isArray(targets) && !Array.isArray(targets[0])) {
    return { groups: [{ name: '0', files: checkPatterns(name, targets) }], several: false }
  }
  if (typeof targets !== 'object' || targets === null || Object.keys(targets).length === 0) {
    throw new TamisError(
      'ERR_TAMIS_TYPE',
      `${name} must be a list of files, a list of such lists, or an object of them, got ${show(targets)}`,
    )
  }
  const number = Array.isArray(targets) ? undefined : Object.keys(targets).find((key) => /^\d+$/.test(key))
  if (number !== undefined) {
    // An object would put such names first, whatever order they were given in, and the proportions go by order.
    throw new TamisError('ERR_TAMIS_RANGE', `${name}: a name must not be a number, got "${number}"`)
  }
  const groups = Object.entries(targets).map(([key, files]) => ({
    name: key,
    files: checkPatterns(`${name}[${Array.isArray(targets) ? key : JSON.stringify(key)}]`, files),
  }))
  if (groups.length > 255) {
    throw new TamisError('ERR_TAMIS_RANGE', `${name} must be at most 255 targets, got ${groups.length}`)
  }
  return { groups, several: Array.isArray(targets) || groups.length > 1 }
}

/** Counts that were made earlier. */
interface GivenCounts {
  raw: NativeNgramCounts | undefined
  targets: NativeNgramCounts[] | undefined
}

async function readCounts(settings: Settings): Promise<GivenCounts> {
  const read = async (paths: string[]): Promise<NativeNgramCounts> => {
    const counts = await native.mergeCounts(paths, new native.Job())
    for (const option of ['ngrams', 'buckets'] as const) {
      if (counts[option] === settings[option]) continue
      throw new TamisError(
        'ERR_TAMIS_RANGE',
        `${option} must be ${counts[option]}, as in the counts file ${paths[0]}, got ${settings[option]}`,
      )
    }
    if (counts.unicode === native.unicodeVersion()) return counts
    throw new TamisError(
      'ERR_TAMIS_RANGE',
      `${paths[0]} counts the words of Unicode ${counts.unicode}, this version of tamis cuts those of ${native.unicodeVersion()}: count again`,
    )
  }
  const raw = settings.rawCounts === undefined ? undefined : await read([settings.rawCounts])
  if (!settings.counts) return { raw, targets: undefined }
  const targets: NativeNgramCounts[] = []
  for (const group of settings.groups) targets.push(await read(group.files))
  return { raw, targets }
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

/** What both sides hold. */
interface Fit {
  raw: Tensor
  targets: Tensor[]
  /** Records and tokens of each target, and the hashes of its files. */
  sides: { records: number; tokens: number; hashes: (string | null)[] }[]
  candidates: number | undefined
  bytesRead: number
  bad: string[]
  warnings: string[]
}

async function fitCounts(
  run: FileRun<SelectionPass>,
  plan: SelectionPlan,
  settings: Settings,
  pool: NativeCorpus,
  groups: Group[],
  given: GivenCounts,
): Promise<Fit> {
  const { ngrams, buckets, minTokens } = settings
  const size = (corpus: NativeCorpus) => corpus.inputs().reduce((sum, input) => sum + input.bytes, 0)
  const tensor = (data: Float64Array): Tensor => ({ type: 'float64', dims: [data.length], data })
  const fit: Omit<Fit, 'raw'> = {
    targets: [],
    sides: [],
    candidates: undefined,
    bytesRead: 0,
    bad: [],
    warnings: [],
  }
  const count = async (corpus: NativeCorpus, phase: string, o: CountOptions): Promise<NativeCounted> => {
    const all = { ngrams, buckets, ...o, threads: run.threads }
    const counted = await run.work((job) => native.countCorpus(corpus, all, run.state, phase, job))
    fit.bytesRead += counted.bytesRead
    return counted
  }
  // With counts at hand the pool is read only where the amount is a share of its candidates.
  const needsCandidates = plan.amount.unit === 'fraction'
  const readsPool = !given.raw || needsCandidates
  const corpora = [...(readsPool ? [pool] : []), ...groups.flatMap((group) => group.corpus ?? [])]
  run.begin(
    'fit',
    corpora.reduce((sum, corpus) => sum + size(corpus), 0),
  )
  let raw = given.raw?.counts
  if (readsPool) {
    const limit = given.raw ? 0 : fitLimit(settings.fitNgrams, buckets, pool.inputs().length)
    const seesAll = limit === undefined || needsCandidates
    // The scoring pass, which reads the pool in any case, takes its hashes.
    const counted = await count(pool, 'raw', {
      limit,
      minTokens: seesAll ? minTokens : undefined,
      hash: false,
    })
    raw ??= counted.counts
    if (seesAll) fit.candidates = counted.files.reduce((sum, file) => sum + file.candidates, 0)
  }
  for (const [t, { name, corpus }] of groups.entries()) {
    const earlier = given.targets?.[t]
    if (earlier) {
      fit.targets.push(tensor(earlier.counts))
      fit.sides.push({ records: earlier.records, tokens: earlier.tokens, hashes: [] })
    } else if (corpus) {
      const { counts, files, bad, hashes } = await count(corpus, `target_${t}`, { hash: true })
      const sum = (of: 'records' | 'tokens' | 'skipped') => files.reduce((total, file) => total + file[of], 0)
      fit.targets.push(tensor(counts))
      fit.sides.push({ records: sum('records'), tokens: sum('tokens'), hashes })
      fit.bad.push(...bad)
      const skipped = sum('skipped')
      if (skipped > 0) fit.warnings.push(`${skipped} bad records of the target ${name} were skipped`)
    }
  }
  return { ...fit, raw: tensor(raw as Float64Array) }
}

interface CountOptions {
  limit?: number | undefined
  minTokens?: number | undefined
  hash: boolean
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
