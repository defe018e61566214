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
}
