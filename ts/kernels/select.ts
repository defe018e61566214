/**
 * Selection: the k best of a row, and k draws without replacement.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import {
  checkBoolean,
  checkCount,
  checkNumber,
  checkOptions,
  parseSeed,
  parseStream,
  type Seed,
  show,
} from '../options.js'
import { type Cancellable, now, type Operation, promised } from '../run.js'
import {
  asFloat64,
  checkTensor,
  FLOAT_TYPES,
  type Tensor,
  type TensorType,
  viewAs,
  viewBytes,
} from '../tensor.js'

/** How many, and which way. */
export interface TopKOptions {
  /** 0..n, n being the last axis. */
  k: number
  /** `false` takes the smallest. Default `true`. */
  largest?: boolean | undefined
  /** `false` gives the same set by ascending index. Default `true`: best first. */
  sorted?: boolean | undefined
}

/** The last axis of each is k. */
export interface TopK<T extends TensorType = TensorType> {
  /** The type of the input. */
  values: Tensor<T>
  /** uint32 */
  indices: Tensor<'uint32'>
}

function lastAxis(name: string, x: Tensor): number {
  const width = x.dims.at(-1)
  if (width !== undefined) return width
  throw new TamisError('ERR_TAMIS_SHAPE', `rank: ${name} must have at least one axis, got a scalar`)
}

function checkK(k: unknown, width: number): number {
  if (typeof k === 'number' && Number.isInteger(k) && k >= 0 && k <= width) return k
  const want = `k must be an integer from 0 to ${width}, the length of the last axis`
  throw new TamisError('ERR_TAMIS_RANGE', `${want}, got ${show(k)}`)
}

function best<T extends TensorType>(
  x: Tensor<T>,
  options: TopKOptions | undefined,
): Operation<{ values: Uint8Array; indices: Uint32Array }, TopK<T>> {
  const tensor = checkTensor<T>('x', x)
  const o = checkOptions('options', options, ['k', 'largest', 'sorted'])
  const width = lastAxis('x', tensor)
  const k = checkK(o.k, width)
  const largest = checkBoolean('largest', o.largest, true)
  const sorted = checkBoolean('sorted', o.sorted, true)
  const dims = [...tensor.dims.slice(0, -1), k]
  return {
    call: (job) => native.topK(tensor.type, viewBytes(tensor), width, k, largest, sorted, job),
    finish: ({ values, indices }) => ({
      values: { type: tensor.type, dims, data: viewAs(tensor, values) },
      indices: { type: 'uint32', dims, data: indices },
    }),
  }
}

/**
 * The k largest (or smallest) items along the last axis, best first; equal values by index, NaN last in both
 * directions, -0 equal to 0. O(n) a row, and a sort of the k; in parallel.
 * @param x - any type, [..., n]
 * @throws TamisError `k must`, `dims`, `rank`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const { values, indices } = await kernels.topK(tensor('float32', [4], [3, 1, 3, -2]), { k: 2 })
 * console.log(values.data, indices.data) // Float32Array(2) [ 3, 3 ] Uint32Array(2) [ 0, 2 ]
 */
export async function topK<T extends TensorType>(
  x: Tensor<T>,
  options: TopKOptions & Cancellable,
): Promise<TopK<T>> {
  return promised(options, (o) => best(x, o))
}

/** {@link topK}, at once. */
export function topKSync<T extends TensorType>(x: Tensor<T>, options: TopKOptions): TopK<T> {
  return now(best(x, options))
}

/** How many draws, and from which stream. */
export interface GumbelTopKOptions {
  /** At most the number of finite weights. */
  k: number
  /** > 0: larger is nearer to uniform. Default 1. */
  temperature?: number | undefined
  /** An integer 0..2^64-1. Default 0. */
  seed?: Seed | undefined
  /** Row r uses `stream + r`. Default 0. */
  stream?: number | undefined
}

/** Draws by descending key. */
export interface GumbelTopK {
  /** [..., k] */
  indices: Tensor<'uint32'>
  /** [..., k]: logWeight / temperature + Gumbel noise. */
  keys: Tensor<'float64'>
}

function draws(
  logWeights: Tensor,
  options: GumbelTopKOptions | undefined,
): Operation<{ indices: Uint32Array; keys: Float64Array }, GumbelTopK> {
  const x = checkTensor('logWeights', logWeights, { types: FLOAT_TYPES, ranks: [1, 2] })
  const o = checkOptions('options', options, ['k', 'temperature', 'seed', 'stream'])
  const width = lastAxis('logWeights', x)
  const k = checkDraws(o.k, width)
  const temperature = checkNumber('temperature', o.temperature ?? 1, { above: 0 })
  const seed = parseSeed(o.seed)
  const stream = parseStream(o.stream)
  checkStreams(stream, x)
  const dims = [...x.dims.slice(0, -1), k]
  return {
    call: (job) => native.gumbelTopK(asFloat64(x), width, k, temperature, seed, stream, job),
    finish: ({ indices, keys }) => ({
      indices: { type: 'uint32', dims, data: indices },
      keys: { type: 'float64', dims, data: keys },
    }),
  }
}

function checkDraws(k: unknown, width: number): number {
  const count = checkCount('k', k)
  if (count <= width) return count
  const want = `k must be at most ${width}, the length of the last axis`
  throw new TamisError('ERR_TAMIS_RANGE', `${want}, got ${count}: there are fewer weights`)
}

/** Every row needs a stream of its own. */
function checkStreams(stream: number, { dims: [rows = 0, width] }: Tensor): void {
  if (width === undefined || stream + rows <= 2 ** 32) return
  const want = `stream + the ${rows} rows of logWeights must be at most 2^32`
  throw new TamisError('ERR_TAMIS_RANGE', `${want}, got stream ${stream}`)
}

/**
 * k draws without replacement, P proportional to exp(logWeight / temperature) (Plackett-Luce, by the Gumbel top-k
 * trick: Kool, van Hoof, Welling, "Stochastic beams and where to find them", ICML 2019): the k largest of
 * `logWeight / temperature + gumbel`. -Infinity is never drawn. O(n) a row, in parallel.
 * @param logWeights - a float type, [n] or [m, n]
 * @throws TamisError `fewer` (finite weights than k), `finite` (NaN or +Infinity), `temperature`, `k`, `stream`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const { indices } = await kernels.gumbelTopK(tensor('float64', [3], [0, 1, 2]), { k: 2, seed: 12 })
 */
export async function gumbelTopK(
  logWeights: Tensor,
  options: GumbelTopKOptions & Cancellable,
): Promise<GumbelTopK> {
  return promised(options, (o) => draws(logWeights, o))
}

/** {@link gumbelTopK}, at once. */
export function gumbelTopKSync(logWeights: Tensor, options: GumbelTopKOptions): GumbelTopK {
  return now(draws(logWeights, options))
}
