/**
 * The fit of DSIR over files: what it is told, checked, and the n-gram counts of both sides.
 * @module
 */
import { TamisError } from '../errors.js'
import { bytesOf, checkName, checkPatterns, FILE_OPTIONS, type FileRun } from '../files.js'
import { native } from '../native.js'
import type { NativeCorpus, NativeCounted, NativeNgramCounts } from '../native-files.js'
import { ngramShape } from '../ngrams.js'
import { checkNumber, show } from '../options.js'
import type { Tensor } from '../tensor.js'
import { fitLimit, type ImportanceOptions, resampleOptions } from './dsir.js'
import {
  type FileSelectionOptions,
  SELECTION_OPTIONS,
  type SelectionPass,
  type SelectionPlan,
} from './select-files-options.js'
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

/** The names of {@link FileImportanceOptions}. @hidden */
export const IMPORTANCE_KEYS = [
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

/** What the method is told, checked. @hidden */
export interface Settings {
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

/** A target and its files. @hidden */
export interface Group {
  name: string
  files: string[]
  corpus: NativeCorpus | undefined
}

/** Checks what can be checked before a file is touched. @hidden */
export function checkSettings(raw: unknown, targets: FileTargets, o: FileImportanceOptions): Settings {
  const counts = o.targetCounts !== undefined
  if (counts && Object.keys(targets ?? {}).length > 0) {
    throw new TamisError('ERR_TAMIS_RANGE', 'targets must be empty ([]) where targetCounts is given')
  }
  const { groups, several } = checkTargets(
    counts ? 'targetCounts' : 'targets',
    counts ? o.targetCounts : targets,
  )
  // The amount may not be known yet; whether the targets can share one is.
  shareOut(1, groups.length, o.proportions ?? groups.map(() => 1))
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
  return { groups, several: Array.isArray(targets) || groups.length > 1 }
}

/** Counts that were made earlier. @hidden */
export interface GivenCounts {
  raw: NativeNgramCounts | undefined
  targets: NativeNgramCounts[] | undefined
}

/** Reads the counts files that are given. @hidden */
export async function readCounts(settings: Settings): Promise<GivenCounts> {
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

/** What both sides hold. @hidden */
export interface Fit {
  raw: Tensor
  targets: Tensor[]
  /** Records and tokens of each target, and the hashes of its files. */
  sides: { records: number; tokens: number; hashes: (string | null)[] }[]
  candidates: number | undefined
  /** Of the raw files, where they were read. */
  hashes: (string | null)[] | undefined
  bytesRead: number
  bad: string[]
  warnings: string[]
}

/** Counts what is not given. @hidden */
export async function fitCounts(
  run: FileRun<SelectionPass>,
  plan: SelectionPlan,
  settings: Settings,
  pool: NativeCorpus,
  groups: Group[],
  given: GivenCounts,
): Promise<Fit> {
  const { ngrams, buckets, minTokens } = settings
  const tensor = (data: Float64Array): Tensor => ({ type: 'float64', dims: [data.length], data })
  const fit: Omit<Fit, 'raw'> = {
    targets: [],
    sides: [],
    candidates: undefined,
    hashes: undefined,
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
    corpora.reduce((sum, corpus) => sum + bytesOf(corpus), 0),
  )
  let raw = given.raw?.counts
  if (readsPool) {
    const limit = given.raw ? 0 : fitLimit(settings.fitNgrams, buckets, pool.inputs().length)
    const seesAll = limit === undefined || needsCandidates
    const counted = await count(pool, 'raw', {
      limit,
      minTokens: seesAll ? minTokens : undefined,
      keep: plan.spoolBytes,
      hash: true,
    })
    fit.hashes = counted.hashes
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
  keep?: number
  hash: boolean
}
