/** Golden cases' values: JSON in, tensors out; and whether a result is what a case wants. */
import type { Tensor, TensorType } from 'tamis'
import { tensor } from 'tamis'

/** `abs(got - want) <= abs + rel * abs(want)` */
export interface Tolerance {
  abs: number
  rel: number
}

/** Where a result differs from what a case wants. */
export interface Difference {
  /** `logWeights.data[3]` */
  path: string
  got: string
  want: string
}

interface TensorJson {
  type: TensorType
  dims: number[]
  data: (number | string)[]
}

function isTensorJson(value: object): value is TensorJson {
  return 'type' in value && 'dims' in value && 'data' in value
}

/** An argument or an expected value, with its tensors as the API takes them. */
export function decode(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(decode)
  if (typeof value !== 'object' || value === null) return value
  if (!isTensorJson(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decode(item)]))
  }
  const { type, dims, data } = value
  if (type === 'float16' || type === 'bfloat16') return { type, dims, data: Uint16Array.from(data, Number) }
  // Number also reads the words for what JSON has no numbers for.
  return tensor(type, dims, type === 'int64' ? data.map(BigInt) : data.map(Number))
}

const TYPE_OF_ARRAY: Record<string, TensorType> = {
  Float32Array: 'float32',
  Float64Array: 'float64',
  Int8Array: 'int8',
  Uint8Array: 'uint8',
  Uint8ClampedArray: 'uint8',
  Int16Array: 'int16',
  Uint16Array: 'uint16',
  Int32Array: 'int32',
  Uint32Array: 'uint32',
  BigInt64Array: 'int64',
}

type AnyTensor = Pick<Tensor, 'type' | 'dims'> & { data: ArrayLike<number | bigint> }

function isTensor(value: unknown): value is AnyTensor {
  return typeof value === 'object' && value !== null && isTensorJson(value) && ArrayBuffer.isView(value.data)
}

/** A tensor, or a typed array as one of one dimension. */
function asTensor(value: unknown, wanted: TensorType): AnyTensor | undefined {
  if (isTensor(value)) return value
  if (!ArrayBuffer.isView(value)) return undefined
  const type = TYPE_OF_ARRAY[value.constructor.name]
  const data = value as unknown as ArrayLike<number>
  // A bare array of bytes does not tell which of the two it means.
  const same = type === 'uint8' && wanted === 'bool' ? wanted : type
  return same && { type: same, dims: [data.length], data }
}

/** At most so many differences are told of one value. */
const MOST = 5

/** Compares what a case lists; other keys of a result are free. */
export function differences(got: unknown, want: unknown, tolerance: Tolerance, path = ''): Difference[] {
  const differ = (): Difference[] => [{ path: path || '(result)', got: print(got), want: print(want) }]
  if (isTensor(want)) {
    const found = asTensor(got, want.type)
    if (found === undefined) return differ()
    return [
      ...differences(found.type, want.type, tolerance, `${path}.type`),
      ...differences([...found.dims], [...want.dims], tolerance, `${path}.dims`),
      ...differentItems(found.data, want.data, tolerance, `${path}.data`),
    ]
  }
  if (Array.isArray(want)) {
    if (!Array.isArray(got) && !ArrayBuffer.isView(got)) return differ()
    return differentItems(got as ArrayLike<unknown>, want, tolerance, path)
  }
  if (typeof want === 'object' && want !== null) {
    if (typeof got !== 'object' || got === null) return differ()
    return Object.entries(want).flatMap(([key, item]) =>
      differences((got as Record<string, unknown>)[key], item, tolerance, path ? `${path}.${key}` : key),
    )
  }
  return same(got, want, tolerance) ? [] : differ()
}

function differentItems(
  got: ArrayLike<unknown>,
  want: ArrayLike<unknown>,
  tolerance: Tolerance,
  path: string,
): Difference[] {
  if (got.length !== want.length) {
    return [{ path: `${path}.length`, got: print(got.length), want: print(want.length) }]
  }
  const found: Difference[] = []
  for (let i = 0; i < want.length && found.length < MOST; i++) {
    found.push(...differences(got[i], want[i], tolerance, `${path}[${i}]`))
  }
  return found
}

function same(got: unknown, want: unknown, tolerance: Tolerance): boolean {
  if (typeof got === 'number' && (typeof want === 'number' || isWordForNumber(want))) {
    const number = Number(want)
    if (Object.is(got, number) || got === number) return true
    if (Number.isInteger(got) && Number.isInteger(number)) return false
    return Math.abs(got - number) <= tolerance.abs + tolerance.rel * Math.abs(number)
  }
  return got === want || (want === null && got === undefined)
}

function isWordForNumber(value: unknown): boolean {
  return value === 'NaN' || value === 'Infinity' || value === '-Infinity'
}

function print(value: unknown): string {
  if (isTensor(value)) return `${value.type} tensor [${value.dims.join(', ')}]`
  if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${(value as Uint8Array).length})`
  if (typeof value === 'number' || typeof value === 'bigint' || value === undefined) return String(value)
  const text = JSON.stringify(value)
  return text.length > 200 ? `${text.slice(0, 200)}...` : text
}
