/**
 * The safetensors container in memory: a header of JSON, and the data behind it without holes.
 * @hidden
 * @module
 */
import { TamisError } from '../errors.js'
import { show } from '../options.js'
import { checkTensor, viewBytes } from '../tensor.js'

/** One tensor of a container. */
export interface ContainerEntry {
  name: string
  dtype: 'F32' | 'U8'
  dims: readonly number[]
  /** Bytes of its data. */
  bytes: number
}

const HEAD = 8

/**
 * The length and the header, padded with spaces to a multiple of 8: entries lie in the order given, one behind the other.
 * @param metadata - strings by name, in the order given
 */
export function containerHeader(
  metadata: readonly [string, string][],
  entries: readonly ContainerEntry[],
): Uint8Array {
  let at = 0
  const own = entries.map(({ name, dtype, dims, bytes }) => {
    const [begin, end] = [at, at + bytes]
    at = end
    return `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${dims.join(',')}],"data_offsets":[${begin},${end}]}`
  })
  const json = `{${[`"__metadata__":${objectJson(metadata)}`, ...own].join(',')}}`
  const text = Buffer.from(json)
  const length = Math.ceil((HEAD + text.length) / 8) * 8 - HEAD
  const header = new Uint8Array(HEAD + length).fill(0x20)
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true)
  header.set(text, HEAD)
  return header
}

/** An object of strings, in the order given: an object would move names that are numbers to its front. */
function objectJson(entries: readonly [string, string][]): string {
  return `{${entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`
}

/** A container of data that is all in memory. */
export function packContainer(
  metadata: readonly [string, string][],
  entries: readonly (Omit<ContainerEntry, 'bytes'> & { data: Uint8Array })[],
): Uint8Array {
  const header = containerHeader(
    metadata,
    entries.map((entry) => ({ ...entry, bytes: entry.data.byteLength })),
  )
  const total = entries.reduce((sum, { data }) => sum + data.byteLength, header.length)
  const file = new Uint8Array(total)
  file.set(header)
  let at = header.length
  for (const { data } of entries) {
    file.set(data, at)
    at += data.byteLength
  }
  return file
}

/** A container's tensors, as views, and its metadata. */
export interface Container {
  metadata: Record<string, unknown>
  /** The tensor of this name, type and dims. */
  read: (name: string, dtype: 'F32' | 'U8', dims?: readonly number[]) => Uint8Array
  /** The dims that this tensor says it has. */
  dimsOf: (name: string) => number[]
  names: readonly string[]
}

interface Listed {
  dtype: unknown
  shape: unknown
  data_offsets: unknown
}

/** Bytes, as an array or a uint8 tensor. */
export function checkBytes(name: string, value: unknown): Uint8Array {
  const isArray = ArrayBuffer.isView(value)
  const data = value as Uint8Array
  const tensor = isArray ? { type: 'uint8', dims: [data.length ?? -1], data } : value
  // A Buffer's own methods are not those of an array: as a plain view.
  return viewBytes(checkTensor(name, tensor, { types: ['uint8'] }))
}

/**
 * Opens a container; the header alone is read.
 * @param what - what a message calls a file that is none: `a ternary file`
 */
export function openContainer(file: Uint8Array, what: string): Container {
  const none = (why: string) => new TamisError('ERR_TAMIS_FORMAT', `not ${what}: ${why}`)
  if (file.length < HEAD) throw none(`it has ${file.length} bytes`)
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const length = view.getBigUint64(0, true)
  if (length > BigInt(file.length - HEAD)) throw none('its header ends behind its end')
  const start = HEAD + Number(length)
  const header = parseHeader(file.subarray(HEAD, start))
  if (header === undefined) throw none('its header is no JSON object')
  const { __metadata__: metadata, ...tensors } = header as Record<string, Listed> & { __metadata__?: unknown }
  if (!isObject(metadata)) throw none('it has no metadata')
  const entryOf = (name: string): Listed => {
    const entry = Object.hasOwn(tensors, name) ? (tensors[name] as Listed) : undefined
    if (isObject(entry)) return entry
    throw none(`it has no tensor ${JSON.stringify(name)}`)
  }
  const wrong = (name: string) =>
    none(`its tensor ${JSON.stringify(name)} is not of the size and type that it must have`)
  const dimsOf = (name: string): number[] => {
    const { shape } = entryOf(name)
    if (Array.isArray(shape) && shape.every(isLength)) return shape
    throw wrong(name)
  }
  const read: Container['read'] = (name, dtype, dims) => {
    const entry = entryOf(name)
    const shape = dimsOf(name)
    const [begin, end] = Array.isArray(entry.data_offsets) ? (entry.data_offsets as unknown[]) : []
    const size = shape.reduce((a, b) => a * b, dtype === 'F32' ? 4 : 1)
    const inside = isLength(begin) && isLength(end) && start + end <= file.length && end - begin === size
    const fits = dims === undefined || String(shape) === String(dims)
    if (entry.dtype !== dtype || !fits || !inside) throw wrong(name)
    return file.subarray(start + begin, start + end)
  }
  return { metadata: metadata as Record<string, unknown>, read, dimsOf, names: Object.keys(tensors) }
}

function parseHeader(bytes: Uint8Array): object | undefined {
  try {
    const header: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return isObject(header) ? header : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isLength(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

/** Refuses a container of another format or version. */
export function checkFormat(metadata: Record<string, unknown>, format: string, what: string): void {
  if (metadata.format !== format) {
    throw new TamisError('ERR_TAMIS_FORMAT', `not ${what}: its format is ${show(metadata.format)}`)
  }
  if (metadata.version !== '1') {
    throw new TamisError('ERR_TAMIS_FORMAT', `unsupported version: ${show(metadata.version)}, known is "1"`)
  }
}

/** Little-endian float32 items at any place, as an array of their own. */
export function readFloats(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.slice().buffer)
}

/** Float32 items as bytes: a view. */
export function floatBytes(data: Float32Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}
