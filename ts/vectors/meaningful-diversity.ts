/**
 * Meaningful diversity (Cohen, Manor, Bahat, Michaeli, "From Posterior Sampling to Meaningful Diversity in Image
 * Restoration", ICLR 2024, arXiv 2310.16047): of many samples of a generative model the few worth showing to a
 * person, different ones rather than copies of the most common. What pushes samples apart while they are made is in
 * `signals`.
 * @module
 */
import { TamisError } from '../errors.js'
import { farthestFirst, gumbelTopK, kMeans, nearest, topK } from '../kernels/index.js'
import { native } from '../native.js'
import {
  checkCount,
  checkInteger,
  checkNumber,
  checkOneOf,
  checkOptions,
  parseSeed,
  type Seed,
  show,
} from '../options.js'
import { checkReals } from '../rows.js'
import { type Cancellable, now } from '../run.js'
import { asFloat64, type Tensor, viewAs, viewBytes } from '../tensor.js'

/** How samples are compared. */
export interface SampleMetric {
  /**
   * `euclidean`; `cosine`: the Euclidean distance of rows divided by their norms; `precomputed`: x is [n, n] and holds
   * distances. Default `euclidean`.
   */
  metric?: 'euclidean' | 'cosine' | 'precomputed' | undefined
}

/** How {@link uniformizeWeights} estimates the density. */
export interface UniformizeOptions extends SampleMetric {
  /**
   * Which nearest sample the radius reaches to, itself the first: 2..n, or `auto`:
   * `n^(2/(d+2)) * (ln n)^(d/(d+2))` rounded with halves to even. Default 6.
   */
  k?: number | 'auto' | undefined
  /** What the radius is raised to, >= 0. Default: the number of features; 5 for distances. */
  power?: number | undefined
  /** The share of samples, those of the largest weights, that get none: 0..1. Default 0. */
  drop?: number | undefined
}

/** How many samples to pick, and how. */
export interface PickDiverseOptions extends UniformizeOptions {
  /** How many, 1..n. Default 5. */
  keep?: number | undefined
  /**
   * `farthest`: as far apart as can be, outliers first; `kmeans`: the sample nearest to each centre of a clustering;
   * `uniformize`: a draw that is flat over the support of the samples. Default `farthest`.
   */
  method?: 'farthest' | 'kmeans' | 'uniformize' | undefined
  /** Of `farthest`: a sample drawn by the seed, or the first of the farthest pair. Default `random`. */
  start?: 'random' | 'pair' | undefined
  /** Of `farthest`: only so many samples, more than `keep`, are looked at: fewer make outliers less extreme. */
  first?: number | undefined
  /** An integer 0..2^64-1. Default 0. */
  seed?: Seed | undefined
}

/** Samples in float32 or float64. */
type Samples = Tensor<'float32' | 'float64'>

const DENSITY = ['k', 'power', 'drop', 'metric'] as const
const PICK = [...DENSITY, 'keep', 'method', 'start', 'first', 'seed', 'signal'] as const
const METRICS = ['euclidean', 'cosine', 'precomputed'] as const
/** Restarts of the clustering, of which the best counts. */
const RESTARTS = 10
/** The exponent where samples have no number of features. */
const POWER_OF_DISTANCES = 5

/** Samples, checked, and how they are compared; with `cosine` they are divided by their norms here. */
function checkSamples(x: unknown, metric: unknown): { samples: Samples; precomputed: boolean; rows: number } {
  const given = checkReals('x', x, [2])
  const [rows = 0, width = 0] = given.dims
  const kind = checkOneOf('metric', metric ?? 'euclidean', METRICS)
  if (kind === 'precomputed' && rows !== width) {
    throw new TamisError(
      'ERR_TAMIS_SHAPE',
      `x must be square if distances are precomputed, got [${rows}, ${width}]`,
    )
  }
  const spoilt = native.findNotFinite(given.type, viewBytes(given))
  if (spoilt !== null) {
    throw new TamisError(
      'ERR_TAMIS_RANGE',
      `x is not finite: it holds ${show(given.data[spoilt])} in row ${Math.floor(spoilt / width)}`,
    )
  }
  if (kind !== 'cosine') return { samples: given, precomputed: kind === 'precomputed', rows }
  const unit = now({
    call: () => native.unitRows('x', given.type, viewBytes(given), width),
    finish: (bytes) => ({ ...given, data: viewAs(given, bytes) }) as Samples,
  })
  return { samples: unit, precomputed: false, rows }
}

/**
 * The weights by which a draw is flat over the support of the samples: r^d, r the distance of a sample to its k-th
 * nearest (itself the first), which is the inverse of a density estimate. They add up to 1. O(n^2 d), in parallel.
 * @param x - a float type: features [n, d], or distances [n, n]
 * @throws TamisError `k must be`, `power`, `drop`, `metric`, `square`, `rank`; `all samples are equal`,
 * `x is not finite`, `row N of x is zero` (cosine)
 * @example
 * import { tensor, vectors } from 'tamis'
 * const x = tensor('float32', [4, 1], [0, 0.1, 0.2, 3])
 * const { weights } = await vectors.uniformizeWeights(x, { k: 2 })
 * console.log(weights[3] > 0.8) // true
 */
