/**
 * Factorisations in float64: eigenvalues of symmetric matrices, singular values, positive definite systems, least
 * squares. They run on the native threads with a number of tasks that does not depend on them, so that the bits do
 * not either; a promise that is aborted rejects when the factorisation under way has ended.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkBoolean, checkInteger, checkMemory, checkNumber, checkOptions } from '../options.js'
import { type Cancellable, now, type Operation, promised } from '../run.js'
import { asFloat64, checkTensor, type Tensor, viewAs, viewBytes } from '../tensor.js'

/** The types of a matrix. */
type Real = 'float32' | 'float64'

const REAL = ['float32', 'float64'] as const

/** How much of a decomposition is wanted. */
export interface FactorOptions {
  /** Only so many values, the largest, and their vectors. Default: all. */
  rank?: number | undefined
  /** `false` leaves the vectors out. Default `true`. */
  vectors?: boolean | undefined
}

/** Eigenvalues, largest first. */
export interface Eigen<T extends Real = Real> {
  /** [rank] */
  values: Tensor<'float64'>
  /** [n, rank]: one a column, of the input's type. */
  vectors?: Tensor<T>
}

/** A thin singular value decomposition: A = U diag(s) V^T. */
export interface Svd<T extends Real = Real> {
  /** [m, rank], of the input's type. */
  u?: Tensor<T>
  /** [rank], descending. */
  s: Tensor<'float64'>
  /** [n, rank], not transposed. */
  v?: Tensor<T>
}

/** A penalty on large solutions. */
export interface RidgeOptions {
  /** >= 0. Default 0. */
  ridge?: number | undefined
}

function checkMatrix<T extends Real>(name: string, value: Tensor<T>): Tensor<T> {
  const matrix = checkTensor(name, value, { types: REAL, ranks: [2] }) as Tensor<T>
  checkMemory(name, 40 * matrix.data.length)
  return matrix
}

function checkSquare(name: string, { dims: [rows, columns] }: Tensor): number {
  if (rows === columns) return rows as number
  const want = `shape: ${name} must be square`
  throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got dims [${rows}, ${columns}]`)
}

function checkRank(rank: unknown, most: number): number {
  return rank === undefined ? most : checkInteger('rank', rank, 1, most)
}

function checkRidge(options: RidgeOptions | undefined): number {
  return checkNumber('ridge', checkOptions('options', options, ['ridge']).ridge ?? 0, { min: 0 })
}

/** A right side of as many rows, [n] or [n, m], and its number of columns. */
function checkSide(name: string, value: Tensor, rows: number): { side: Tensor; columns: number } {
  const side = checkTensor(name, value, { types: REAL, ranks: [1, 2] })
  const [n, columns = 1] = side.dims
  if (n === rows) return { side, columns }
  const want = `shape: ${name} must have dims [${rows}] or [${rows}, any]`
  throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got [${side.dims.join(', ')}]`)
}

/** Both as bytes of one type: float64 if one of them is. */
function alike(a: Tensor, b: Tensor): { type: Real; wide: boolean; bytes: [Uint8Array, Uint8Array] } {
  const wide = a.type === 'float64' || b.type === 'float64'
  const bytes = (x: Tensor) => viewBytes(wide ? { data: asFloat64(x) } : x)
  return { type: wide ? 'float64' : 'float32', wide, bytes: [bytes(a), bytes(b)] }
}

function fromBytes<T extends Real>(type: T, dims: readonly number[], bytes: Uint8Array): Tensor<T> {
  const data = type === 'float64' ? new Float64Array(0) : new Float32Array(0)
  const like = { type, dims: [0], data: data as unknown } as Tensor<T>
  return { type, dims, data: viewAs(like, bytes) }
}

type NativeEigen = { values: Float64Array; vectors?: Uint8Array }

function eigen<T extends Real>(
  a: Tensor<T>,
  options: FactorOptions | undefined,
): Operation<NativeEigen, Eigen<T>> {
  const matrix = checkMatrix('a', a)
  const o = checkOptions('options', options, ['rank', 'vectors'])
  const n = checkSquare('a', matrix)
  const rank = checkRank(o.rank, n)
  const wanted = checkBoolean('vectors', o.vectors, true)
  return {
    call: (job) => native.eigh(matrix.type === 'float64', viewBytes(matrix), n, rank, wanted, job),
    finish: ({ values, vectors }) => ({
      values: { type: 'float64', dims: [rank], data: values },
      ...(vectors && { vectors: fromBytes(matrix.type, [n, rank], vectors) }),
    }),
  }
}

/**
 * The eigenvalues of a symmetric matrix, largest first, and their vectors as columns, in float64: (A + A^T) / 2 is
 * what is factored. In each vector the first component whose magnitude is at least (1 - 1e-6) of the largest is
 * positive; of equal values any orthonormal basis comes out. O(n^3): n = 4,096 takes seconds.
 * @param a - float32 or float64, [n, n], finite
 * @throws TamisError `symmetric` (entries differ by more than 1e-4 of the largest magnitude), `finite`, `rank`,
 * `shape`, `dims`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const { values, vectors } = await kernels.eigh(tensor('float32', [2, 2], [2, 1, 1, 2]), { rank: 1 })
 * console.log(Math.round(values.data[0]), vectors?.dims) // 3 [ 2, 1 ]
 */
export async function eigh<T extends Real>(
  a: Tensor<T>,
  options?: FactorOptions & Cancellable,
): Promise<Eigen<T>> {
  return promised(options, (o) => eigen(a, o))
}

/** {@link eigh}, at once. */
export function eighSync<T extends Real>(a: Tensor<T>, options?: FactorOptions): Eigen<T> {
  return now(eigen(a, options))
}

