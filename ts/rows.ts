/**
 * Rows of numbers and which of them count: what the functions over vectors accept.
 * @hidden
 * @module
 */
import { TamisError } from './errors.js'
import { show } from './options.js'
import { asFloat64, checkTensor, FLOAT_TYPES, type Tensor } from './tensor.js'

/** A tensor of a float type; half types are widened to float32. */
export function checkReals(
  name: string,
  value: unknown,
  ranks: readonly number[],
): Tensor<'float32' | 'float64'> {
  const x = checkTensor(name, value, { types: FLOAT_TYPES, ranks })
  if (x.type === 'float32' || x.type === 'float64') return x as Tensor<'float32' | 'float64'>
  return { type: 'float32', dims: x.dims, data: new Float32Array(asFloat64(x)) }
}

/** The same of a wanted type: float32 where `type` is that, else float64. */
export function convertReals<T extends 'float32' | 'float64'>(
  x: Tensor<'float32' | 'float64'>,
  type: T,
): Tensor<T> {
  if (x.type === type) return x as Tensor<T>
  const data = type === 'float32' ? new Float32Array(x.data) : new Float64Array(x.data)
  return { type, dims: x.dims, data } as Tensor<T>
}

/** Numbers, as a list, a typed array or a tensor of one axis. */
export function checkNumbers(name: string, value: unknown): Float64Array {
  if (typeof value === 'object' && value !== null && 'dims' in value) {
    return asFloat64(checkTensor(name, value, { ranks: [1] }))
  }
  const length = typeof value === 'object' && value !== null && 'length' in value ? value.length : undefined
  if (typeof length !== 'number') {
    throw new TamisError(
      'ERR_TAMIS_TYPE',
      `${name} must be a list of numbers or a tensor, got ${show(value)}`,
    )
  }
  const items = Array.from(value as ArrayLike<unknown>)
  const wrong = items.findIndex((item) => typeof item !== 'number')
  if (wrong < 0) return Float64Array.from(items as number[])
  throw new TamisError('ERR_TAMIS_TYPE', `${name}[${wrong}] must be a number, got ${show(items[wrong])}`)
}

/** A mask of `length` items, 0 or 1, as a typed array or a tensor; none means all. */
export function checkMask(name: string, value: unknown, length: number): Uint8Array | undefined {
  if (value === undefined) return undefined
  const wrapped = ArrayBuffer.isView(value) ? { type: 'uint8', dims: [lengthOf(value)], data: value } : value
  const mask = checkTensor(name, wrapped, { types: ['uint8', 'bool'] })
  if (mask.dims.length !== 1 || mask.dims[0] !== length) {
    const want = `${name} must have ${length} items, one a row`
    throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got dims [${mask.dims.join(', ')}]`)
  }
  return mask.data
}

/** Numbers of rows, each below `rows`, as a typed array or a tensor; none means no rows. */
export function checkRows(name: string, value: unknown, rows: number): Uint32Array {
  if (value === undefined) return new Uint32Array(0)
  const wrapped = ArrayBuffer.isView(value) ? { type: 'uint32', dims: [lengthOf(value)], data: value } : value
  const { data } = checkTensor(name, wrapped, { types: ['uint32'], ranks: [1] })
  const wrong = data.findIndex((row) => row >= rows)
  if (wrong < 0) return data
  const want = `${name} must hold rows below ${rows}`
  throw new TamisError('ERR_TAMIS_RANGE', `${want}, got ${show(data[wrong])} at place ${wrong}`)
}

function lengthOf(value: ArrayBufferView): number {
  return 'length' in value ? (value.length as number) : value.byteLength
}
