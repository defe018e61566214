/**
 * The addon's functions for distances, neighbours and clusters.
 * @hidden
 * @module
 */
import type { NativeJob } from './native.js'

type Now<T> = T | Promise<T>

/** Two sides of rows of one width and what they are compared by. */
export interface NativeRowSides {
  left: number
  right: number
  width: number
  metric: 'dot' | 'cosine' | 'l2sq' | 'l2' | 'hamming' | 'jaccard'
  packed: boolean
}

/** What {@link NativeCluster.kMeans} is told. */
export interface NativeKMeansOptions {
  rows: number
  width: number
  k: number
  init: 'plusplus' | 'random' | 'centers'
  restarts: number
  maxIterations: number
  tolerance: number
  spherical: boolean
  batchSize: number | undefined
  seed: bigint
}

/** Functions with a last `job` work at once without it, and return a promise with it. */
export interface NativeCluster {
  /** Bytes of float64 items for float64 vectors, else of float32 ones. */
  pairwise(
    dtype: string,
    x: Uint8Array,
    y: Uint8Array | undefined,
    sides: NativeRowSides,
    job?: NativeJob,
  ): Now<Uint8Array>
  /** The scores as {@link NativeCluster.pairwise} gives them. */
  nearest(
    dtype: string,
    queries: Uint8Array,
    base: Uint8Array,
    sides: NativeRowSides,
    search: { k: number; excludeSelf: boolean },
    mask: Uint8Array | undefined,
    job?: NativeJob,
  ): Now<{ indices: Uint32Array; scores: Uint8Array }>
  /** The bytes of the centres have the type of x. */
  kMeans(
    dtype: string,
    x: Uint8Array,
    options: NativeKMeansOptions,
    centers: Uint8Array,
    weights: Float64Array | undefined,
    job?: NativeJob,
  ): Now<{
    centers: Uint8Array
    labels: Uint32Array
    inertia: number
    iterations: number
    counts: Uint32Array
  }>
}
