/**
 * The addon's functions for weights: sparse, quantised and ternary tensors, merges and masks.
 * @hidden
 * @module
 */
import type { NativeJob } from './native.js'

type Now<T> = T | Promise<T>

/** What a compressed update takes, in bits; 16 of each form but the dense one are the scale. */
export interface TernaryCost {
  elements: number
  /** Signs that are not 0. */
  kept: number
  golombParameter: number
  /** n H, signs taken as even. */
  entropyBits: number
  /** Expected in Golomb-Rice code. */
  golombBits: number
  bitmaskBits: number
  /** As halves. */
  denseBits: number
}

/** Bytes of a float tensor. */
export interface NativePart {
  type: string
  data: Uint8Array
}

/** Two masks of bits. */
export interface NativeSigns {
  positive: Uint8Array
  negative: Uint8Array
}

/** To what a scale belongs. */
export interface NativeScaleShape {
  per: 'tensor' | 'channel' | 'group'
  /** Channels, or the width of a row. */
  count: number
  /** Items behind an index of the channel's axis, or those of a group. */
  size: number
}

/** Functions with a last `job` work at once without it, and return a promise with it. */
export interface NativeWeights {
  /** Without `alpha` the scale is the mean magnitude of what is kept. */
  ternarize(
    names: string[],
    parts: NativePart[],
    density: number,
    alpha: number | undefined,
    job?: NativeJob,
  ): Now<{ parts: NativeSigns[]; scale: number; nonzeros: number }>
  ternaryCost(elements: number, kept: number): TernaryCost
  /** X^T X of rows of `width` items, added to `into`. */
  gram(inputs: NativePart, width: number, into: NativePart | undefined, job?: NativeJob): Now<Float32Array>
  /** `inputs` are rows of `columns` items or, with `isGram`, their second moments. */
  lowRank(
    weight: NativePart,
    compressed: NativePart,
    rows: number,
    columns: number,
    inputs: NativePart | undefined,
    isGram: boolean,
    rank: number,
    job?: NativeJob,
  ): Now<{ a: Float32Array; b: Float32Array; before: number; after: number }>
  expandTernary(positive: Uint8Array, negative: Uint8Array, n: number, scale: number): Float32Array
  encodeGolomb(positive: Uint8Array, negative: Uint8Array, n: number): Uint8Array
  decodeGolomb(bytes: Uint8Array, n: number): NativeSigns
  dotTernary(
    positive: Uint8Array,
    negative: Uint8Array,
    otherPositive: Uint8Array,
    otherNegative: Uint8Array,
    n: number,
  ): number
  /** Bytes of float64 for float64, else of float32. */
  multiplyTernary(
    positive: Uint8Array,
    negative: Uint8Array,
    scale: number,
    rows: number,
    cols: number,
    batch: number,
    dtype: string,
    data: Uint8Array,
  ): Uint8Array
  mergeUpdates(
    names: string[],
    updates: NativePart[][],
    density: number,
    whole: boolean,
    weights: number[],
    merge: 'mean' | 'sum' | 'max',
    job?: NativeJob,
  ): Now<Float32Array[]>
  subtract(name: string, model: NativePart, base: NativePart): Float32Array
  addScaled(name: string, base: NativePart, update: NativePart, lambda: number): Float32Array
  taskMasks(
    names: string[],
    updates: NativePart[][],
    merged: NativePart[] | undefined,
    lambdas: number[],
    job?: NativeJob,
  ): Now<{ masks: Uint8Array[][]; ones: number[] }>
  consensus(
    masks: Uint8Array[][],
    agree: number,
    job?: NativeJob,
  ): Now<{ mask: Uint8Array[]; histogram: number[]; ones: number }>
  mergeConsensus(
    names: string[],
    updates: NativePart[][],
    merged: NativePart[] | undefined,
    masks: Uint8Array[][],
    agree: number,
    job?: NativeJob,
  ): Now<Float32Array[]>
  finiteFloat32(name: string, part: NativePart): Float32Array
  packMask(name: string, mask: Uint8Array): Uint8Array
  applyPackedMask(packed: Uint8Array, x: Float32Array): Float32Array
  sparsify(
    dtype: string,
    data: Uint8Array,
    scores: NativePart | undefined,
    width: number,
    keep: number,
    job?: NativeJob,
  ): Now<{ values: Uint8Array; mask: Uint8Array }>
  quantize(
    dtype: string,
    data: Uint8Array,
    symmetric: boolean,
    bits: number,
    shape: NativeScaleShape,
    job?: NativeJob,
  ): Now<{ codes: Uint8Array; scale: Float32Array; zero?: Uint8Array }>
  dequantize(
    dtype: string,
    codes: Uint8Array,
    scale: Float32Array,
    zero: Uint8Array | undefined,
    shape: NativeScaleShape,
    job?: NativeJob,
  ): Now<Float32Array>
}
