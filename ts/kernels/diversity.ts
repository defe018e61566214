/**
 * Max-Min selection: rows as far apart as can be.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import type { NativeFarthestOptions } from '../native-diversity.js'
import { checkNumber, checkOneOf, checkOptions, parseSeed, type Seed, show } from '../options.js'
import { checkMask, checkReals, checkRows, convertReals } from '../rows.js'
import { type Cancellable, now, type Operation, promised } from '../run.js'
import { type Tensor, viewBytes } from '../tensor.js'

/** How many rows, by what distance, and where to begin. At least one of `k` and `minDistance`. */
export interface FarthestFirstOptions {
  /** Rows to keep, beyond `initial`: an integer >= 0. At most the candidates there are; fewer is no error. */
  k?: number | undefined
  /** Stop before a row that is nearer than this to a kept one, in the metric's units. */
  minDistance?: number | undefined
  /**
   * `cosine`: max(0, 1 - cos), a distance here; `euclidean` (or `l2`); `precomputed`: x is [n, n], and x[i, j] the
   * distance from row i to row j. Default `cosine`.
   */
  metric?: 'cosine' | 'euclidean' | 'l2' | 'precomputed' | undefined
  /**
   * The first row, ignored where `initial` or `anchors` hold one. A number: that row; `random`: a candidate drawn by
   * the seed; `isolated`: the one whose nearest neighbour is farthest; `pair`: the first of the farthest pair. The
   * last two cost up to n^2. Default `random`.
   */
  start?: 'random' | 'isolated' | 'pair' | number | undefined
  /** [n], 1 for a candidate; other rows are never read. Default: all. */
  mask?: Uint8Array | Tensor | undefined
  /** Rows kept earlier: they count as kept and are not returned. */
  initial?: Uint32Array | Tensor | undefined
  /** [m, d]: vectors kept elsewhere, as when a corpus is worked through in batches. */
  anchors?: Tensor | undefined
  /** An integer 0..2^64-1, for `start: 'random'`. Default 0. */
  seed?: Seed | undefined
}

/** What was kept. */
export interface FarthestFirst {
  /** Rows in the order in which they were taken. */
  indices: Uint32Array
  /** How far each was from those kept before it: Infinity for a first one (but for `start: 'isolated'`). */
  distances: Float32Array
  /** The largest distance of a dropped candidate to a kept row; 0 if none was dropped. */
  radius: number
}

const METRICS = ['cosine', 'euclidean', 'l2', 'precomputed'] as const
const STARTS = ['random', 'isolated', 'pair'] as const
const KEYS = ['k', 'minDistance', 'metric', 'start', 'mask', 'initial', 'anchors', 'seed'] as const

function select(
  x: Tensor,
  options: FarthestFirstOptions | undefined,
): Operation<FarthestFirst, FarthestFirst> {
  const rows = checkReals('x', x, [2])
  const [n = 0, width = 0] = rows.dims
  const o = checkOptions('options', options, KEYS)
  const k = checkAmount(o, n)
  const minDistance = o.minDistance === undefined ? undefined : checkNumber('minDistance', o.minDistance)
  const named = checkOneOf('metric', o.metric ?? 'cosine', METRICS)
  const metric = named === 'l2' ? 'euclidean' : named
  if (metric === 'precomputed' && n !== width) {
    throw new TamisError(
      'ERR_TAMIS_SHAPE',
      `x must be square if distances are precomputed, got [${n}, ${width}]`,
    )
  }
  const mask = checkMask('mask', o.mask, n)
  const initial = checkRows('initial', o.initial, n)
  const anchors = o.anchors === undefined ? undefined : checkAnchors(o.anchors, rows, metric)
  const begins = initial.length === 0 && (anchors?.dims[0] ?? 0) === 0
  const start = checkStart(o.start ?? 'random', n, mask, begins)
  const told = { rows: n, width, metric, k, minDistance, seed: parseSeed(o.seed), ...start }
  const anchorBytes = anchors ? viewBytes(anchors) : new Uint8Array(0)
  return {
    call: (job) => native.farthestFirst(rows.type, viewBytes(rows), told, mask, initial, anchorBytes, job),
    finish: (kept) => kept,
  }
}

