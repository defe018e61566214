/**
 * Selection from files by the records' embeddings: from clusters, by distance from prototypes, as far apart as can be.
 * @module
 */
import { stat } from 'node:fs/promises'
import { TamisError } from '../errors.js'
import { farthestFirst } from '../kernels/index.js'
import { native } from '../native.js'
import type { NativePlaces } from '../native-corpus.js'
import type { NativeChosen } from '../native-files.js'
import { checkBoolean, checkOneOf, checkOptions, parseSeed, type Seed } from '../options.js'
import type { Tensor } from '../tensor.js'
import { selectDiverse } from './diversify-conquer.js'
import {
  checkName,
  checkPatterns,
  checkStandardInput,
  FILE_OPTIONS,
  type FileRun,
  runOnFiles,
} from './files.js'
import { openPlaces } from './places.js'
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
import {
  type FileSelectionOptions,
  planSelection,
  SELECTION_OPTIONS,
  type SelectionPass,
  type SelectionPlan,
} from './select-files-options.js'
import { prototypeScores } from './ssl-prototypes.js'
import { checkPaths, readVectors } from './vector-files.js'

/** Where the records' vectors are. */
export interface VectorFileOptions extends FileSelectionOptions {
  /** The field or column of each record that holds its vector; dots reach nested ones. Default `embedding`. */
  embeddings?: string
  /** In place of it: files of vectors, a row a record in the order of the records (see {@link readVectors}). */
  vectors?: string | readonly string[]
  /** Which tensor, column or field of those files. Default: the only one. */
  vectorsName?: string
  /** Divide each vector by its norm first. Default false. */
  normalize?: boolean
}

/** What {@link selectFilesByClusters} is told. */
export interface ClusterFileOptions extends VectorFileOptions {
  /** 1 to the number of records. Default min(1024, records to keep). */
  clusters?: number
  /** The field or column of each record that holds its quality, a finite number. Default: all the same. */
  quality?: string
  /** A record is drawn in proportion to exp(quality) (`softmax`), or to quality itself, > 0 (`linear`). Default `softmax`. */
  temper?: 'softmax' | 'linear'
  /** Shares of the clusters: `equal`, or `proportional` to their records. Default `equal`. */
  allocation?: 'equal' | 'proportional'
  /** An integer 0..2^64-1. Default 0. */
  seed?: Seed
}

/** What {@link selectFilesByPrototypes} is told. */
export interface PrototypeFileOptions extends VectorFileOptions {
  /** 1 to the number of records. Default min(1000, round(sqrt(records))). */
  clusters?: number
  /** Records far from every prototype (`hard`), or near to one (`easy`). Default `hard`. */
  keep?: 'hard' | 'easy'
  /** An integer 0..2^64-1. Default 0. */
  seed?: Seed
}

/** What {@link selectFilesByDistance} is told. */
export interface DistanceFileOptions extends VectorFileOptions {
  /** Default `cosine`. */
  metric?: 'cosine' | 'euclidean'
  /** The first record: drawn by the seed, or the one whose nearest neighbour is farthest. Default `random`. */
  start?: 'random' | 'isolated'
  /** Stop before a record that is nearer than this to a kept one. */
  minDistance?: number
  /** An integer 0..2^64-1. Default 0. */
  seed?: Seed
}

const VECTOR_OPTIONS = [
  ...FILE_OPTIONS,
  ...SELECTION_OPTIONS,
  'embeddings',
  'vectors',
  'vectorsName',
  'normalize',
] as const

/**
 * Keeps records of files from every k-means cluster of their embeddings, within a cluster by quality: {@link selectDiverse}
 * (kMQ). One pass over the files to read, one to write what is kept; in between all vectors are in memory, twice, with 40
 * bytes a record. `count` or `fraction` says how many.
 * @param raw - paths, globs, folders, `-`
 * @throws TamisError what {@link selectDiverse} throws, what {@link readVectors} throws of vectors, and what
 * {@link selectFilesByImportance} throws of files
 * @example
 * import { corpus } from 'tamis'
 * await corpus.selectFilesByClusters(['pool.parquet'], { vectors: 'pool.npy', fraction: 0.1, out: 'kept.parquet' })
 */
export async function selectFilesByClusters(
  raw: readonly string[],
  options: ClusterFileOptions,
): Promise<FileSelection> {
  const known = [...VECTOR_OPTIONS, 'clusters', 'quality', 'temper', 'allocation', 'seed'] as const
  const { clusters, quality, temper, allocation, seed, ...o } = checkOptions('options', options, known)
  const field = quality === undefined ? undefined : checkName('quality', quality)
  const settings = { clusters, quality, temper, allocation, seed: String(parseSeed(seed)) }
  return selectByVectors(
    raw,
    o,
    'kmq',
    settings,
    field,
    'Quality',
    async ({ run, vectors, numbers, places, count, signal }) => {
      const worth: Tensor | undefined = numbers && { type: 'float64', dims: [numbers.length], data: numbers }
      const rows = await run.once('rows', Uint32Array, async () => {
        const { indices } = await selectDiverse(await vectors(), {
          count,
          clusters,
          temper,
          allocation,
          seed,
          quality: worth,
          ...(signal && { signal }),
        })
        return indices.data
      })
      const scores = numbers && new Float32Array(numbers)
      const of = numbers ? rows : new Uint32Array(0)
      return { chosen: places.choose(rows, gather(numbers, of, rows.length)), scores }
    },
  )
}

