/**
 * Diversify and Conquer (Yu, Chen, Ahmadian, Fadaee, "Diversify and Conquer: Diversity-Centric Data Selection with
 * Iterative Refinement", arXiv 2409.11378).
 *
 * It keeps a subset that covers every k-means cluster of the pool, and inside a cluster prefers quality (kMQ). Round by
 * round, with a training loop between the rounds, it moves budget to the clusters from which the model still learns.
 * @module
 */
import { TamisError } from '../errors.js'
import { apportionSync, kMeans } from '../kernels/index.js'
import { native } from '../native.js'
import { checkCount, checkOneOf, checkOptions, parseSeed, parseStream, type Seed, show } from '../options.js'
import { checkMask, checkReals } from '../rows.js'
import { type Cancellable, later, now } from '../run.js'
import { asFloat64, checkTensor, FLOAT_TYPES, type Tensor, viewBytes } from '../tensor.js'

/** How many rows, and how they are shared out. */
export interface ClusterSampleOptions {
  /** Rows to keep. */
  count: number
  /** An integer 0..2^64-1. Default 0. */
  seed?: Seed | undefined
  /** [n], a finite float: what a row is worth. Default: all the same. */
  quality?: Tensor | undefined
  /** A row is drawn in proportion to exp(quality) (`softmax`), or to quality itself, > 0 (`linear`). Default `softmax`. */
  temper?: 'softmax' | 'linear' | undefined
  /** Shares of the clusters: `equal`, or `proportional` to their rows. Default `equal`. */
  allocation?: 'equal' | 'proportional' | undefined
  /** [clusters], >= 0: what shares are proportional to, in place of `allocation`. */
  weights?: readonly number[] | undefined
  /** uint8 [n]: 1 for a row that must not be kept. */
  exclude?: Tensor | undefined
  /** How many clusters there are. Default: 1 + the highest label; in {@link selectDiverse} min(1024, count). */
  clusters?: number | undefined
  /** Stream of the noise. Default 0. */
  stream?: number | undefined
}

/** Rows that were drawn. */
export interface ClusterSample {
  /** [count], ascending. */
  indices: Tensor<'uint32'>
  /** [clusters]: rows of each cluster. */
  allocation: Tensor<'uint32'>
}

/** The rows, and the clusters that they were drawn from. */
export interface DiverseSelection extends ClusterSample {
  /** [n] */
  labels: Tensor<'uint32'>
  /** [clusters, d] */
  centroids: Tensor<'float32' | 'float64'>
}

const KEYS = [
  'count',
  'seed',
  'quality',
  'temper',
  'allocation',
  'weights',
  'exclude',
  'clusters',
  'stream',
] as const

/** Checked options of a sample of n rows. */
interface Sampling {
  count: number
  seed: bigint
  stream: number
  quality: Float64Array | undefined
  linear: boolean
  proportional: boolean
  weights: readonly number[] | undefined
  excluded: Uint8Array | undefined
  clusters: number | undefined
}

function checkSampling(o: ClusterSampleOptions, n: number): Sampling {
  const linear = checkOneOf('temper', o.temper ?? 'softmax', ['softmax', 'linear']) === 'linear'
  const allocation = checkOneOf('allocation', o.allocation ?? 'equal', ['equal', 'proportional'])
  return {
    count: checkAmount('count', o.count),
    seed: parseSeed(o.seed),
    stream: parseStream(o.stream),
    quality: checkQuality(o.quality, n, linear),
    linear,
    proportional: allocation === 'proportional',
    weights: checkWeights(o.weights),
    excluded: checkMask('exclude', o.exclude, n),
    clusters: o.clusters === undefined ? undefined : checkCount('clusters', o.clusters, 1),
  }
}

function checkAmount(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value < 2 ** 32) return value
  throw new TamisError('ERR_TAMIS_RANGE', `${name} must be an integer from 1 to 2^32-1, got ${show(value)}`)
}