type NativeSvd = { s: Float64Array; u?: Uint8Array; v?: Uint8Array }

function singular<T extends Real>(
  a: Tensor<T>,
  options: FactorOptions | undefined,
): Operation<NativeSvd, Svd<T>> {
  const matrix = checkMatrix('a', a)
  const o = checkOptions('options', options, ['rank', 'vectors'])
  const [m, n] = matrix.dims as [number, number]
  const rank = checkRank(o.rank, Math.min(m, n))
  const wanted = checkBoolean('vectors', o.vectors, true)
  return {
    call: (job) => native.svd(matrix.type === 'float64', viewBytes(matrix), m, n, rank, wanted, job),
    finish: ({ s, u, v }) => ({
      s: { type: 'float64', dims: [rank], data: s },
      ...(u && { u: fromBytes(matrix.type, [m, rank], u) }),
      ...(v && { v: fromBytes(matrix.type, [n, rank], v) }),
    }),
  }
}

/**
 * The thin singular value decomposition A = U diag(s) V^T in float64, s descending, V not transposed. In each column
 * of U the first component whose magnitude is at least (1 - 1e-6) of the largest is positive, and V's column turns
 * with it. Columns of zero singular values complete an orthonormal set. O(m n min(m, n)).
 * @param a - float32 or float64, [m, n], finite
 * @throws TamisError `finite`, `rank`, `dims`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const { u, s, v } = await kernels.svd(tensor('float32', [3, 2], [3, 0, 0, 2, 0, 0]))
 * console.log(s.data) // Float64Array(2) [ 3, 2 ]
 */
export async function svd<T extends Real>(
  a: Tensor<T>,
  options?: FactorOptions & Cancellable,
): Promise<Svd<T>> {
  return promised(options, (o) => singular(a, o))
}

/** {@link svd}, at once. */
export function svdSync<T extends Real>(a: Tensor<T>, options?: FactorOptions): Svd<T> {
  return now(singular(a, options))
}

function system(
  a: Tensor,
  b: Tensor,
  options: RidgeOptions | undefined,
): Operation<Uint8Array, Tensor<Real>> {
  const matrix = checkMatrix('a', a as Tensor<Real>)
  const n = checkSquare('a', matrix)
  const { side, columns } = checkSide('b', b, n)
  const ridge = checkRidge(options)
  const { type, wide, bytes } = alike(matrix, side)
  return {
    call: (job) => native.solve(wide, ...bytes, n, columns, ridge, job),
    finish: (x) => fromBytes(type, side.dims, x),
  }
}

/**
 * X of `(A + ridge I) X = B` for a symmetric positive definite A, by Cholesky in float64; A's lower triangle is read.
 * O(n^3 + n^2 m).
 * @param a - float32 or float64, [n, n], finite
 * @param b - float32 or float64, [n] or [n, m], finite
 * @returns the dims of `b`; float64 if one of both is
 * @throws TamisError `positive definite` (a pivot <= 0), `ridge`, `finite`, `rank`, `shape`, `dims`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const x = await kernels.solve(tensor('float64', [2, 2], [4, 0, 0, 1]), tensor('float64', [2], [8, 3]))
 * console.log(x.data) // Float64Array(2) [ 2, 3 ]
 */
export async function solve(
  a: Tensor,
  b: Tensor,
  options?: RidgeOptions & Cancellable,
): Promise<Tensor<Real>> {
  return promised(options, (o) => system(a, b, o))
}

/** {@link solve}, at once. */
export function solveSync(a: Tensor, b: Tensor, options?: RidgeOptions): Tensor<Real> {
  return now(system(a, b, options))
}

function regression(
  x: Tensor,
  y: Tensor,
  options: RidgeOptions | undefined,
): Operation<Uint8Array, Tensor<Real>> {
  const matrix = checkMatrix('x', x as Tensor<Real>)
  const [n, p] = matrix.dims as [number, number]
  const { side, columns } = checkSide('y', y, n)
  const ridge = checkRidge(options)
  const { type, wide, bytes } = alike(matrix, side)
  return {
    call: (job) => native.leastSquares(wide, ...bytes, n, p, columns, ridge, job),
    finish: (w) => fromBytes(type, [p, ...side.dims.slice(1)], w),
  }
}

/**
 * The W that minimises `||X W - Y||^2 + ridge ||W||^2`, in float64: with a ridge by Cholesky of X^T X + ridge I;
 * without one by singular values, those up to 1e-10 of the largest dropped, which gives the shortest solution.
 * O(n p^2 + n p q).
 * @param x - float32 or float64, [n, p], finite
 * @param y - float32 or float64, [n] or [n, q], finite
 * @returns [p] or [p, q], as `y`; float64 if one of both is
 * @throws TamisError `ridge`, `finite`, `positive definite` (the ridge is too small for float64), `rank`, `shape`,
 * `dims`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const x = tensor('float64', [3, 2], [1, 0, 0, 1, 1, 1])
 * const w = await kernels.leastSquares(x, tensor('float64', [3], [1, 2, 3]), { ridge: 1e-9 })
 * console.log(w.data.map((item) => Math.round(item))) // Float64Array(2) [ 1, 2 ]
 */
export async function leastSquares(
  x: Tensor,
  y: Tensor,
  options?: RidgeOptions & Cancellable,
): Promise<Tensor<Real>> {
  return promised(options, (o) => regression(x, y, o))
}

/** {@link leastSquares}, at once. */
export function leastSquaresSync(x: Tensor, y: Tensor, options?: RidgeOptions): Tensor<Real> {
  return now(regression(x, y, options))
}
