/**
 * The addon's functions for diverse selection and scalar codes.
 * @hidden
 * @module
 */
import type { NativeJob } from './native.js'

type Now<T> = T | Promise<T>

/** What {@link NativeDiversity.farthestFirst} is told. */
export interface NativeFarthestOptions {
  rows: number
  width: number
  metric: 'cosine' | 'euclidean' | 'precomputed'
  k: number
  minDistance: number | undefined
  start: 'row' | 'random' | 'isolated' | 'pair'
  /** Of `start: 'row'`. */
  row: number
  seed: bigint
}

/** Functions with a last `job` work at once without it, and return a promise with it. */
export interface NativeDiversity {
  farthestFirst(
    dtype: string,
    data: Uint8Array,
    options: NativeFarthestOptions,
    mask: Uint8Array | undefined,
    initial: Uint32Array,
    anchors: Uint8Array,
    job?: NativeJob,
  ): Now<{ indices: Uint32Array; distances: Float32Array; radius: number }>
  /** The place of the first item, float32 or float64, that is NaN or infinite. */
  findNotFinite(dtype: string, data: Uint8Array): number | null
  /** Rows of a float32 or float64 matrix, each divided by its norm; `name` is what a message calls it. */
  unitRows(name: string, dtype: string, data: Uint8Array, width: number): Uint8Array
  /** Weights that flatten a sample whose k-th neighbours are at `radii`; the `drop` largest are 0. */
  flattenWeights(radii: Float64Array, power: number, drop: number): Float64Array
  /** Items `[channels, places]`, each pushed away from its nearest neighbour. */
  repelItems(
    dtype: string,
    data: Uint8Array,
    options: { channels: number; places: number; limit: number | undefined; step: number },
    mask: Uint8Array | undefined,
  ): { items: Uint8Array; nearest: Uint32Array }
}