function checkQuality(quality: unknown, n: number, linear: boolean): Float64Array | undefined {
  if (quality === undefined) return undefined
  const tensor = checkTensor('quality', quality, { types: FLOAT_TYPES, dims: [n] })
  const values = asFloat64(tensor)
  const wrong = native.findUnfit(values, linear ? 0 : undefined)
  if (wrong === null) return values
  const want = `quality must be finite${linear ? " and above 0 with temper 'linear'" : ''}`
  throw new TamisError('ERR_TAMIS_RANGE', `${want}, got ${values[wrong]} for row ${wrong}`)
}

function checkWeights(weights: unknown): readonly number[] | undefined {
  if (weights === undefined) return undefined
  const list = ArrayBuffer.isView(weights) ? Array.from(weights as Float64Array) : weights
  const good = Array.isArray(list) && list.every((w) => typeof w === 'number' && Number.isFinite(w) && w >= 0)
  if (good && list.some((w) => w > 0)) return list
  throw new TamisError(
    'ERR_TAMIS_RANGE',
    `weights must be numbers >= 0, one a cluster, and not all 0, got ${show(weights)}`,
  )
}

/** Shares of the clusters whose candidates are counted. */
function shareOut(s: Sampling, capacities: Uint32Array): Uint32Array {
  if (s.weights && s.weights.length !== capacities.length) {
    throw new TamisError(
      'ERR_TAMIS_SHAPE',
      `weights must be ${capacities.length} numbers, one a cluster, got ${s.weights.length}`,
    )
  }
  const weights = s.weights ?? Array.from(capacities, (capacity) => (s.proportional ? capacity : 1))
  const rows = capacities.reduce((sum, capacity, j) => sum + ((weights[j] as number) > 0 ? capacity : 0), 0)
  if (s.count > rows) {
    const which = s.weights ? ' of clusters of positive weight' : ''
    throw new TamisError(
      'ERR_TAMIS_RANGE',
      `count exceeds the ${rows} rows${which}: ${s.count} were asked for`,
    )
  }
  return apportionSync(s.count, weights, { capacities }).data
}

function checkLabels(labels: unknown): Tensor<'uint32'> {
  return checkTensor('labels', labels, { types: ['uint32'], ranks: [1] })
}

function outOfRange(highest: number, clusters: number): TamisError {
  const want = `label out of range: labels must be below ${clusters}, the number of clusters`
  return new TamisError('ERR_TAMIS_RANGE', `${want}, got ${highest - 1}`)
}

async function sample(labels: Uint32Array, s: Sampling, signal?: AbortSignal): Promise<ClusterSample> {
  const counted = await later(
    { call: (job) => native.countGroups(labels, s.excluded, s.clusters, job), finish: (counts) => counts },
    signal,
  )
  if (counted.highest > (s.clusters ?? counted.highest))
    throw outOfRange(counted.highest, s.clusters as number)
  const shares = shareOut(s, counted.counts)
  const indices = await later(
    {
      call: (job) =>
        native.drawGroups(labels, s.quality, s.linear, s.excluded, shares, s.seed, s.stream, job),
      finish: (rows) => rows,
    },
    signal,
  )
  return {
    indices: { type: 'uint32', dims: [indices.length], data: indices },
    allocation: { type: 'uint32', dims: [shares.length], data: shares },
  }
}

/**
 * Draws rows from clusters: each cluster gets its share of `count` (what is above its rows goes to the others), and
 * draws it without replacement in proportion to quality: row i's key is its log-weight plus Gumbel item i of (seed,
 * stream), the highest keys are kept. O(n log n), in parallel.
 * @param labels - uint32 [n]: the cluster of each row
 * @throws TamisError `count exceeds the N rows`, `count must be`, `quality`, `weights`, `label out of range`, `exclude`
 * @example
 * import { corpus, tensor } from 'tamis'
 * const labels = tensor('uint32', [6], [0, 0, 0, 0, 1, 1])
 * const { indices, allocation } = await corpus.sampleClusters(labels, { count: 4, seed: 1 })
 * console.log(allocation.data) // Uint32Array(2) [ 2, 2 ]
 */
export async function sampleClusters(
  labels: Tensor,
  options: ClusterSampleOptions & Cancellable,
): Promise<ClusterSample> {
  const o = checkOptions('options', options, [...KEYS, 'signal'])
  const { data } = checkLabels(labels)
  return sample(data, checkSampling(o, data.length), o.signal)
}

