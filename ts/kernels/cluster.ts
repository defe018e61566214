/**
 * k-means.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import {
  checkBoolean,
  checkCount,
  checkNumber,
  checkOneOf,
  checkOptions,
  parseSeed,
  type Seed,
  show,
} from '../options.js'
import { checkReals, convertReals } from '../rows.js'
import { type Cancellable, now, type Operation, promised } from '../run.js'
import { asFloat64, checkTensor, FLOAT_TYPES, type Tensor, viewAs, viewBytes } from '../tensor.js'

/** How many clusters, and how they are found. */
export interface KMeansOptions {
  /** 1..n */
  k: number
  /**
   * Where the centres start. `k-means++`: one row after another, drawn in proportion to weight times distance to the
   * nearest start so far; `random`: rows without replacement; or centres [k, d]. Default `k-means++`.
   */
  init?: 'k-means++' | 'random' | Tensor | undefined
  /** Runs from different starts, of which the one with the lowest inertia is kept. Default 1. */
  nInit?: number | undefined
  /** Default 300; 100 steps with batches, all of which are done. */
  maxIterations?: number | undefined
  /**
   * The iteration ends once the squared shift of the centres is at most this times the mean variance of a feature.
   * Default 1e-4.
   */
  tolerance?: number | undefined
  /** Rows and centres have unit length, and the distance is 1 - x . c. Default `false`. */
  spherical?: boolean | undefined
  /** Rows of a mini-batch, drawn with replacement. Default: no batches. */
  batchSize?: number | undefined
  /** [n], above 0: what a row counts in means and inertia. Default: 1 each. */
  weights?: Tensor | undefined
  /** An integer 0..2^64-1. Default 0. */
  seed?: Seed | undefined
}

/** Rows in clusters. */
export interface KMeans {
  /** [k, d]; float64 where x is, else float32 */
  centers: Tensor<'float32' | 'float64'>
  /** uint32 [n] */
  labels: Tensor<'uint32'>
  /** The weighted sum of the rows' distances (squared, or 1 - x . c) to their centres. */
  inertia: number
  /** Updates of the centres that were done. */
  iterations: number
  /** Rows of each cluster: uint32 [k]. */
  counts: Tensor<'uint32'>
}

const KEYS = [
  'k',
  'init',
  'nInit',
  'maxIterations',
  'tolerance',
  'spherical',
  'batchSize',
  'weights',
  'seed',
] as const

type NativeResult = Awaited<ReturnType<typeof native.kMeans>>

function cluster(x: Tensor, options: KMeansOptions | undefined): Operation<NativeResult, KMeans> {
  const rows = checkReals('x', x, [2])
  const [n = 0, width = 0] = rows.dims
  const o = checkOptions('options', options, KEYS)
  const k = checkK(o.k, n)
  const batchSize = o.batchSize === undefined ? undefined : checkCount('batchSize', o.batchSize, 1)
  const nInit = o.nInit === undefined ? 1 : checkCount('nInit', o.nInit, 1)
  const centers = checkCenters(o.init, [k, width], rows.type)
  if (centers && nInit > 1) {
    throw new TamisError('ERR_TAMIS_RANGE', `nInit must be 1 if init is a tensor, got ${nInit}`)
  }
  const told = {
    rows: n,
    width,
    k,
    init: centers ? ('centers' as const) : startsOf(o.init),
    restarts: nInit,
    maxIterations: checkCount('maxIterations', o.maxIterations ?? (batchSize === undefined ? 300 : 100)),
    tolerance: checkNumber('tolerance', o.tolerance ?? 1e-4, { min: 0 }),
    spherical: checkBoolean('spherical', o.spherical, false),
    batchSize,
    seed: parseSeed(o.seed),
  }
  const weights = o.weights === undefined ? undefined : checkWeights(o.weights, n)
  const start = centers ? viewBytes(centers) : new Uint8Array(0)
  return {
    call: (job) => native.kMeans(rows.type, viewBytes(rows), told, start, weights, job),
    finish: (found) => ({
      centers: { type: rows.type, dims: [k, width], data: viewAs(rows, found.centers) },
      labels: { type: 'uint32', dims: [n], data: found.labels },
      inertia: found.inertia,
      iterations: found.iterations,
      counts: { type: 'uint32', dims: [k], data: found.counts },
    }),
  }
}

function checkK(k: unknown, rows: number): number {
  if (typeof k === 'number' && Number.isInteger(k) && k >= 1 && k <= rows) return k
  const want = `k must be an integer from 1 to ${rows}, the number of rows`
  throw new TamisError('ERR_TAMIS_RANGE', `${want}, got ${show(k)}`)
}

function startsOf(init: unknown): 'plusplus' | 'random' {
  const named = checkOneOf('init', init ?? 'k-means++', ['k-means++', 'random'])
  return named === 'random' ? 'random' : 'plusplus'
}

/** Given centres, in the type of the rows. */
function checkCenters(
  init: unknown,
  [k, width]: [number, number],
  type: 'float32' | 'float64',
): Tensor<'float32' | 'float64'> | undefined {
  if (typeof init !== 'object' || init === null) return undefined
  const centers = checkReals('init', init, [2])
  if (centers.dims[0] === k && centers.dims[1] === width) return convertReals(centers, type)
  const want = `init must have dims [${k}, ${width}]`
  throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got [${centers.dims.join(', ')}]`)
}

function checkWeights(value: unknown, rows: number): Float64Array {
  const weights = checkTensor('weights', value, { types: FLOAT_TYPES })
  if (weights.dims.length === 1 && weights.dims[0] === rows) return asFloat64(weights)
  const want = `weights must have dims [${rows}], one a row`
  throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got [${weights.dims.join(', ')}]`)
}

/**
 * k-means: Lloyd's iteration (1982) from k-means++ (Arthur and Vassilvitskii 2007), random or given starts; in
 * mini-batches (Sculley 2010); spherical (Dhillon and Modha 2001). Labels are exact, ties to the lowest centre; an
 * empty cluster takes the farthest row of those that have others; means, shift and inertia are float64 in one order of
 * sums, so that a seed gives the same bytes for any number of threads.
 *
 * O(n k d) an iteration, in parallel; much less once clusters settle, since rows whose bounds show that they stay are
 * not compared again. d + 20 bytes a row beside the input.
 * @param x - a float type, [n, d]; float64 keeps centres of float64
 * @throws TamisError `k must`, `init`, `nInit`, `weights`, `batch`, `finite`, `zero` (a zero row, spherical), `rank`,
 * `dims`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const x = tensor('float32', [4, 1], [0, 0.1, 9, 9.1])
 * const { counts, inertia } = await kernels.kMeans(x, { k: 2 })
 * console.log(counts.data, inertia.toFixed(3)) // Uint32Array(2) [ 2, 2 ] 0.010
 */
export async function kMeans(x: Tensor, options: KMeansOptions & Cancellable): Promise<KMeans> {
  return promised(options, (o) => cluster(x, o))
}

/** {@link kMeans}, at once. */
export function kMeansSync(x: Tensor, options: KMeansOptions): KMeans {
  return now(cluster(x, options))
}
