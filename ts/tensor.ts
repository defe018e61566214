/**
 * Tensors: `{ type, dims, data }`, row-major, as onnxruntime-node and transformers.js hand them out and take them.
 *
 * A synchronous call reads the caller's memory in place and is done with it when it returns. A promise has copied
 * what it needs by the time the call returns, so that the caller may change, transfer or detach the data at once.
 * Data on a `SharedArrayBuffer` is copied by both, since another thread may write to it meanwhile. Results lie in
 * memory of the addon: sending one to another thread copies it.
 * @module
 */
import { TamisError } from './errors.js'
import { native } from './native.js'
import { show } from './options.js'

/** A `Float16Array`, where the runtime has it. */
export interface Float16Like extends ArrayBufferView {
  readonly [Symbol.toStringTag]: 'Float16Array'
  readonly BYTES_PER_ELEMENT: number
  readonly length: number
  [index: number]: number
}

/** What carries the items of each type. */
export interface TensorData {
  float32: Float32Array
  float64: Float64Array
  /** Bits, or a `Float16Array`. */
  float16: Uint16Array | Float16Like
  /** Bits: the upper half of a float32. */
  bfloat16: Uint16Array
  int8: Int8Array
  uint8: Uint8Array
  int16: Int16Array
  uint16: Uint16Array
  int32: Int32Array
  uint32: Uint32Array
  int64: BigInt64Array
  /** 0 or 1. */
  bool: Uint8Array
}

/** The types that a tensor's items can have. */
export type TensorType = keyof TensorData

/** Items of one type, row-major. */
export interface Tensor<T extends TensorType = TensorType> {
  readonly type: T
  /** The length of each axis; `[]` is a scalar. */
  readonly dims: readonly number[]
  readonly data: TensorData[T]
}

const ARRAYS: Record<TensorType, readonly string[]> = {
  float32: ['Float32Array'],
  float64: ['Float64Array'],
  float16: ['Uint16Array', 'Float16Array'],
  bfloat16: ['Uint16Array'],
  int8: ['Int8Array'],
  uint8: ['Uint8Array', 'Uint8ClampedArray'],
  int16: ['Int16Array'],
  uint16: ['Uint16Array'],
  int32: ['Int32Array'],
  uint32: ['Uint32Array'],
  int64: ['BigInt64Array'],
  bool: ['Uint8Array'],
}

/** All tensor types. */
export const TENSOR_TYPES = Object.keys(ARRAYS) as readonly TensorType[]

/** The types that carry weights and scores. */
export const FLOAT_TYPES = ['float32', 'float64', 'float16', 'bfloat16'] as const

/** What a function accepts; what is left out may be anything. */
export interface TensorShape<T extends TensorType = TensorType> {
  types?: readonly T[]
  /** Numbers of axes. */
  ranks?: readonly number[]
  /** The exact lengths. */
  dims?: readonly number[]
}

/**
 * A tensor that is well-formed and of an accepted type, rank and shape. Data that another thread could write to
 * comes back as a copy.
 * @throws TamisError `dims` (dims and data do not fit), `rank`, `shape`, and the type's or the data's name
 */
export function checkTensor<T extends TensorType = TensorType>(
  name: string,
  value: unknown,
  accepts: TensorShape<T> = {},
): Tensor<T> {
  const { type, dims, data } = readTensor(name, value)
  if (accepts.types && !(accepts.types as readonly string[]).includes(type)) {
    throw new TamisError('ERR_TAMIS_TYPE', `${name} must be ${accepts.types.join(' or ')}, got ${type}`)
  }
  if (accepts.ranks && !accepts.ranks.includes(dims.length)) {
    const want = `rank: ${name} must have ${accepts.ranks.join(' or ')} axes`
    throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got dims [${dims.join(', ')}]`)
  }
  if (accepts.dims && !sameDims(dims, accepts.dims)) {
    const want = `shape: ${name} must have dims [${accepts.dims.join(', ')}]`
    throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got [${dims.join(', ')}]`)
  }
  return { type: type as T, dims, data: unshared(data) as TensorData[T] }
}

function sameDims(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((n, axis) => n === b[axis])
}

