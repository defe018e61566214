/**
 * The addon's functions for rows and columns of matrices: statistics in streams, sums, columns taken out.
 * @hidden
 * @module
 */
import type { NativePart } from './native-weights.js'

/** Functions and classes that work at once. */
export interface NativeChannels {
  ColumnStats: new (width: number, ofRows: boolean) => NativeColumnStats
  PairedStats: new (
    streams: number,
    measure: 'cosine' | 'angular' | 'mse' | 'mae',
    added: boolean,
  ) => NativePairedStats
  columnSums(name: string, x: NativePart, width: number, squared: boolean): Float64Array
  rowMagnitudes(name: string, x: NativePart, width: number): Float64Array
  weightedRowSums(name: string, x: NativePart, weights: Float64Array): Float64Array
  /** Bytes of float64 for float64, else of float32. */
  scaledMagnitudes(x: NativePart, scale: Float64Array): Uint8Array
  keepColumns(x: NativePart, mask: Uint8Array): Uint8Array
  checkFinite(name: string, x: NativePart): void
}

/** Mean, squares and spread of each column over a stream of matrices. */
export interface NativeColumnStats {
  /** Matrices of `rows` rows each. */
  add(name: string, x: NativePart, rows: number): void
  result(): { matrices: number; mean: Float64Array; squares: Float64Array; spread: Float64Array }
}

/** How alike the rows of two matrices are, over streams of them. */
export interface NativePairedStats {
  add(name: string, stream: number, x: NativePart, y: NativePart, width: number): void
  result(): { sums: Float64Array; rows: Float64Array }
}
