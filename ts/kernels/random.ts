/**
 * Random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011),
 * counter-based, so that any item of any stream is there at once and the same seed gives the same bytes on every
 * machine, for any number of threads.
 * @module
 */
import { TamisError } from '../errors.js'
import { type Distribution, native } from '../native.js'
import {
  checkCount,
  checkInteger,
  checkMemory,
  checkOneOf,
  checkOptions,
  parseSeed,
  parseStream,
  type Seed,
} from '../options.js'
import { atOnce, type Cancellable, now, type Operation, promised } from '../run.js'
import { checkTensor, type Tensor, type TensorData } from '../tensor.js'

/** Where draws come from. */
export interface DrawOptions {
  /** An integer 0..2^64-1: a safe integer, a bigint or a decimal string. Default 0. */
  seed?: Seed | undefined
  /** An integer 0..2^32-1: streams of one seed are independent. Default 0. */
  stream?: number | undefined
}

/** {@link DrawOptions}, and the type of what is drawn. */
export interface RealDrawOptions extends DrawOptions {
  /** What the draws are rounded to. Default `float32`. */
  dtype?: 'float32' | 'float64' | undefined
}

/** Memory for a result that the caller has already: filling it costs a tenth of memory that was never touched. */
export interface Filled<A> {
  /**
   * An array of the result's type and length, which becomes the result's data; on no `SharedArrayBuffer`. Default: a new
   * one. Only calls that block take it: a promise would write to memory that the caller may use meanwhile.
   */
  out?: A | undefined
}

/** Real draws. */
export type RealDraws = Tensor<'float32' | 'float64'>

const DRAW = ['seed', 'stream'] as const
const REAL = [...DRAW, 'dtype'] as const

/** The caller's memory for n items of a type. */
function checkOut<T extends 'uint32' | 'float32' | 'float64'>(
  type: T,
  n: number,
  out: unknown,
): TensorData[T] {
  const { data } = checkTensor<T>('out', { type, dims: [n], data: out })
  // What lies on shared memory comes back as a copy.
  if (data === out) return data
  throw new TamisError('ERR_TAMIS_TYPE', 'out must not lie on a SharedArrayBuffer')
}

function drawArguments(o: DrawOptions): [bigint, number] {
  return [parseSeed(o.seed), parseStream(o.stream)]
}

/** How many, where each needs some bytes of memory. */
function checkDraws(n: unknown, bytes: number): number {
  const count = checkCount('n', n)
  checkMemory('n', count * bytes)
  return count
}

type Words = Operation<Uint32Array, Tensor<'uint32'>>
type Reals = Operation<Float32Array | Float64Array, RealDraws>

function vector<T extends Tensor['type']>(type: T, data: TensorData[T]): Tensor<T> {
  return { type, dims: [data.length], data }
}

const asUint32 = (data: Uint32Array) => vector('uint32', data)

function words(n: number, options: DrawOptions): Words {
  const draw = drawArguments(options)
  const count = checkDraws(n, 4)
  return { call: (job) => native.philox(count, ...draw, job), finish: asUint32 }
}

function integers(n: number, bound: number, options: DrawOptions): Words {
  const draw = drawArguments(options)
  const count = checkDraws(n, 4)
  const checkedBound = checkBound(bound)
  return { call: (job) => native.below(count, checkedBound, ...draw, job), finish: asUint32 }
}

function checkBound(bound: number): number {
  return checkInteger('bound', bound, 1, 2 ** 32)
}

/** Words, or integers below a bound, at once. */
function wordsNow(
  n: number,
  bound: number | undefined,
  options: (DrawOptions & Filled<Uint32Array>) | undefined,
): Tensor<'uint32'> {
  const o = checkOptions('options', options, [...DRAW, 'out'])
  if (o.out === undefined) return now(bound === undefined ? words(n, o) : integers(n, bound, o))
  const draw = drawArguments(o)
  const out = checkOut('uint32', checkCount('n', n), o.out)
  atOnce(() => native.wordsInto(out, bound === undefined ? undefined : checkBound(bound), ...draw))
  return asUint32(out)
}

function order(n: number, options: DrawOptions | undefined): Words {
  const draw = drawArguments(checkOptions('options', options, DRAW))
  const count = checkDraws(n, 20)
  return { call: (job) => native.permutation(count, ...draw, job), finish: asUint32 }
}

const asReals = (data: Float32Array | Float64Array): RealDraws =>
  data instanceof Float32Array ? vector('float32', data) : vector('float64', data)

function reals(distribution: Distribution, n: number, o: RealDrawOptions): Reals {
  const draw = drawArguments(o)
  const dtype = checkDtype(o)
  const count = checkDraws(n, dtype === 'float32' ? 12 : 8)
  return {
    call: (job) => (dtype === 'float32' ? native.draw32 : native.draw64)(distribution, count, ...draw, job),
    finish: asReals,
  }
}

function checkDtype({ dtype }: RealDrawOptions): 'float32' | 'float64' {
  return checkOneOf('dtype', dtype ?? 'float32', ['float32', 'float64'])
}

/** Real draws at once. */
function realsNow(
  distribution: Distribution,
  n: number,
  options: (RealDrawOptions & Filled<Float32Array | Float64Array>) | undefined,
): RealDraws {
  const o = checkOptions('options', options, [...REAL, 'out'])
  if (o.out === undefined) return now(reals(distribution, n, o))
  const draw = drawArguments(o)
  const count = checkCount('n', n)
  if (checkDtype(o) === 'float32') {
    const out = checkOut('float32', count, o.out)
    atOnce(() => native.drawInto32(distribution, out, ...draw))
    return vector('float32', out)
  }
  const out = checkOut('float64', count, o.out)
  atOnce(() => native.drawInto64(distribution, out, ...draw))
  return vector('float64', out)
}

