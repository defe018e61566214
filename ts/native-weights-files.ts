/**
 * What the addon offers on checkpoints, typed. Every function with a `job` returns a promise that a thread of its own
 * settles.
 * @hidden
 * @module
 */
import type { NativeJob } from './native.js'
import type { NativeOutput, NativeState } from './native-files.js'
import type { TernaryCost } from './native-weights.js'
import type { WeightsTensorReport } from './report/data.js'

/** A file of a checkpoint. */
export interface NativeWeightsFile {
  path: string
  bytes: number
}

/** Models and their base, opened and matched. */
export interface NativeUpdates {
  inputs(): NativeWeightsFile[]
  tensors(): number
  elements(): number
}

/** A packed update and its base, opened and matched. */
export interface NativeExpansion extends NativeUpdates {
  readonly packed?: true
}

/** What models are told from. */
export interface NativeOrigin {
  origin: 'zero' | 'one'
  /** In place of the origin. */
  base: string | undefined
  /** Tensors that are copies, and the original of each. */
  copies: string[]
  originals: string[]
}

/** What is written but not in place yet, and what it came to. */
export interface NativeWrittenWeights {
  files(): NativeWeightsFile[]
  /** Weights beside the inputs that did not go along. */
  leftOut(): string[]
  histogram(): number[]
  densities(): number[]
  signs(): NativeSigns | null
  /** Of each tensor of the update. */
  changes(): WeightsTensorReport[]
  abandon(): Promise<void>
}

/** What a compression came to. */
export interface NativeSigns extends TernaryCost {
  scale: number
}

/** How updates are merged and written; which members count depends on the method. */
export interface NativeMergeOptions {
  method: 'weighted' | 'elected' | 'agreed'
  weights: number[]
  density: number
  merge: 'mean' | 'sum' | 'max'
  eachTensor: boolean
  lambdas: number[]
  agree: number
  lambda: number
  dtype: string | undefined
  oneFile: boolean
}

/** The functions. A job's phase is 1 while magnitudes are ranked, 2 while the output is written. */
export interface NativeWeightsFiles {
  openUpdates(
    models: string[],
    options: NativeOrigin & { skip: string[] },
    job: NativeJob,
  ): Promise<NativeUpdates>
  mergeModels(
    updates: NativeUpdates,
    output: NativeOutput,
    state: NativeState,
    options: NativeMergeOptions,
    job: NativeJob,
  ): Promise<NativeWrittenWeights>
  maskModels(
    updates: NativeUpdates,
    output: NativeOutput,
    state: NativeState,
    names: string[],
    lambdas: number[],
    job: NativeJob,
  ): Promise<NativeWrittenWeights>
  /** Without `alpha` the scale is the mean magnitude of the kept. */
  compressModel(
    updates: NativeUpdates,
    output: NativeOutput,
    state: NativeState,
    options: { density: number; alpha: number | undefined; golomb: boolean },
    job: NativeJob,
  ): Promise<NativeWrittenWeights>
  openExpansion(
    update: string,
    options: NativeOrigin & { task: string | undefined; lambda: number; dtype: string | undefined },
    job: NativeJob,
  ): Promise<NativeExpansion>
  expandModel(
    expansion: NativeExpansion,
    output: NativeOutput,
    state: NativeState,
    oneFile: boolean,
    job: NativeJob,
  ): Promise<NativeWrittenWeights>
  /** Puts the output in place, the manifest last; returns where that lies. */
  commitWeights(written: NativeWrittenWeights, manifest: string, job: NativeJob): Promise<string>
}
