/**
 * Self-supervised prototypes (Sorscher, Geirhos, Shekhar, Ganguli, Morcos, "Beyond neural scaling laws: beating power
 * law scaling via data pruning", NeurIPS 2022, arXiv 2206.14486), and the duplicates of their sibling (Abbas, Tirumala,
 * Simig, Ganguli, Morcos, "SemDeDup", arXiv 2303.09540).
 *
 * It ranks a data set by difficulty without labels: how far each sample's embedding is from the nearest k-means
 * prototype. Keep the hard ones when data is plentiful, the easy ones when it is scarce.
 * @module
 */
import { TamisError } from '../errors.js'
import { kMeans } from '../kernels/index.js'
import { native } from '../native.js'
import {
  checkInteger,
  checkNumber,
  checkOneOf,
  checkOptions,
  parseSeed,
  type Seed,
  show,
} from '../options.js'
import { checkReals, convertReals } from '../rows.js'
import { type Cancellable, later } from '../run.js'
import { asFloat64, checkTensor, FLOAT_TYPES, type Tensor, viewBytes } from '../tensor.js'

/** Where the prototypes come from. */
export interface PrototypeOptions {
  /** Of spherical k-means, 1 to n. Default min(1000, round(sqrt(n))). */
  clusters?: number | undefined
  /** [k, d]: prototypes found otherwise, in place of k-means. */
  centroids?: Tensor | undefined
  /** uint32 [n], with `centroids`: the prototype of each row. Default: the nearest. */
  labels?: Tensor | undefined
  /** An integer 0..2^64-1. Default 0. */
  seed?: Seed | undefined
}

/** Rows and their prototypes. */
export interface PrototypeScores {
  /** [n]: 1 - cosine to the row's prototype, 0 to 2; high is hard. */
  scores: Tensor<'float32'>
  /** [n] */
  labels: Tensor<'uint32'>
  /** [k, d] */
  centroids: Tensor<'float32' | 'float64'>
}

/** How many rows, and which. Exactly one of `count` and `ratio`. */
export interface PruneOptions {
  /** 1 to n */
  count?: number | undefined
  /** The share of the rows, above 0 and up to 1: `ratio * n` rows, halves rounded up. */
  ratio?: number | undefined
  /** The highest scores (`hard`) or the lowest (`easy`). Default `hard`. */
  keep?: 'hard' | 'easy' | undefined
  /** uint32 [n]: classes of which each keeps a share of its own. */
  classes?: Tensor | undefined
  /** The part of the count that is shared out by class size, 0 to 1. Default 0.5 if there are classes. */
  balance?: number | undefined
}

const KEYS = ['clusters', 'centroids', 'labels', 'seed'] as const

type Reals = Tensor<'float32' | 'float64'>

function checkDirections(name: string, x: Reals): void {
  const bad = native.findBadRow(x.type, viewBytes(x), x.dims[1] ?? 0)
  if (bad === null) return
  const what = bad.zero ? 'a zero row has no direction' : `${name} must be finite`
  const row = bad.zero ? `row ${bad.row} of ${name}` : `row ${bad.row} is not`
  throw new TamisError('ERR_TAMIS_RANGE', bad.zero ? `${what}: ${row}` : `${what}, but ${row}`)
}

/** Checked options over n rows. */
interface Prototypes {
  clusters: number
  seed: bigint
  centroids: Reals | undefined
  labels: Uint32Array | undefined
}

