/**
 * The addon: found, loaded once, and typed. Nothing else imports it but the faces in `kernels` and `corpus`.
 * @hidden
 * @module
 */
import { createRequire } from 'node:module'
import { resolve } from 'node:path'
import { TamisError } from './errors.js'
import type { NativeChannels } from './native-channels.js'
import type { NativeCluster } from './native-cluster.js'
import type { NativeCodes } from './native-codes.js'
import type { NativeCorpusRecipes } from './native-corpus.js'
import type { NativeDedup } from './native-dedup.js'
import type { NativeDedupFiles } from './native-dedup-files.js'
import type { NativeDiversity } from './native-diversity.js'
import type { NativeFiles } from './native-files.js'
import type { NativeGroups } from './native-groups.js'
import type { NativeLinear } from './native-linear.js'
import type { NativeLosses } from './native-losses.js'
import type { NativeMasked } from './native-masked.js'
import type { NativeModels } from './native-models.js'
import type { NativeSignals } from './native-signals.js'
import type { NativeWeights } from './native-weights.js'
import type { NativeWeightsFiles } from './native-weights-files.js'
import { platformName } from './platform.js'

/** A running call's stop flag and counters. */
export interface NativeJob {
  stop(): void
  progress(): { phase: number; done: number; total: number; records: number }
}

type Now<T> = T | Promise<T>

declare const packed: unique symbol

/** Strings, copied out of JavaScript once. */
export interface NativeTexts {
  readonly [packed]: true
}

/** What the addon exports. Functions with a last `job` work at once without it, and return a promise with it. */
export interface Native
  extends NativeCorpusRecipes,
    NativeFiles,
    NativeDedup,
    NativeDedupFiles,
    NativeLinear,
    NativeLosses,
    NativeMasked,
    NativeModels,
    NativeGroups,
    NativeCodes,
    NativeDiversity,
    NativeChannels,
    NativeCluster,
    NativeSignals,
    NativeWeights,
    NativeWeightsFiles {
  Job: new () => NativeJob
  /** `name` is what a message calls the array. */
  Texts: new (
    name: string,
    texts: readonly string[],
  ) => NativeTexts
  version(): string
  instructionSets(): string[]
  unicodeVersion(): string
  threads(): number
  setThreads(threads: number): void
  philox(n: number, seed: bigint, stream: number, job?: NativeJob): Now<Uint32Array>
  below(n: number, bound: number, seed: bigint, stream: number, job?: NativeJob): Now<Uint32Array>
  permutation(n: number, seed: bigint, stream: number, job?: NativeJob): Now<Uint32Array>
  wordsInto(out: Uint32Array, bound: number | undefined, seed: bigint, stream: number): void
  drawInto32(distribution: Distribution, out: Float32Array, seed: bigint, stream: number): void
  drawInto64(distribution: Distribution, out: Float64Array, seed: bigint, stream: number): void
  draw32(
    distribution: Distribution,
    n: number,
    seed: bigint,
    stream: number,
    job?: NativeJob,
  ): Now<Float32Array>
  draw64(
    distribution: Distribution,
    n: number,
    seed: bigint,
    stream: number,
    job?: NativeJob,
  ): Now<Float64Array>
  topK(
    dtype: string,
    data: Uint8Array,
    width: number,
    k: number,
    largest: boolean,
    sorted: boolean,
    job?: NativeJob,
  ): Now<{ values: Uint8Array; indices: Uint32Array }>
  gumbelTopK(
    logWeights: Float64Array,
    width: number,
    k: number,
    temperature: number,
    seed: bigint,
    stream: number,
    job?: NativeJob,
  ): Now<{ indices: Uint32Array; keys: Float64Array }>
  hashNgrams(
    texts: NativeTexts,
    order: number,
    buckets: number,
    job?: NativeJob,
  ): Now<{ offsets: Uint32Array; buckets: Uint32Array; counts: Uint32Array; tokens: Uint32Array }>
  countNgrams(
    texts: NativeTexts,
    order: number,
    buckets: number,
    limit: number | undefined,
    into: Float64Array | undefined,
    job?: NativeJob,
  ): Now<Float64Array>
  scoreNgrams(
    texts: NativeTexts,
    tables: Float64Array,
    order: number,
    buckets: number,
    job?: NativeJob,
  ): Now<{ scores: Float64Array; tokens: Uint32Array }>
  /** Without a seed there is no noise. */
  resample(
    logWeights: Float64Array,
    shares: number[],
    tokens: Uint32Array | undefined,
    minTokens: number,
    seed: bigint | undefined,
    job?: NativeJob,
  ): Now<{ indices: Uint32Array; columns: Uint8Array; candidates: number }>
  logRatio(target: Float64Array, raw: Float64Array, smoothing: number): Float64Array
  klDivergence(p: Float64Array, q: Float64Array, smoothingQ: number): number
  sum(x: Float64Array): number
  /** Items of any type in float64. */
  widen(dtype: string, data: Uint8Array): Float64Array
}

export type Distribution = 'uniform' | 'normal' | 'gumbel'

const require = createRequire(import.meta.url)

/** Where the addon was loaded from. */
export let nativePath = ''

function load(): Native {
  const name = platformName()
  const given = process.env.TAMIS_NATIVE
  const candidates = given ? [resolve(given)] : [`../npm/${name}/tamis.${name}.node`, `tamis-${name}`]
  const failures: string[] = []
  for (const candidate of candidates) {
    try {
      const addon = require(candidate) as Native
      nativePath = require.resolve(candidate)
      return addon
    } catch (error) {
      failures.push(`${candidate}: ${error instanceof Error ? error.message.split('\n')[0] : error}`)
    }
  }
  throw new TamisError(
    'ERR_TAMIS_DEVICE',
    `no tamis addon for ${name} could be loaded: install the package tamis-${name}, or build it with \`npm run build\` (${failures.join('; ')})`,
  )
}

export const native: Native = load()