/**
 * The first `n` words of a stream: uint32 [n]. O(n), in parallel.
 * @param n - how many, 0..2^32-1
 * @throws TamisError `n`, `seed`, `stream`
 * @example
 * import { kernels } from 'tamis'
 * const { data } = await kernels.philox(4, { seed: 0 })
 * console.log(data) // Uint32Array(4) [ 1713891541, 3781805453, 3159862348, 2600524760 ]
 */
export async function philox(n: number, options?: DrawOptions & Cancellable): Promise<Tensor<'uint32'>> {
  return promised(options, (o) => words(n, checkOptions('options', o, DRAW)))
}

/** {@link philox}, at once. */
export function philoxSync(n: number, options?: DrawOptions & Filled<Uint32Array>): Tensor<'uint32'> {
  return wordsNow(n, undefined, options)
}

/**
 * Uniform draws in (0, 1): float32 from one word each (23 bits), float64 from two (52 bits). O(n), in parallel.
 * @param n - how many, 0..2^32-1
 * @throws TamisError `n`, `seed`, `stream`, `dtype`
 * @example
 * import { kernels } from 'tamis'
 * const u = await kernels.uniform(1000, { seed: 5, stream: 2, dtype: 'float64' })
 */
export async function uniform(n: number, options?: RealDrawOptions & Cancellable): Promise<RealDraws> {
  return promised(options, (o) => reals('uniform', n, checkOptions('options', o, REAL)))
}

/**
 * {@link uniform}, at once.
 * @throws TamisError `out` too
 * @example
 * import { kernels } from 'tamis'
 * const out = new Float32Array(1000)
 * for (let stream = 0; stream < 3; stream++) kernels.uniformSync(1000, { stream, out })
 */
export function uniformSync(
  n: number,
  options?: RealDrawOptions & Filled<Float32Array | Float64Array>,
): RealDraws {
  return realsNow('uniform', n, options)
}

/**
 * Standard normal draws by Box-Muller over one-word uniforms, computed in float64 and rounded at the end. An odd `n`
 * drops the last sine. O(n), in parallel.
 * @param n - how many, 0..2^32-1
 * @throws TamisError `n`, `seed`, `stream`, `dtype`
 * @example
 * import { kernels } from 'tamis'
 * const z = await kernels.normal(1000, { seed: 9 })
 */
export async function normal(n: number, options?: RealDrawOptions & Cancellable): Promise<RealDraws> {
  return promised(options, (o) => reals('normal', n, checkOptions('options', o, REAL)))
}

/** {@link normal}, at once. */
export function normalSync(
  n: number,
  options?: RealDrawOptions & Filled<Float32Array | Float64Array>,
): RealDraws {
  return realsNow('normal', n, options)
}

/**
 * Standard Gumbel draws `-ln(-ln u)` over two-word uniforms (at most 36.74), computed in float64 and rounded at the
 * end. O(n), in parallel.
 * @param n - how many, 0..2^32-1
 * @throws TamisError `n`, `seed`, `stream`, `dtype`
 * @example
 * import { kernels } from 'tamis'
 * const g = await kernels.gumbel(1000, { seed: 6, stream: 1, dtype: 'float64' })
 */
export async function gumbel(n: number, options?: RealDrawOptions & Cancellable): Promise<RealDraws> {
  return promised(options, (o) => reals('gumbel', n, checkOptions('options', o, REAL)))
}

/** {@link gumbel}, at once. */
export function gumbelSync(
  n: number,
  options?: RealDrawOptions & Filled<Float32Array | Float64Array>,
): RealDraws {
  return realsNow('gumbel', n, options)
}

/**
 * The numbers 0..n-1 in the order of their words, ties by number: uint32 [n]. O(n log n), in parallel.
 * @param n - how many, 0..2^32-1
 * @throws TamisError `n`, `seed`, `stream`
 * @example
 * import { kernels } from 'tamis'
 * const order = await kernels.permutation(20, { seed: 3, stream: 4 })
 * console.log(order.data[0]) // 13
 */
export async function permutation(n: number, options?: DrawOptions & Cancellable): Promise<Tensor<'uint32'>> {
  return promised(options, (o) => order(n, o))
}

/** {@link permutation}, at once. */
export function permutationSync(n: number, options?: DrawOptions): Tensor<'uint32'> {
  return now(order(n, options))
}

/**
 * Integers 0..bound-1, `(word * bound) >> 32`: uint32 [n]. O(n), in parallel.
 * @param n - how many, 0..2^32-1
 * @param bound - 1..2^32
 * @throws TamisError `n`, `bound`, `seed`, `stream`
 * @example
 * import { kernels } from 'tamis'
 * const dice = await kernels.below(12, 6, { seed: 8 })
 */
export async function below(
  n: number,
  bound: number,
  options?: DrawOptions & Cancellable,
): Promise<Tensor<'uint32'>> {
  return promised(options, (o) => integers(n, bound, checkOptions('options', o, DRAW)))
}

/** {@link below}, at once. */
export function belowSync(
  n: number,
  bound: number,
  options?: DrawOptions & Filled<Uint32Array>,
): Tensor<'uint32'> {
  return wordsNow(n, bound, options)
}
