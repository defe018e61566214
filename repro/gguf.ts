/**
 * Files of GGUF: a model's settings, vocabulary and tensors.
 * @module
 */
import { readFileSync } from 'node:fs'
import type { Tensor } from 'tamis'

/** What a file holds; tensors are widened to float32 when they are asked for. */
export interface Gguf {
  setting(name: string): unknown
  tensor(name: string): Tensor<'float32'>
}

/** Items of a block of quantised weights. */
const BLOCK = 32

/** Bytes of a block, and what it holds, by the number of its type. */
const BLOCKS: Readonly<
  Record<number, { bytes: number; read: (file: DataView, at: number, out: Float32Array) => void }>
> = {
  0: {
    bytes: 4 * BLOCK,
    read: (file, at, out) => {
      for (let i = 0; i < BLOCK; i++) out[i] = file.getFloat32(at + 4 * i, true)
    },
  },
  // Codes of 4 bits, a scale and a least value.
  3: {
    bytes: 20,
    read: (file, at, out) => {
      const [scale, least] = [half(file.getUint16(at, true)), half(file.getUint16(at + 2, true))]
      for (let i = 0; i < 16; i++) {
        const byte = file.getUint8(at + 4 + i)
        out[i] = scale * (byte & 15) + least
        out[i + 16] = scale * (byte >> 4) + least
      }
    },
  },
  // Codes of 8 bits and a scale.
  8: {
    bytes: 34,
    read: (file, at, out) => {
      const scale = half(file.getUint16(at, true))
      for (let i = 0; i < BLOCK; i++) out[i] = scale * file.getInt8(at + 2 + i)
    },
  },
}

function half(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023]
  if (exponent === 0) return sign * fraction * 2 ** -24
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

/** Reads a file's head. */
export function readGguf(path: string): Gguf {
  const bytes = readFileSync(path)
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 8
  const step = (size: number) => {
    at += size
    return at - size
  }
  const uint32 = () => file.getUint32(step(4), true)
  const uint64 = () => Number(file.getBigUint64(step(8), true))
  const text = () => {
    const length = uint64()
    return bytes.toString('utf8', step(length), at)
  }
  const value = (type: number): unknown => {
    if (type === 8) return text()
    if (type === 9) {
      const items = uint32()
      return Array.from({ length: uint64() }, () => value(items))
    }
    if (type === 6) return file.getFloat32(step(4), true)
    if (type === 7 || type < 2) return file.getUint8(step(1))
    if (type < 4) return file.getUint16(step(2), true)
    return type < 6 ? uint32() : uint64()
  }
  if (bytes.toString('latin1', 0, 4) !== 'GGUF') throw new Error(`${path} is no GGUF file`)
  const [tensors, settings] = [uint64(), uint64()]
  const named = new Map(Array.from({ length: settings }, () => [text(), value(uint32())]))
  const places = new Map(
    Array.from({ length: tensors }, () => {
      const name = text()
      const dims = Array.from({ length: uint32() }, uint64).reverse()
      return [name, { dims, type: uint32(), offset: uint64() }]
    }),
  )
  const start = Math.ceil(at / 32) * 32
  return {
    setting: (name) => named.get(name),
    tensor: (name) => {
      const place = places.get(name)
      const block = place && BLOCKS[place.type]
      if (!place || !block) throw new Error(`${path} holds no tensor ${name} of a known type`)
      const data = new Float32Array(place.dims.reduce((a, b) => a * b, 1))
      for (let i = 0; i < data.length; i += BLOCK) {
        block.read(file, start + place.offset + (i / BLOCK) * block.bytes, data.subarray(i, i + BLOCK))
      }
      return { type: 'float32', dims: place.dims, data }
    },
  }
}
