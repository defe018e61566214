/**
 * Selection from files by the records' embeddings: from clusters, by distance from prototypes, as far apart as can be.
 * @module
 */
import { TamisError } from '../errors.js'
import { checkName, FILE_OPTIONS, type FileRun } from '../files.js'
import { farthestFirst } from '../kernels/index.js'
import { native } from '../native.js'
import type { NativePlaces } from '../native-corpus.js'
import { checkBoolean, checkOneOf, checkOptions, parseSeed, type Seed } from '../options.js'
import type { Tensor } from '../tensor.js'
import { selectDiverse } from './diversify-conquer.js'
import { type Choice, chooseBest, type Pool, selectByPlaces } from './placed-files.js'
import type { FileSelection } from './select-files.js'
import {
  type FileSelectionOptions,
  planSelection,
  SELECTION_OPTIONS,
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
  return selectByVectors(raw, o, {
    method: 'kmq',
    settings,
    quality: field,
    score: 'Quality',
    async choose({ run, vectors, places, count, signal }) {
      const numbers = field === undefined ? undefined : places.takeNumbers()
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
  })
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
  return selectByVectors(raw, o, {
    method: 'prototypes',
    settings,
    score: 'Distance from the nearest prototype',
    async choose(pool) {
      const { run, vectors, signal } = pool
      const scores = await run.once('scores', Float32Array, async () => {
        const found = await prototypeScores(await vectors(), { clusters, seed, ...(signal && { signal }) })
        return found.scores.data
      })
      return { chosen: chooseBest(pool, scores, easy), scores }
    },
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
  return selectByVectors(raw, o, {
    method: 'maxmin',
    settings,
    async choose({ run, vectors, places, count, signal }) {
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
  })
}

/** What is chosen by vectors. */
interface ByVectors {
  method: string
  settings: Record<string, unknown>
  /** The field of a number that counts as well. */
  quality?: string | undefined
  /** What scores are called, where there are any. */
  score?: string | undefined
  choose(pool: VectorPool): Promise<Choice>
}

/** The records with their vectors, which are read when they are asked for. */
interface VectorPool extends Pool {
  vectors: () => Promise<Tensor<'float32'>>
}

async function selectByVectors(
  raw: readonly string[],
  o: VectorFileOptions,
  by: ByVectors,
): Promise<FileSelection> {
  const { method, quality } = by
  const plan = planSelection(o)
  checkPlan(plan, method, by.score !== undefined && (method !== 'kmq' || quality !== undefined))
  const source = checkSource(o)
  return selectByPlaces(raw, o, plan, {
    method,
    settings: { ...source.told, ...by.settings },
    vector: source.field,
    numbers: quality === undefined ? [] : [quality],
    files: source.files,
    score: by.score,
    choose: (pool) => by.choose({ ...pool, vectors: () => vectorsOf(pool.run, pool.places, source) }),
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

/** The numbers of some rows; zeros where there are none. */
function gather(numbers: Float64Array | undefined, rows: Uint32Array, length: number): Float64Array {
  if (!numbers) return new Float64Array(length)
  return Float64Array.from(rows, (row) => numbers[row] as number)
}