/**
 * Keeps the records of files whose embeddings are farthest from (or nearest to) k-means prototypes: {@link prototypeScores}, and the
 * best by it. Any amount can be given. Passes and memory as of {@link selectFilesByClusters}.
 * @param raw - paths, globs, folders, `-`
 * @throws TamisError what {@link prototypeScores} throws, and what {@link selectFilesByClusters} throws of files
 * @example
 * import { corpus } from 'tamis'
 * await corpus.selectFilesByPrototypes(['pool.jsonl'], { embeddings: 'vector', fraction: 0.8, out: 'kept.jsonl' })
 */
export async function selectFilesByPrototypes(
  raw: readonly string[],
  options: PrototypeFileOptions,
): Promise<FileSelection> {
  const known = [...VECTOR_OPTIONS, 'clusters', 'keep', 'seed'] as const
  const { clusters, keep, seed, ...o } = checkOptions('options', options, known)
  const easy = checkOneOf('keep', keep ?? 'hard', ['hard', 'easy']) === 'easy'
  const settings = { clusters, keep: easy ? 'easy' : 'hard', seed: String(parseSeed(seed)) }
  const score = 'Distance from the nearest prototype'
  return selectByVectors(raw, o, 'prototypes', settings, undefined, score, async (pool) => {
    const { run, vectors, places, plan, count, signal } = pool
    const scores = await run.once('scores', Float32Array, async () => {
      const found = await prototypeScores(await vectors(), { clusters, seed, ...(signal && { signal }) })
      return found.scores.data
    })
    const { unit, value } = plan.amount
    const by = unit === 'tokens' || unit === 'bytes' ? { unit, value } : { unit: 'records', value: count }
    return { chosen: places.chooseBest(scores, easy, by.unit, by.value, EXAMPLES), scores }
  })
}

/**
 * Keeps records of files whose embeddings are as far apart as can be: {@link kernels.farthestFirst}. `count` or `fraction` says how
 * many at most. Passes and memory as of {@link selectFilesByClusters}.
 * @param raw - paths, globs, folders, `-`
 * @throws TamisError what {@link kernels.farthestFirst} throws, and what {@link selectFilesByClusters} throws of files
 * @example
 * import { corpus } from 'tamis'
 * await corpus.selectFilesByDistance(['pool.jsonl'], { vectors: 'pool.safetensors', count: 1000, out: 'kept.jsonl' })
 */
export async function selectFilesByDistance(
  raw: readonly string[],
  options: DistanceFileOptions,
): Promise<FileSelection> {
  const known = [...VECTOR_OPTIONS, 'metric', 'start', 'minDistance', 'seed'] as const
  const { metric, start, minDistance, seed, ...o } = checkOptions('options', options, known)
  const settings = { metric, start, minDistance, seed: String(parseSeed(seed)) }
  checkOneOf('metric', metric ?? 'cosine', ['cosine', 'euclidean'])
  checkOneOf('start', start ?? 'random', ['random', 'isolated'])
  return selectByVectors(
    raw,
    o,
    'maxmin',
    settings,
    undefined,
    undefined,
    async ({ run, vectors, places, count, signal }) => {
      const rows = await run.once('rows', Uint32Array, async () => {
        const { indices } = await farthestFirst(await vectors(), {
          k: count,
          metric,
          start,
          minDistance,
          seed,
          ...(signal && { signal }),
        })
        return indices.slice().sort()
      })
      return { chosen: places.choose(rows, new Float64Array(rows.length)), scores: undefined }
    },
  )
}

/** The records with their vectors. */
interface Pool {
  run: FileRun<SelectionPass>
  vectors: () => Promise<Tensor<'float32'>>
  numbers: Float64Array | undefined
  places: NativePlaces
  plan: SelectionPlan
  /** Records to keep, where the amount says that. */
  count: number
  signal: AbortSignal | undefined
}

type Choose = (pool: Pool) => Promise<{ chosen: NativeChosen; scores: Float32Array | undefined }>