function checkAmount({ k, minDistance }: FarthestFirstOptions, rows: number): number {
  if (k === undefined) {
    if (minDistance !== undefined) return rows
    throw new TamisError('ERR_TAMIS_RANGE', 'k or minDistance must be given')
  }
  if (typeof k === 'number' && Number.isInteger(k) && k >= 0) return Math.min(k, rows)
  const code = typeof k === 'number' ? 'ERR_TAMIS_RANGE' : 'ERR_TAMIS_TYPE'
  throw new TamisError(code, `k must be an integer >= 0, got ${show(k)}`)
}

function checkAnchors(
  value: unknown,
  x: Tensor<'float32' | 'float64'>,
  metric: string,
): Tensor<'float32' | 'float64'> {
  if (metric === 'precomputed') {
    throw new TamisError('ERR_TAMIS_RANGE', 'anchors cannot be used with metric precomputed: use initial')
  }
  const anchors = checkReals('anchors', value, [2])
  if (anchors.dims[1] === x.dims[1]) return convertReals(anchors, x.type)
  const want = `anchors must have dims [m, ${x.dims[1]}], as x has`
  throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got [${anchors.dims.join(', ')}]`)
}

function checkStart(
  start: unknown,
  rows: number,
  mask: Uint8Array | undefined,
  begins: boolean,
): Pick<NativeFarthestOptions, 'start' | 'row'> {
  if (typeof start !== 'number') {
    const listed = (STARTS as readonly unknown[]).includes(start)
    if (listed) return { start: start as (typeof STARTS)[number], row: 0 }
    const code = typeof start === 'string' ? 'ERR_TAMIS_RANGE' : 'ERR_TAMIS_TYPE'
    const want = `start must be a row, ${STARTS.map((word) => `'${word}'`).join(' or ')}`
    throw new TamisError(code, `${want}, got ${show(start)}`)
  }
  if (!begins || rows === 0) return { start: 'random', row: 0 }
  if (!Number.isInteger(start) || start < 0 || start >= rows) {
    throw new TamisError('ERR_TAMIS_RANGE', `start must be a row from 0 to ${rows - 1}, got ${show(start)}`)
  }
  if (mask?.[start] === 0) {
    throw new TamisError('ERR_TAMIS_RANGE', `start must be a candidate, but row ${start} is masked out`)
  }
  return { start: 'row', row: start }
}

/**
 * Max-Min (farthest-first) selection (Gonzalez 1985; used by DivPrune, Alvar et al., CVPR 2025, arXiv 2503.02175):
 * again and again the candidate whose nearest kept row is farthest, ties to the lowest row. What is kept for `k` is
 * the beginning of what is kept for more; the distances never grow after the first; rows that are equal bit for bit
 * are at distance 0, so that duplicates come last. With a metric that obeys the triangle inequality the least distance
 * between kept rows is at least half of the best possible.
 *
 * At most O(n k d) time, in parallel, and O(n d) memory: a row is compared with kept ones only as far as shows that it
 * is not the farthest, and mostly on a copy of the rows in 8 or 16 bits whose bounds are proved; the answer is the
 * exact one.
 * @param x - a float type, [n, d]; [n, n] with metric `precomputed`. float64 is computed in float64, others in float32
 * @throws TamisError `k or minDistance`, `k must be`, `metric`, `start`, `mask`, `initial`, `anchors`, `square`,
 * `rank`, `dims`; `row N is zero` (cosine), `row N is not finite`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const x = tensor('float32', [5, 1], [0, 1, 10, 11, 5])
 * const { indices, radius } = await kernels.farthestFirst(x, { k: 3, metric: 'euclidean', start: 0 })
 * console.log(indices, radius) // Uint32Array(3) [ 0, 3, 4 ] 1
 */
export async function farthestFirst(
  x: Tensor,
  options: FarthestFirstOptions & Cancellable,
): Promise<FarthestFirst> {
  return promised(options, (o) => select(x, o))
}

/** {@link farthestFirst}, at once. */
export function farthestFirstSync(x: Tensor, options: FarthestFirstOptions): FarthestFirst {
  return now(select(x, options))
}
