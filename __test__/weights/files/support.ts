/** Small checkpoints, written and read without tamis. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Tensor, weights } from 'tamis'

type StateDict = weights.StateDict

const DTYPES = {
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  uint8: 'U8',
} as const

type Kind = keyof typeof DTYPES

const ARRAYS = {
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  U8: Uint8Array,
} as const

/** A safetensors file. */
export async function writeTensors(
  path: string,
  tensors: StateDict,
  metadata: Record<string, string> = { format: 'pt' },
): Promise<string> {
  const header: Record<string, unknown> = { __metadata__: metadata }
  const parts: Uint8Array[] = []
  let at = 0
  for (const [name, { type, dims, data }] of Object.entries(tensors)) {
    const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)
    header[name] = { dtype: DTYPES[type as Kind], shape: dims, data_offsets: [at, at + bytes.length] }
    parts.push(bytes)
    at += bytes.length
  }
  const json = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, Buffer.concat([length, json, ...parts]))
  return path
}

export interface Read {
  metadata: Record<string, string>
  tensors: Record<string, Tensor>
  /** In the order of their bytes. */
  order: string[]
}

/** The tensors of a safetensors file. */
export async function readTensors(path: string): Promise<Read> {
  const bytes = await readFile(path)
  const length = Number(bytes.readBigUInt64LE())
  const { __metadata__: metadata = {}, ...header } = JSON.parse(bytes.subarray(8, 8 + length).toString())
  const tensors: Record<string, Tensor> = {}
  const entries = Object.entries(header) as [
    string,
    { dtype: keyof typeof ARRAYS; shape: number[]; data_offsets: [number, number] },
  ][]
  entries.sort(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0])
  for (const [name, { dtype, shape, data_offsets: offsets }] of entries) {
    const [begin, end] = offsets
    const own = new Uint8Array(bytes.subarray(8 + length + begin, 8 + length + end))
    const type = Object.entries(DTYPES).find(([, one]) => one === dtype)?.[0] as Kind
    tensors[name] = { type, dims: shape, data: new ARRAYS[dtype](own.buffer) as Tensor['data'] }
  }
  return { metadata, tensors, order: entries.map(([name]) => name) }
}

/** A folder of shards with an index. */
export async function writeShards(
  folder: string,
  shards: readonly StateDict[],
  side: Record<string, string> = {},
): Promise<string> {
  const map: Record<string, string> = {}
  for (const [i, shard] of shards.entries()) {
    const name = `model-${String(i + 1).padStart(5, '0')}-of-${String(shards.length).padStart(5, '0')}.safetensors`
    await writeTensors(join(folder, name), shard)
    for (const tensor of Object.keys(shard)) map[tensor] = name
  }
  const index = { metadata: { total_size: 1, note: 'kept' }, weight_map: map }
  await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify(index))
  for (const [name, text] of Object.entries(side)) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text)
  }
  return folder
}

/** Numbers that look random, are the same everywhere, and repeat often enough to tie. */
export function numbers(n: number, seed: number, step = 0): Float32Array<ArrayBuffer> {
  let state = (seed * 2654435761 + 12345) >>> 0
  return Float32Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const x = (state / 2 ** 31 - 1) ** 3
    return step === 0 ? x : Math.round(x / step) * step
  })
}

export function f32(dims: number[], data: Float32Array): Tensor<'float32'> {
  return { type: 'float32', dims, data }
}

const view = new DataView(new ArrayBuffer(4))

/** The bits of the nearest bfloat16, ties to even; finite numbers only. */
export function toBfloat16(x: number): number {
  view.setFloat32(0, x)
  const bits = view.getUint32(0)
  const low = bits & 0xffff
  const high = bits >>> 16
  return low > 0x8000 || (low === 0x8000 && high % 2 === 1) ? high + 1 : high
}

export function fromBfloat16(bits: number): number {
  view.setUint32(0, bits * 65536)
  return view.getFloat32(0)
}

/** The number of a float16's bits. */
export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25)
}

/** The bits of the nearest float16, ties to even, by search. */
export function toFloat16(x: number): number {
  let [low, high] = [0, 0x7bff]
  const size = Math.abs(x)
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (fromFloat16(middle) <= size) low = middle
    else high = middle - 1
  }
  const [below, above] = [size - fromFloat16(low), fromFloat16(low + 1) - size]
  const up = above < below || (above === below && low % 2 === 1)
  return (Object.is(x, -0) || x < 0 ? 0x8000 : 0) | (up ? low + 1 : low)
}

export function bf16(dims: number[], data: Float32Array): Tensor<'bfloat16'> {
  return { type: 'bfloat16', dims, data: Uint16Array.from(data, toBfloat16) }
}

export function f16(dims: number[], data: Float32Array): Tensor<'float16'> {
  return { type: 'float16', dims, data: Uint16Array.from(data, toFloat16) }
}

/** A half-precision tensor in float32. */
export function widen(tensor: Tensor): Tensor<'float32'> {
  const { type, dims, data } = tensor
  if (type === 'float32') return tensor as Tensor<'float32'>
  const from = type === 'float16' ? fromFloat16 : fromBfloat16
  return { type: 'float32', dims, data: Float32Array.from(data as Uint16Array, from) }
}

/** All tensors in float32. */
export function widenAll(tensors: StateDict): Record<string, Tensor<'float32'>> {
  return Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, widen(tensor)]))
}
