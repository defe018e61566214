/**
 * The addon's functions for shares, assignments, factorisations, convolutions, wavelets, gzip sizes and rounds.
 * @hidden
 * @module
 */
import type { NativeJob, NativeTexts } from './native.js'

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
  convolve(
    wide: boolean,
    x: Uint8Array,
    weight: Uint8Array,
    bias: Uint8Array | undefined,
    shape: NativeConvolution,
    job?: NativeJob,
  ): Now<Uint8Array>
  waveletFilter(name: string): { low: Float64Array; high: Float64Array }
  waveletBands(name: string, mode: string, sides: number[]): number[]
  /** 0 where bands are too short. */
  waveletLines(name: string, mode: string, bands: number[]): number[]
  wavelet(
    wide: boolean,
    data: Uint8Array,
    batch: number,
    sides: number[],
    name: string,
    mode: string,
    job?: NativeJob,
  ): Now<Uint8Array>
  inverseWavelet(
    wide: boolean,
    data: Uint8Array,
    batch: number,
    bands: number[],
    sides: number[],
    name: string,
    mode: string,
    job?: NativeJob,
  ): Now<Uint8Array>
  compressedSizes(texts: NativeTexts, level: number, job?: NativeJob): Now<Uint32Array>
  compressionAlignments(
    sources: NativeTexts,
    targets: NativeTexts,
    level: number,
    job?: NativeJob,
  ): Now<{ scores: Float64Array; mean: number }>
  Rounds: new (
    n: number,
    count: number | undefined,
    ratio: number,
    classes: Uint32Array | undefined,
    replacement: boolean,
    seed: bigint,
  ) => NativeRounds
}

/** Rounds of random rows, one after the other. */
export interface NativeRounds {
  next(): Uint32Array
  seek(round: number): void
  readonly round: number
  readonly size: number
}

/** Three axes each; those that are not there have one place. */
export interface NativeConvolution {
  batch: number
  channels: number
  outputs: number
  groups: number
  input: number[]
  kernel: number[]
  stride: number[]
  dilation: number[]
  before: number[]
  after: number[]
  padding: string
}