export async function uniformizeWeights(
  x: Tensor,
  options?: UniformizeOptions & Cancellable,
): Promise<{ weights: Float64Array }> {
  const o = checkOptions('options', options, [...DENSITY, 'signal'])
  const { samples, precomputed, rows } = checkSamples(x, o.metric)
  return { weights: await weigh(samples, precomputed, rows, o) }
}

async function weigh(
  samples: Samples,
  precomputed: boolean,
  rows: number,
  o: UniformizeOptions & Cancellable,
): Promise<Float64Array> {
  const features = precomputed ? POWER_OF_DISTANCES : (samples.dims[1] ?? 0)
  const power = checkNumber('power', o.power ?? features, { min: 0 })
  const drop = checkNumber('drop', o.drop ?? 0, { min: 0, max: 1 })
  const k = checkNeighbours(o.k ?? 6, rows, precomputed ? power : features)
  const { signal } = o
  const sorted = precomputed
    ? (await topK(samples, { k, largest: false, signal })).values
    : (await nearest(samples, samples, { k, metric: 'l2', signal })).scores
  const all = asFloat64(sorted)
  const radii = Float64Array.from({ length: rows }, (_, i) => all[i * k + k - 1] as number)
  return now({
    call: () => native.flattenWeights(radii, power, Math.floor(rows * drop + 1e-6)),
    finish: (weights) => weights,
  })
}

function checkNeighbours(k: unknown, rows: number, features: number): number {
  const count = k === 'auto' ? automatic(rows, features) : k
  if (typeof count === 'number' && Number.isInteger(count) && count >= 2 && count <= rows) return count
  const want = `k must be an integer from 2 to ${rows}, the number of samples, or 'auto'`
  throw new TamisError('ERR_TAMIS_RANGE', `${want}, got ${k === 'auto' ? `${count} from 'auto'` : show(k)}`)
}

function automatic(n: number, d: number): number {
  const count = n ** (2 / (d + 2)) * Math.log(n) ** (d / (d + 2))
  const floor = Math.floor(count)
  return count - floor > 0.5 || (count - floor === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}

/**
 * Chooses a few different samples. `farthest` gives them in the order in which they were taken, `uniformize` in the
 * order in which they were drawn, `kmeans` ascending, and fewer if two centres share their nearest sample. O(n d) for
 * each sample kept, and O(n^2 d) for `uniformize` or a start by the farthest pair; in parallel.
 * @param x - a float type: features [n, d], or distances [n, n] with metric `precomputed` (not for `kmeans`)
 * @throws TamisError `keep`, `first`, `method`, `start`, `metric`, `precomputed`, `square`, `rank`; `x is not finite`;
 * for `uniformize` what {@link uniformizeWeights} throws, and `fewer` positive weights than `keep`
 * @example
 * import { tensor, vectors } from 'tamis'
 * const x = tensor('float32', [5, 1], [0, 0.1, 0.2, 3, 9])
 * const { indices } = await vectors.pickDiverse(x, { keep: 3, start: 'pair' })
 * console.log(indices) // Uint32Array(3) [ 0, 4, 3 ]
 */
export async function pickDiverse(
  x: Tensor,
  options?: PickDiverseOptions & Cancellable,
): Promise<{ indices: Uint32Array }> {
  const o = checkOptions('options', options, PICK)
  const method = checkOneOf('method', o.method ?? 'farthest', ['farthest', 'kmeans', 'uniformize'])
  const start = checkOneOf('start', o.start ?? 'random', ['random', 'pair'])
  const seed = parseSeed(o.seed)
  const { signal } = o
  if (method === 'kmeans' && o.metric === 'precomputed') {
    throw new TamisError('ERR_TAMIS_RANGE', 'metric must not be precomputed for kmeans: it needs features')
  }
  const { samples, precomputed, rows } = checkSamples(x, o.metric)
  const keep = checkKeep(o.keep ?? 5, rows)
  if (method === 'farthest') {
    const first = o.first === undefined ? rows : checkFirst(o.first, keep, rows)
    const mask = first === rows ? undefined : Uint8Array.from({ length: rows }, (_, i) => (i < first ? 1 : 0))
    const metric = precomputed ? 'precomputed' : 'euclidean'
    const { indices } = await farthestFirst(samples, { k: keep, metric, start, seed, mask, signal })
    return { indices }
  }
  if (method === 'kmeans') {
    const { centers } = await kMeans(samples, { k: keep, nInit: RESTARTS, seed, signal })
    const { indices } = await nearest(centers, samples, { metric: 'l2sq', signal })
    return { indices: Uint32Array.from(new Set(indices.data as Uint32Array)).sort() }
  }
  const weights = await weigh(samples, precomputed, rows, o)
  const logWeights: Tensor = { type: 'float64', dims: [rows], data: weights.map(Math.log) }
  const { indices } = await gumbelTopK(logWeights, { k: keep, seed, signal })
  return { indices: indices.data }
}

function checkKeep(keep: unknown, rows: number): number {
  const count = checkCount('keep', keep, 1)
  if (count <= rows) return count
  throw new TamisError('ERR_TAMIS_RANGE', `keep must be at most ${rows}, the number of samples, got ${count}`)
}

function checkFirst(first: unknown, keep: number, rows: number): number {
  const count = checkInteger('first', first, 1, rows)
  if (count > keep) return count
  throw new TamisError('ERR_TAMIS_RANGE', `first must be above keep, which is ${keep}, got ${count}`)
}
