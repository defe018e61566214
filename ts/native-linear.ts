/**
 * The addon's functions for shares, assignments, factorisations, convolutions and wavelets.
 * @hidden
 * @module
 */
import type { NativeJob } from './native.js'

type Now<T> = T | Promise<T>

/** Functions with a last `job` work at once without it, and return a promise with it. */
export interface NativeLinear {
  apportion(
    total: number,
    weights: Float64Array,
    capacities: Float64Array | undefined,
    job?: NativeJob,
  ): Now<Uint32Array>
  assign(
    cost: Float64Array,
    rows: number,
    columns: number,
    maximize: boolean,
    job?: NativeJob,
  ): Now<{ columns: Uint32Array; total: number }>
  /** `wide`: the bytes are of float64 items, else of float32. */
  eigh(
    wide: boolean,
    data: Uint8Array,
    n: number,
    rank: number,
    vectors: boolean,
    job?: NativeJob,
  ): Now<{ values: Float64Array; vectors?: Uint8Array }>
  svd(
    wide: boolean,
    data: Uint8Array,
    m: number,
    n: number,
    rank: number,
    vectors: boolean,
    job?: NativeJob,
  ): Now<{ s: Float64Array; u?: Uint8Array; v?: Uint8Array }>
  solve(
    wide: boolean,
    a: Uint8Array,
    b: Uint8Array,
    n: number,
    m: number,
    ridge: number,
    job?: NativeJob,
  ): Now<Uint8Array>
  leastSquares(
    wide: boolean,
    x: Uint8Array,
    y: Uint8Array,
    n: number,
    p: number,
    q: number,
    ridge: number,
    job?: NativeJob,
  ): Now<Uint8Array>
}