async function selectByVectors(
  raw: readonly string[],
  o: VectorFileOptions,
  method: string,
  settings: Record<string, unknown>,
  quality: string | undefined,
  score: string | undefined,
  choose: Choose,
): Promise<FileSelection> {
  const plan = planSelection(o)
  checkPlan(plan, method, score !== undefined && (method !== 'kmq' || quality !== undefined))
  const source = checkSource(o)
  const patterns = checkPatterns('raw', raw)
  checkStandardInput(patterns, plan.resume)
  return runOnFiles(o, async (run: FileRun<SelectionPass>) => {
    const corpus = await run.open(patterns)
    const used = { ...amountOf(plan), addScores: plan.addScores, ...source.told, ...settings }
    const places = await openPlaces(run, plan, [corpus], {
      tamis: native.version(),
      unicode: native.unicodeVersion(),
      method,
      ...run.read,
      ...used,
      scores: plan.scores !== undefined,
      vectors: await printFiles(source.files),
    })
    run.begin(
      'read',
      corpus.inputs().reduce((sum, input) => sum + input.bytes, 0),
    )
    const wanted = { vector: source.field, number: quality, hash: true, threads: run.threads }
    const found = await run.work((job) => native.findPlaces(corpus, wanted, run.state, job))
    const count = countOf(plan, found.records())
    run.begin('choose', 0)
    const numbers = quality === undefined ? undefined : found.takeNumbers()
    const vectors = () => vectorsOf(run, found, source)
    const pool = { run, vectors, numbers, places: found, plan, count, signal: o.signal }
    const { chosen, scores } = await choose(pool)
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
      score: scores && score,
      options: used,
      targets: [],
    })
  })
}

/** What such a method cannot do is said before a file is touched. */
function checkPlan(plan: SelectionPlan, method: string, scored: boolean): void {
  const refuse = (message: string) => new TamisError('ERR_TAMIS_RANGE', message)
  const { unit } = plan.amount
  if (method !== 'prototypes' && (unit === 'tokens' || unit === 'bytes')) {
    throw refuse(`${unit}: the method ${method} keeps a number of records: give count or fraction`)
  }
  if (plan.scores !== undefined && !scored) {
    throw refuse(`scores: the method ${method} gives records no scores (of kmq they are its quality)`)
  }
}

/** Where vectors are, as it was checked. @hidden */
export interface VectorSource {
  field: string | undefined
  files: string[] | undefined
  name: string | undefined
  normalize: boolean
  /** As the options have it. */
  told: Record<string, unknown>
}

/** Checks where vectors are. @hidden */
export function checkSource(
  o: Pick<VectorFileOptions, 'embeddings' | 'vectors' | 'vectorsName' | 'normalize'>,
): VectorSource {
  if (o.embeddings !== undefined && o.vectors !== undefined) {
    throw new TamisError('ERR_TAMIS_RANGE', 'embeddings and vectors both say where the vectors are: give one')
  }
  const normalize = checkBoolean('normalize', o.normalize, false)
  if (o.vectors === undefined) {
    if (o.vectorsName !== undefined) {
      throw new TamisError('ERR_TAMIS_RANGE', 'vectorsName needs vectors: the files in which to look for it')
    }
    const field = checkName('embeddings', o.embeddings ?? 'embedding')
    return { field, files: undefined, name: undefined, normalize, told: { embeddings: field, normalize } }
  }
  const files = checkPaths('vectors', o.vectors)
  const name = o.vectorsName === undefined ? undefined : checkName('vectorsName', o.vectorsName)
  return { field: undefined, files, name, normalize, told: { vectors: files, vectorsName: name, normalize } }
}

/** By what it is seen that files of vectors are those of an interrupted run: path, bytes, time of change. @hidden */
export async function printFiles(files: readonly string[] | undefined): Promise<unknown[]> {
  const print = async (path: string) => {
    // What cannot be read is told by who reads it.
    const found = await stat(path, { bigint: true }).catch(() => undefined)
    return found && [path, String(found.size), String(found.mtimeNs)]
  }
  return Promise.all((files ?? []).map(print))
}

/** A vector for each record. @hidden */
export async function vectorsOf<Pass extends string>(
  run: FileRun<Pass>,
  found: NativePlaces,
  source: VectorSource,
): Promise<Tensor<'float32'>> {
  const n = found.records()
  let x: Tensor<'float32'>
  if (source.files) {
    const { signal } = run.options
    x = await readVectors(source.files, { name: source.name, ...(signal && { signal }) })
    const skipped = found.files().reduce((sum, file) => sum + file.skipped, 0)
    if (x.dims[0] !== n) {
      const bad = skipped > 0 ? ` (${skipped} bad records were skipped: they must have no vector)` : ''
      throw new TamisError(
        'ERR_TAMIS_SHAPE',
        `vectors must have a row for each of the ${n} records${bad}, got ${x.dims[0]}`,
      )
    }
  } else x = { type: 'float32', dims: [n, found.width()], data: found.takeVectors() }
  if (!source.normalize) return x
  const width = x.dims[1] ?? 0
  return { ...x, data: await run.work(async (job) => native.unitVectors(x.data, width, job)) }
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

/** The numbers of some rows; zeros where there are none. */
function gather(numbers: Float64Array | undefined, rows: Uint32Array, length: number): Float64Array {
  if (!numbers) return new Float64Array(length)
  return Float64Array.from(rows, (row) => numbers[row] as number)
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
