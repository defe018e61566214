/**
 * The addon's functions for scalar codes, and its index over them.
 * @hidden
 * @module
 */
import type { NativeJob } from './native.js'

type Now<T> = T | Promise<T>

interface Bounds {
  lower: Float32Array
  upper: Float32Array
}

/** A predicate on a column of the attributes; `upper` of `between`. */
export interface NativeFilter {
  column: number
  op: string
  value: number
  upper: number
}

/** An index over rows by scalar codes. */
export interface NativeCodedIndex {
  rows(): number
  width(): number
  columns(): number
  bytesPerRow(): number
  toBytes(withRows: boolean): Buffer
  bounds(query: Float32Array): Bounds
  search(
    queries: Float32Array,
    options: {
      k: number
      filters: NativeFilter[]
      fast: boolean
      hammingShare: number
      rerank: number
      centroidFactor: number
    },
    mask: Uint8Array | undefined,
    job?: NativeJob,
  ): Now<{ indices: Uint32Array; distances: Float32Array; examined: number }>
}

/** Functions with a last `job` work at once without it, and return a promise with it. */
export interface NativeCodes {
  allocateBits(energies: Float64Array, budget: number): Uint8Array
  designCells(values: Float64Array, cells: number): Float64Array
  packCodes(codes: Uint8Array, bits: Uint8Array): Uint8Array
  unpackCodes(segments: Uint8Array, n: number, bits: Uint8Array): Uint8Array
  quantizedBounds(
    codes: Uint8Array,
    boundaries: Float32Array,
    cells: Uint32Array,
    query: Float64Array,
  ): Bounds
  buildIndex(
    x: Float32Array,
    attributes: Float32Array,
    options: {
      width: number
      cosine: boolean
      budget: number
      columns: number
      partitions: number
      seed: bigint
    },
    job?: NativeJob,
  ): Now<NativeCodedIndex>
  readIndex(bytes: Uint8Array, x: Float32Array | undefined): NativeCodedIndex
}