/**
 * k-means (300 iterations, the best of 5 starts) and {@link sampleClusters} of its labels. Rows are taken as they are: whoever
 * wants directions alone divides them by their norms first. O(n * clusters * d) an iteration, in parallel.
 * @param embeddings - a float type, [n, d]
 * @throws TamisError what {@link sampleClusters} throws, `clusters must be at most`, `embeddings must be finite`
 * @example
 * import { corpus, kernels } from 'tamis'
 * const { data } = await kernels.normal(400 * 8, { seed: 1 })
 * const { indices } = await corpus.selectDiverse({ type: 'float32', dims: [400, 8], data }, { count: 40, clusters: 10 })
 */
export async function selectDiverse(
  embeddings: Tensor,
  options: ClusterSampleOptions & Cancellable,
): Promise<DiverseSelection> {
  const { signal, ...others } = checkOptions('options', options, [...KEYS, 'signal'])
  const x = checkReals('embeddings', embeddings, [2])
  const [n = 0, width = 0] = x.dims
  const s = checkSampling(others, n)
  if (s.count > n)
    throw new TamisError('ERR_TAMIS_RANGE', `count exceeds the ${n} rows: ${s.count} were asked for`)
  const clusters = s.clusters ?? Math.min(1024, s.count)
  if (clusters > n) {
    throw new TamisError(
      'ERR_TAMIS_RANGE',
      `clusters must be at most ${n}, the number of rows, got ${clusters}`,
    )
  }
  // Whether any cluster can be short shows before the clusters are made.
  shareOut({ ...s, weights: undefined, proportional: true }, countOpen(s.excluded, n))
  if (s.weights) shareOut({ ...s, count: 1 }, new Uint32Array(clusters).fill(1))
  const bad = native.findBadRow(x.type, viewBytes(x), width)
  if (bad && !bad.zero) {
    throw new TamisError('ERR_TAMIS_RANGE', `embeddings must be finite, but row ${bad.row} is not`)
  }
  const { labels, centers } = await kMeans(x, {
    k: clusters,
    nInit: 5,
    maxIterations: 300,
    seed: s.seed,
    ...(signal && { signal }),
  })
  return { ...(await sample(labels.data, { ...s, clusters }, signal)), labels, centroids: centers }
}

/** The rows that may be kept, as one cluster. */
function countOpen(excluded: Uint8Array | undefined, n: number): Uint32Array {
  return Uint32Array.of(n - (excluded ? native.markedRows(excluded).length : 0))
}

/** How an {@link IterativeSampler} draws. */
export interface IterativeSamplerOptions
  extends Omit<ClusterSampleOptions, 'weights' | 'stream' | 'exclude' | 'allocation'> {
  /** Into how many rounds `count` is divided. Default 3. */
  rounds?: number | undefined
}

/**
 * Draws `count` rows in rounds, with a training step of the caller's between them: {@link IterativeSampler.update} moves budget to
 * the clusters whose rows brought most.
 * @throws TamisError what {@link sampleClusters} throws, `rounds must be`
 * @example
 * import { corpus, tensor } from 'tamis'
 * const labels = tensor('uint32', [8], [0, 0, 0, 0, 1, 1, 1, 1])
 * const sampler = new corpus.IterativeSampler(labels, { count: 4, rounds: 2 })
 * const rows = await sampler.next() // train on these, and see what each of them brought
 * sampler.update(tensor('float32', [2], [0.5, -0.5]))
 * await sampler.next()
 * console.log(sampler.taken.data.length, sampler.done) // 4 true
 */
export class IterativeSampler {
  readonly #labels: Uint32Array
  readonly #options: Sampling & { clusters: number }
  readonly #rounds: number
  #taken: Uint8Array
  #weights: Float64Array
  #round = 0
  #drawing = false
  /** Of the last round, until they are paid for. */
  #rows: Uint32Array | undefined