function readTensor(name: string, value: unknown): Tensor {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || Array.isArray(value)) {
    throw new TamisError(
      'ERR_TAMIS_TYPE',
      `${name} must be a tensor { type, dims, data }, got ${show(value)}`,
    )
  }
  const { type, dims, data } = value as Tensor
  const arrays = typeof type === 'string' && Object.hasOwn(ARRAYS, type) ? ARRAYS[type] : undefined
  if (arrays === undefined) {
    const want = `${name}: a tensor's type must be one of ${TENSOR_TYPES.join(', ')}`
    throw new TamisError('ERR_TAMIS_TYPE', `${want}, got ${show(type)}`)
  }
  if (!Array.isArray(dims) || !dims.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw new TamisError(
      'ERR_TAMIS_SHAPE',
      `${name}: dims must be a list of integers >= 0, got ${show(dims)}`,
    )
  }
  if (!ArrayBuffer.isView(data) || !arrays.includes(arrayName(data))) {
    const want = `${name}: the data of a ${type} tensor must be a ${arrays.join(' or ')}`
    throw new TamisError('ERR_TAMIS_TYPE', `${want}, got ${show(data)}`)
  }
  const items = dims.reduce((product, n) => product * n, 1)
  if (items !== data.length) {
    const got = isDetached(data) ? 'its buffer was transferred or detached' : `data holds ${data.length}`
    throw new TamisError(
      'ERR_TAMIS_SHAPE',
      `${name}: dims [${dims.join(', ')}] mean ${items} items, but ${got}`,
    )
  }
  return { type, dims: [...dims], data }
}

/** Also right for arrays of another realm, of which `instanceof` knows nothing. */
function arrayName(data: ArrayBufferView): string {
  return Object.prototype.toString.call(data).slice(8, -1)
}

function isDetached(data: Tensor['data']): boolean {
  if (data.length > 0) return false
  try {
    new Uint8Array(data.buffer as ArrayBuffer)
    return false
  } catch {
    return true
  }
}

function unshared(data: Tensor['data']): Tensor['data'] {
  const shared = Object.prototype.toString.call(data.buffer) === '[object SharedArrayBuffer]'
  // Not the array's own method: a Buffer slices without a copy.
  return shared ? Uint8Array.prototype.slice.call(data) : data
}

/** The tensor's memory as bytes: a view, no copy. */
export function viewBytes({ data }: Pick<Tensor, 'data'>): Uint8Array {
  return new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)
}

/** Bytes that the addon returned, as the kind of array that `like` has. */
export function viewAs<T extends TensorType>(like: Tensor<T>, bytes: Uint8Array): TensorData[T] {
  // By name, since a Buffer or another realm's array has a constructor of its own.
  const View = (globalThis as unknown as Record<string, ArrayConstructor>)[
    arrayName(like.data)
  ] as ArrayConstructor
  return new View(bytes.buffer, bytes.byteOffset, bytes.byteLength / View.BYTES_PER_ELEMENT) as TensorData[T]
}

interface ArrayConstructor {
  readonly BYTES_PER_ELEMENT: number
  new (buffer: ArrayBufferLike, offset: number, length: number): ArrayBufferView
}

/** The items in float64: the data itself where they are that already. */
export function asFloat64(tensor: Tensor): Float64Array {
  if (tensor.type === 'float64') return tensor.data as Float64Array
  return native.widen(tensor.type, viewBytes(tensor))
}

/**
 * A tensor from numbers (for int64 also bigints), converted as its typed array converts them.
 * @param dims - the length of each axis; their product is the number of items
 * @throws TamisError `dims`, and for float16 and bfloat16, whose bits are for the caller to give
 * @example
 * import { tensor } from 'tamis'
 * const x = tensor('float32', [2, 2], [1, 2, 3, 4]) // { type: 'float32', dims: [2, 2], data: Float32Array }
 */
export function tensor<T extends Exclude<TensorType, 'float16' | 'bfloat16'>>(
  type: T,
  dims: readonly number[],
  items: ArrayLike<number | bigint>,
): Tensor<T> {
  const From = FROM_NUMBERS[type]
  if (From === undefined) {
    const want = `type must be one of ${Object.keys(FROM_NUMBERS).join(', ')}`
    throw new TamisError('ERR_TAMIS_TYPE', `${want}, got ${show(type)}`)
  }
  return checkTensor<T>('tensor', { type, dims, data: From(items) })
}

const FROM_NUMBERS: Record<
  Exclude<TensorType, 'float16' | 'bfloat16'>,
  (items: ArrayLike<number | bigint>) => Tensor['data']
> = {
  float32: (items) => Float32Array.from(items, Number),
  float64: (items) => Float64Array.from(items, Number),
  int8: (items) => Int8Array.from(items, Number),
  uint8: (items) => Uint8Array.from(items, Number),
  int16: (items) => Int16Array.from(items, Number),
  uint16: (items) => Uint16Array.from(items, Number),
  int32: (items) => Int32Array.from(items, Number),
  uint32: (items) => Uint32Array.from(items, Number),
  int64: (items) => BigInt64Array.from(items, BigInt),
  bool: (items) => Uint8Array.from(items, Number),
}