function checkPrototypes(x: Reals, o: PrototypeOptions): Prototypes {
  const [n = 0, width = 0] = x.dims
  const seed = parseSeed(o.seed)
  checkDirections('embeddings', x)
  if (o.centroids === undefined) {
    if (o.labels !== undefined) {
      throw new TamisError('ERR_TAMIS_RANGE', 'labels need the centroids that they number: give both')
    }
    const clusters = o.clusters ?? Math.min(1000, Math.round(Math.sqrt(n)))
    if (!Number.isInteger(clusters) || clusters < 1 || clusters > n) {
      const want = `clusters must be between 1 and ${n}, the number of rows`
      throw new TamisError('ERR_TAMIS_RANGE', `${want}, got ${show(clusters)}`)
    }
    return { clusters, seed, centroids: undefined, labels: undefined }
  }
  const centroids = convertReals(checkReals('centroids', o.centroids, [2]), x.type)
  const [k = 0, other = 0] = centroids.dims
  if (other !== width || k === 0) {
    const want = `centroids must have dims [k, ${width}], k at least 1`
    throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got [${k}, ${other}]`)
  }
  if (o.clusters !== undefined && o.clusters !== k) {
    const want = `clusters must be between 1 and ${n}, and as many as the ${k} centroids`
    throw new TamisError('ERR_TAMIS_RANGE', `${want}, got ${show(o.clusters)}`)
  }
  checkDirections('centroids', centroids)
  return { clusters: k, seed, centroids, labels: checkLabels(o.labels, n, k) }
}

function checkLabels(labels: unknown, n: number, k: number): Uint32Array | undefined {
  if (labels === undefined) return undefined
  const { data } = checkTensor('labels', labels, { types: ['uint32'], dims: [n] })
  const counted = native.countGroups(data, undefined, k) as { highest: number }
  if (counted.highest <= k) return data
  throw new TamisError(
    'ERR_TAMIS_RANGE',
    `labels must be below ${k}, the number of centroids, got ${counted.highest - 1}`,
  )
}

async function score(x: Reals, p: Prototypes, signal: AbortSignal | undefined): Promise<PrototypeScores> {
  const [n = 0, width = 0] = x.dims
  const centroids =
    p.centroids ??
    (
      await kMeans(x, {
        k: p.clusters,
        spherical: true,
        maxIterations: 100,
        seed: p.seed,
        ...(signal && { signal }),
      })
    ).centers
  return later(
    {
      call: (job) => native.assignRows(x.type, viewBytes(x), viewBytes(centroids), width, p.labels, job),
      finish: ({ scores, labels }) => ({
        scores: { type: 'float32', dims: [n], data: scores },
        labels: { type: 'uint32', dims: [n], data: labels },
        centroids,
      }),
    },
    signal,
  )
}

/**
 * How far each row is from its prototype: 1 - cosine to the nearest centroid of spherical k-means (100 iterations), or of those that
 * are given; with `labels` to the one that they name. The result hardly depends on `clusters` within a factor of ten of the number of
 * natural classes. O(n k d) an iteration, in parallel.
 * @param embeddings - a float type, [n, d]; rows need no normalisation
 * @throws TamisError `zero row has no direction`, `embeddings must be finite`, `centroids`, `labels`, `clusters must be between`
 * @example
 * import { corpus, tensor } from 'tamis'
 * const x = tensor('float32', [3, 2], [2, 0, 1, 1, 0, 3])
 * const { scores } = await corpus.prototypeScores(x, { centroids: tensor('float32', [2, 2], [1, 0, 0, 1]) })
 * console.log(scores.data[0]) // 0
 */
export async function prototypeScores(
  embeddings: Tensor,
  options?: PrototypeOptions & Cancellable,
): Promise<PrototypeScores> {
  const { signal, ...o } = checkOptions('options', options, [...KEYS, 'signal'])
  const x = checkReals('embeddings', embeddings, [2])
  return score(x, checkPrototypes(x, o), signal)
}

/**
 * Keeps the rows with the highest (or lowest) scores; ties to the lowest index. With `classes` each class c first keeps its best
 * `floor(balance * count * n_c / n + 1e-6)` rows, the rest is filled by the ranking of all. O(n log n) at worst.
 * @param scores - a float type, [n]: {@link prototypeScores}, or any other ranking
 * @returns `indices`: uint32, ascending
 * @throws TamisError `count`, `ratio`, `balance`, `classes`, `scores must not be nan`
 * @example
 * import { corpus, tensor } from 'tamis'
 * const { indices } = await corpus.pruneByScore(tensor('float32', [4], [0.1, 0.9, 0.5, 0.3]), { ratio: 0.5 })
 * console.log(indices.data) // Uint32Array(2) [ 1, 2 ]
 */
export async function pruneByScore(
  scores: Tensor,
  options: PruneOptions & Cancellable,
): Promise<{ indices: Tensor<'uint32'> }> {
  const { signal, ...o } = checkOptions('options', options, [
    'count',
    'ratio',
    'keep',
    'classes',
    'balance',
    'signal',
  ])
  const keys = asFloat64(checkTensor('scores', scores, { types: FLOAT_TYPES, ranks: [1] }))
  const n = keys.length
  const count = checkAmount(o, n)
  const hard = checkOneOf('keep', o.keep ?? 'hard', ['hard', 'easy']) === 'hard'
  const nan = native.findNan(keys)
  if (nan !== null) throw new TamisError('ERR_TAMIS_RANGE', `scores must not be NaN, got one at row ${nan}`)
  const { labels, shares } = shareByClass(o, count, n)
  return later(
    {
      call: (job) => native.keepBest(keys, hard, labels, shares, count, job),
      finish: (data) => ({ indices: { type: 'uint32', dims: [data.length], data } }),
    },
    signal,
  )
}

function checkAmount({ count, ratio }: PruneOptions, n: number): number {
  if ((count === undefined) === (ratio === undefined)) {
    const got = count === undefined ? 'neither' : 'both'
    throw new TamisError('ERR_TAMIS_RANGE', `one of count and ratio must say how many to keep, got ${got}`)
  }
  if (ratio === undefined) return checkInteger('count', count, 1, n)
  return Math.floor(checkNumber('ratio', ratio, { above: 0, max: 1 }) * n + 0.5)
}

/** What each class keeps first. */
function shareByClass(
  { classes, balance }: PruneOptions,
  count: number,
  n: number,
): { labels: Uint32Array; shares: Uint32Array } {
  if (classes === undefined) {
    if (balance !== undefined) {
      throw new TamisError('ERR_TAMIS_RANGE', 'balance needs classes: which class each row belongs to')
    }
    return { labels: new Uint32Array(n), shares: new Uint32Array(1) }
  }
  const part = checkNumber('balance', balance ?? 0.5, { min: 0, max: 1 })
  const { data: labels } = checkTensor('classes', classes, { types: ['uint32'], dims: [n] })
  const { counts } = native.countGroups(labels, undefined, undefined) as { counts: Uint32Array }
  return { labels, shares: counts.map((size) => Math.floor((part * count * size) / n + 1e-6)) }
}

/** Rows that are not too much like another. */
export interface SemanticDedup {
  /** uint32: the rows kept, ascending. */
  indices: Tensor<'uint32'>
  /** [n]: the largest cosine, at least 0, to a row that is ranked before it in its cluster. Another epsilon needs no second run. */
  maxSimilarity: Tensor<'float32'>
  /** [n] */
  labels: Tensor<'uint32'>
}

/**
 * Keeps one of every group of near-duplicates: in each cluster of {@link prototypeScores} the rows are ranked by score (`hard`: the
 * outermost first, which is kept; `easy`: the innermost; `random`: by the seed's permutation), and a row goes if its cosine to an
 * earlier one is above 1 - epsilon. Only rows of one cluster are compared: O(sum of squared cluster sizes * d), in parallel.
 * @param embeddings - a float type, [n, d]; rows need no normalisation
 * @param options - `epsilon`: 0 to 2
 * @throws TamisError what {@link prototypeScores} throws, `epsilon must be`
 * @example
 * import { corpus, tensor } from 'tamis'
 * const x = tensor('float32', [3, 2], [1, 0, 0.999, 0.001, 0, 1])
 * const { indices } = await corpus.dedupSemantic(x, { epsilon: 0.01, clusters: 1 })
 * console.log(indices.data.length) // 2
 */
export async function dedupSemantic(
  embeddings: Tensor,
  options: PrototypeOptions & { epsilon: number; keep?: 'hard' | 'easy' | 'random' } & Cancellable,
): Promise<SemanticDedup> {
  const { signal, epsilon, keep, ...o } = checkOptions('options', options, [
    ...KEYS,
    'epsilon',
    'keep',
    'signal',
  ])
  const most = 1 - checkNumber('epsilon', epsilon, { min: 0, max: 2 })
  const order = checkOneOf('keep', keep ?? 'hard', ['hard', 'easy', 'random'])
  const x = checkReals('embeddings', embeddings, [2])
  const p = checkPrototypes(x, o)
  const { scores, labels } = await score(x, p, signal)
  const [n = 0, width = 0] = x.dims
  return later(
    {
      call: (job) =>
        native.maxSimilarityBefore(x.type, viewBytes(x), width, labels.data, scores.data, order, p.seed, job),
      finish: (data) => {
        const indices = native.rowsAtMost(data, most)
        return {
          indices: { type: 'uint32', dims: [indices.length], data: indices },
          maxSimilarity: { type: 'float32', dims: [n], data },
          labels,
        }
      },
    },
    signal,
  )
}
