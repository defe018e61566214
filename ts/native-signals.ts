/**
 * The addon's functions for signals: cells, sizes, networks of convolutions, wavelet shrinkage, noise.
 * @hidden
 * @module
 */
import type { NativeJob } from './native.js'

type Now<T> = T | Promise<T>

/** Channels as cells of the last axes; `sides` are three, and those with the channels apart. */
export interface NativeCells {
  batch: number
  /** Of the maps with larger sides. */
  channels: number
  sides: number[]
  factor: number
  axes: 2 | 3
  /** The channels of a cell are apart by the number of channels of the result. */
  apart: boolean
  /** From cells to channels. */
  back: boolean
}

/** What makes the next map; map 0 is the input. */
export type NativeStep =
  | {
      kind: 'convolve'
      /** Their channels one after the other. */
      from: number[]
      layer: number
      activation: 'none' | 'relu' | 'leaky' | 'tanh' | 'sigmoid'
      /** Of `leaky`. */
      slope?: number
    }
  /** `scale` times the first map, and the second. */
  | { kind: 'blend'; from: [number, number]; scale: number }
  | { kind: 'shuffle'; from: [number]; factor: number; axes: 2 | 3; apart: boolean }

/** A batch's network: stride 1, zeros around, three sides. */
export interface NativeNetwork {
  /** Bytes are of float64 items, else of float32. */
  wide: boolean
  batch: number
  channels: number
  sides: number[]
  layers: { weight: Uint8Array; bias: Uint8Array; kernel: number[] }[]
  steps: NativeStep[]
}

/** Functions with a last `job` work at once without it, and return a promise with it. `wide`: float64, else float32. */
export interface NativeSignals {
  shuffleCells(dtype: string, data: Uint8Array, shape: NativeCells): Uint8Array
  resizePlanes(
    wide: boolean,
    data: Uint8Array,
    from: number[],
    to: number[],
    nearest: boolean,
    job?: NativeJob,
  ): Now<Uint8Array>
  runNetwork(
    x: Uint8Array,
    network: NativeNetwork,
    job?: NativeJob,
  ): Now<{ channels: number; sides: number[]; data: Uint8Array }>
  /** `slopes`: of each layer its weight's and its bias's. */
  deriveNetwork(
    x: Uint8Array,
    target: Uint8Array,
    network: NativeNetwork,
  ): { loss: number; slopes: Uint8Array[] }
  /** `names` is what messages call x and y. */
  fitConvolution(
    wide: boolean,
    x: Uint8Array,
    y: Uint8Array,
    names: [string, string],
    shape: {
      batch: number
      channels: number
      outputs: number
      sides: number[]
      kernel: number[]
      ridge: number
    },
    job?: NativeJob,
  ): Now<{ weight: Uint8Array; bias: Uint8Array; mse: number }>
  /** `low` and `high` are a weight and a bias. */
  mixHaarBands(
    wide: boolean,
    x: Uint8Array,
    channels: number,
    sides: number[],
    low: [Uint8Array, Uint8Array],
    high: [Uint8Array, Uint8Array],
  ): { low: Uint8Array; high: Uint8Array }
  /** `rule` is bayes, universal or given (by `threshold`). */
  shrinkWavelets(
    wide: boolean,
    data: Uint8Array,
    sides: number[],
    wavelet: string,
    levels: number,
    rule: string,
    threshold: number,
    job?: NativeJob,
  ): Now<Uint8Array>
  addNormalNoise(wide: boolean, data: Uint8Array, sigma: number, seed: bigint, stream: number): Uint8Array
}
