/**
 * The addon's models.
 * @hidden
 * @module
 */
import type { NativeJob, NativeTexts } from './native.js'
import type { NativePlaces } from './native-corpus.js'
import type {
  NativeChosen,
  NativeCorpus,
  NativeFileTotals,
  NativeOutput,
  NativeState,
  NativeWritten,
} from './native-files.js'

/** Lists of tokens, one behind the other. */
export interface NativeTokenLists {
  tokens: Uint32Array
  lengths: Uint32Array
}

/** A text embedder, until it is disposed of. */
export interface NativeTextEmbedder {
  /** Tells the engine of the memory; once. */
  weigh(): void
  width(): number
  mostTokens(): number
  pooling(): string
  normalize(): boolean
  encode(texts: NativeTexts, job: NativeJob): Promise<NativeTokenLists>
  /** [texts, width]; the job counts texts. */
  embed(texts: NativeTexts, job: NativeJob): Promise<Float32Array>
  dispose(): void
}

/** What rules over the files of an embedder. */
export interface NativeEmbedderOptions {
  pooling?: string
  normalize?: boolean
  maxTokens?: number
}

/** A row of numbers for each record of a corpus. */
export interface NativeMappedRows {
  records(): number
  files(): NativeFileTotals[]
  bad(): string[]
  bytesRead(): number
  hashes(): (string | null)[]
  /** Of rows of losses: tokens, and the mean loss of one. */
  means(job: NativeJob): Promise<[number, number]>
}

/** A causal language model, until it is disposed of. */
export interface NativeCausalModel {
  /** Tells the engine of the memory; once. */
  weigh(): void
  positions(): number
  vocabulary(): number
  width(): number
  layers(): number
  encode(texts: NativeTexts, begin: boolean | undefined, job: NativeJob): Promise<NativeTokenLists>
  decode(tokens: Uint32Array): string
  render(messages: { role: string; content: string }[], answer: boolean): string
  /** NaN where nothing precedes a token in its window. */
  losses(
    tokens: Uint32Array,
    lengths: Uint32Array,
    window: number,
    stride: number,
    job: NativeJob,
  ): Promise<Float32Array>
  /** The mean loss of each list, NaN of none, and of how many tokens it is. */
  meanLosses(
    tokens: Uint32Array,
    lengths: Uint32Array,
    window: number,
    stride: number,
    job: NativeJob,
  ): Promise<{ means: Float64Array; counts: Uint32Array }>
  logPerplexity(
    tokens: Uint32Array,
    window: number,
    job: NativeJob,
  ): Promise<{ logPerplexity: number; windows: number }>
  /** [tokens, vocabulary] */
  logits(tokens: Uint32Array, job: NativeJob): Promise<Float32Array>
  /** [layers, tokens, width] */
  states(tokens: Uint32Array, layers: number[], job: NativeJob): Promise<Float32Array>
  generate(tokens: Uint32Array, most: number, job: NativeJob): Promise<Uint32Array>
  dispose(): void
}

export interface NativeModels {
  openTextEmbedder(
    folder: string,
    options: NativeEmbedderOptions,
    job: NativeJob,
  ): Promise<NativeTextEmbedder>
  embedCorpus(
    corpus: NativeCorpus,
    model: NativeTextEmbedder,
    state: NativeState,
    job: NativeJob,
  ): Promise<NativeMappedRows>
  measureLosses(
    corpus: NativeCorpus,
    model: NativeCausalModel,
    options: { begin?: boolean; window: number; stride: number },
    state: NativeState,
    job: NativeJob,
  ): Promise<NativeMappedRows>
  /** All records, each with its loss; uses the rows up. */
  chooseScored(places: NativePlaces, rows: NativeMappedRows, job: NativeJob): Promise<NativeChosen>
  /** Uses the rows up. */
  writeVectors(rows: NativeMappedRows, output: NativeOutput, job: NativeJob): Promise<NativeWritten>
  openCausalModel(path: string, job: NativeJob): Promise<NativeCausalModel>
  convertGguf(
    file: string,
    folder: string,
    dtype: string,
    force: boolean,
    job: NativeJob,
  ): Promise<{ tensors: number; parameters: number; bytes: number }>
}