  constructor(labels: Tensor, options: IterativeSamplerOptions) {
    const known = ['count', 'seed', 'quality', 'temper', 'clusters', 'rounds'] as const
    const { rounds = 3, ...o } = checkOptions('options', options, known)
    // The caller may change its labels between rounds.
    this.#labels = checkLabels(labels).data.slice()
    const n = this.#labels.length
    const checked = checkSampling(o, n)
    if (!Number.isInteger(rounds) || rounds < 1 || rounds > checked.count) {
      const want = `rounds must be an integer from 1 to ${checked.count}, the count`
      throw new TamisError('ERR_TAMIS_RANGE', `${want}, got ${show(rounds)}`)
    }
    this.#rounds = rounds
    const { highest, counts } = now({
      call: () => native.countGroups(this.#labels, undefined, checked.clusters),
      finish: (counted) => counted,
    })
    const clusters = checked.clusters ?? highest
    if (highest > clusters) throw outOfRange(highest, clusters)
    shareOut(checked, counts)
    this.#options = { ...checked, quality: checked.quality?.slice(), clusters }
    this.#taken = new Uint8Array(n)
    this.#weights = new Float64Array(clusters).fill(1 / clusters)
  }

  /**
   * The rows of the next round, ascending; none of them comes again.
   * @throws TamisError `no round` when all are done, `count exceeds` when the clusters of positive weight are empty
   */
  async next(): Promise<Tensor<'uint32'>> {
    if (this.done || this.#drawing) {
      const why = this.done
        ? `all ${this.#rounds} rounds are done`
        : 'the last one is still being drawn: await it'
      throw new TamisError('ERR_TAMIS_RANGE', `no round can begin: ${why}`)
    }
    const { count } = this.#options
    const budget = Math.floor(count / this.#rounds)
    const last = this.#round === this.#rounds - 1
    this.#drawing = true
    try {
      const { indices } = await sample(this.#labels, {
        ...this.#options,
        count: last ? count - budget * (this.#rounds - 1) : budget,
        weights: Array.from(this.#weights),
        excluded: this.#taken,
        stream: this.#round,
      })
      this.#taken = native.markRows(this.#taken, indices.data)
      this.#rows = indices.data.slice()
      this.#round++
      return indices
    } finally {
      this.#drawing = false
    }
  }

  /**
   * Says what each row of the last round brought, in the order of {@link IterativeSampler.next}: how much better the reference answer
   * is than the model's own, by any judge. The clusters that had rows share their weight anew, in proportion to the exponential of
   * their means.
   * @returns the weights, float64 [clusters]
   * @throws TamisError `no rows to update`, `advantage`
   */
  update(advantage: Tensor): { weights: Tensor<'float64'> } {
    const rows = this.#rows
    if (rows === undefined) {
      throw new TamisError(
        'ERR_TAMIS_RANGE',
        'no rows to update: call next() first, and update() once for it',
      )
    }
    const values = asFloat64(checkTensor('advantage', advantage, { types: FLOAT_TYPES, ranks: [1] }))
    if (values.length !== rows.length) {
      const want = `advantage must have ${rows.length} items, one a row of the last round`
      throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got ${values.length}`)
    }
    const wrong = native.findUnfit(values, undefined)
    if (wrong !== null) {
      throw new TamisError(
        'ERR_TAMIS_RANGE',
        `advantage must be finite, got ${values[wrong]} at place ${wrong}`,
      )
    }
    const { clusters } = this.#options
    const { means, counts } = native.groupMeans(values, native.labelsOf(this.#labels, rows), clusters)
    const seen = (j: number) => (counts[j] as number) > 0
    const best = means.reduce((most, mean, j) => (seen(j) ? Math.max(most, mean) : most), -Infinity)
    const raised = means.map((mean, j) => (seen(j) ? Math.exp(mean - best) : 0))
    const former = this.#weights.reduce((sum, weight, j) => sum + (seen(j) ? weight : 0), 0)
    const total = raised.reduce((sum, weight) => sum + weight, 0)
    this.#weights = this.#weights.map((weight, j) =>
      seen(j) ? (former * (raised[j] as number)) / total : weight,
    )
    this.#rows = undefined
    return { weights: { type: 'float64', dims: [clusters], data: this.#weights.slice() } }
  }

  /** All rows so far, ascending. */
  get taken(): Tensor<'uint32'> {
    const data = native.markedRows(this.#taken)
    return { type: 'uint32', dims: [data.length], data }
  }

  /** Whether all rounds were drawn. */
  get done(): boolean {
    return this.#round === this.#rounds
  }
}
