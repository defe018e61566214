/**
 * What the addon exports for duplicates in memory and mixtures of sources.
 * @hidden
 * @module
 */
import type { NativeJob, NativeTexts } from './native.js'

type Now<T> = T | Promise<T>

/** Which documents are kept, and the kept one of each. */
export interface NativeRepresentatives {
  keep: Uint8Array
  kept: Uint32Array
  representative: Uint32Array
}

/** How near duplicates are found. */
export interface NativeNearOptions {
  ngram: number
  numPerm: number
  seed: bigint
  bands: number | undefined
  rows: number | undefined
  threshold: number
  verify: boolean
  local: boolean
  spillDir: string | undefined
  memory: number
}

/** What a batch became. */
export interface NativeAddedBatch {
  first: number
  keep: Uint8Array
}

/** Near duplicates of batches, one at a time. */
export interface NativeNearFinder {
  addTexts(
    texts: NativeTexts,
    sources: Uint32Array | undefined,
    prefer: Float32Array | undefined,
    job: NativeJob,
  ): Promise<NativeAddedBatch>
  addSignatures(
    signatures: Uint32Array,
    sources: Uint32Array | undefined,
    prefer: Float32Array | undefined,
    job: NativeJob,
  ): Promise<NativeAddedBatch>
  finish(job: NativeJob): Promise<NativeRepresentatives>
}

/** Numbers names of sources in the order in which it sees them. */
export interface NativeSourceNames {
  number(names: NativeTexts): Uint32Array
}

/** A set of texts in few bits. */
export interface NativeBloom {
  add(texts: NativeTexts): Uint8Array
  has(texts: NativeTexts): Uint8Array
}

/** The functions and classes of the addon. */
export interface NativeDedup {
  NearFinder: new (options: NativeNearOptions) => NativeNearFinder
  SourceNames: new () => NativeSourceNames
  Bloom: new (capacity: number, errorRate: number) => NativeBloom
  cleanText(text: string): string
  filterShort(
    texts: NativeTexts,
    minChars: number,
    sources: Uint32Array | undefined,
    exempt: Uint32Array | undefined,
    job?: NativeJob,
  ): Now<{ keep: Uint8Array; kept: Uint32Array; lengths: Uint32Array }>
  minHash(texts: NativeTexts, ngram: number, numPerm: number, seed: bigint, job?: NativeJob): Now<Uint32Array>
  lshParams(threshold: number, numPerm: number, job?: NativeJob): Now<{ bands: number; rows: number }>
  sourceNumbers(name: string, numbers: Float64Array): Uint32Array
  dedupExact(
    texts: NativeTexts,
    against: NativeTexts,
    clean: boolean,
    sources: Uint32Array | undefined,
    job?: NativeJob,
  ): Now<NativeRepresentatives>
  bloomBytes(capacity: number, errorRate: number): number
  mixSources(
    probabilities: Float64Array,
    counts: Uint32Array,
    total: number,
    seed: bigint,
    job?: NativeJob,
  ): Now<{ source: Uint32Array; index: Uint32Array; epochs: Float64Array }>
}
