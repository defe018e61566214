/**
 * What the addon offers on files, typed. Every function with a `job` returns a promise that a thread of its own
 * settles; handles close themselves when they are collected, and earlier when they are told to.
 * @hidden
 * @module
 */
import type { NativeJob } from './native.js'

/** How records are read. */
export interface NativeReadOptions {
  textField: string
  textUnit: 'line' | 'file'
  maxRecord: number
  onBad: 'throw' | 'skip'
}

/** An input file. */
export interface NativeInput {
  path: string
  name: string
  format: string
  bytes: number
  /** Which of the patterns named it. */
  pattern: number
}

/** Input files, found and cut into shards. */
export interface NativeCorpus {
  inputs(): NativeInput[]
  usesStandardInput(): boolean
  /** Removes the copy of standard input. */
  close(): Promise<void>
}

/** What an interrupted run leaves for the next one. */
export interface NativeState {
  /** Where it lies. */
  path(): string
  /** Whether results of an earlier run are gone on with. */
  resumed(): boolean
  /** Notes that the output is about to be put in place. */
  markCommit(): Promise<void>
  /** Whether the interrupted run had come to that. */
  hasCommitMark(): boolean
  /** Keeps a result under a name: lower-case letters. */
  keep(name: string, bytes: Uint8Array): Promise<void>
  /** What the interrupted run kept under a name. */
  kept(name: string): Promise<Uint8Array | null>
  /** Removes it: the run is done. */
  finish(): Promise<void>
  /** Lets go of it: it stays for the next run. */
  release(): void
}

/** An output that appears whole or not at all. */
export interface NativeOutput {
  abandon(): Promise<void>
}

/** What a pass saw of one file. */
export interface NativeFileTotals {
  records: number
  skipped: number
  tokens: number
  features: number
  candidates: number
  /** On disk. */
  bytes: number
  textBytes: number
}

export interface NativeCounted {
  counts: Float64Array
  files: NativeFileTotals[]
  bad: string[]
  bytesRead: number
  /** SHA-256 of each file; null where it was not taken. */
  hashes: (string | null)[]
}

export interface NativeReadTotals {
  files: NativeFileTotals[]
  bad: string[]
  bytesRead: number
}

/** What a scoring pass keeps. */
export interface NativeScoreOptions {
  ngrams: number
  buckets: number
  minTokens: number
  /** Undefined: no noise. */
  seed: bigint | undefined
  unit: 'records' | 'tokens' | 'bytes'
  /** Of each table, how much its best records must be able to serve. */
  budgets: number[]
  /** Nearest misses. */
  spare: number
  sample: number
  keepWeights: boolean
  /** Take the SHA-256 of each file. */
  hash: boolean
  threads: number | undefined
}

export interface NativeScored {
  files(): NativeFileTotals[]
  bad(): string[]
  bytesRead(): number
  hashes(): (string | null)[]
  /** Of a random sample of the candidates, in input order. */
  sample(): NativeSample
}

export interface NativeSample {
  scores: Float64Array
  tokens: Uint32Array
}

export interface NativeChosen {
  /** Records of each table. */
  kept(): number[]
  /** Records of each file. */
  keptOfFile(): number[]
  tokens(): number
  /** Bytes of text. */
  bytes(): number
  /** Of the kept, or of a sample of them if they are many. */
  sample(): NativeSample
}

export interface NativeExample {
  file: number
  record: number
  score: number
  key: number
  tokens: number
  text: string
}

export interface NativeOutputFile {
  path: string
  records: number
  bytes: number
  sha256: string
}

export interface NativeWritten {
  files(): NativeOutputFile[]
  /** Of each input, what was written of it: records, bytes of text, and where they were counted tokens. */
  totals(): NativeFileTotals[]
  /** Bytes of text of the records written. */
  textBytes(): number
  /** N-grams of the kept. */
  counts(): Float64Array
  highest(): NativeExample[]
  lowest(): NativeExample[]
  misses(): NativeExample[]
  abandon(): Promise<void>
}

export interface NativeNgramCounts {
  ngrams: number
  buckets: number
  unicode: string
  records: number
  tokens: number
  features: number
  bytes: number
  counts: Float64Array
}

export interface NativeFiles {
  openCorpus(patterns: string[], options: NativeReadOptions, job: NativeJob): Promise<NativeCorpus>
  openState(
    output: string,
    options: string,
    corpora: NativeCorpus[],
    files: readonly string[],
    resume: boolean,
  ): Promise<NativeState>
  openOutput(path: string, folder: boolean, force: boolean): Promise<NativeOutput>
  countCorpus(
    corpus: NativeCorpus,
    options: {
      ngrams: number
      buckets: number
      limit?: number | undefined
      minTokens?: number | undefined
      /** Bytes of disk in which the n-grams may be kept, in the state, for the scoring pass. */
      keep?: number | undefined
      hash: boolean
      threads?: number | undefined
    },
    state: NativeState | undefined,
    phase: string,
    job: NativeJob,
  ): Promise<NativeCounted>
  /** Reads every record and does nothing with it: what any pass costs at least. */
  readCorpus(corpus: NativeCorpus, threads: number | undefined, job: NativeJob): Promise<NativeReadTotals>
  /** By the n-grams that the corpus's counting pass kept in the state, or else by the texts. */
  scoreCorpus(
    corpus: NativeCorpus,
    tables: Float64Array,
    options: NativeScoreOptions,
    state: NativeState | undefined,
    job: NativeJob,
  ): Promise<NativeScored>
  /** Each table in turn takes its best up to its amount; may be called once. */
  chooseRecords(scored: NativeScored, amounts: number[], job: NativeJob): Promise<NativeChosen>
  /** Reads the chosen records again, counts their n-grams, and writes them to the output, if there is one. */
  writeChosen(
    corpus: NativeCorpus,
    chosen: NativeChosen,
    output: NativeOutput | undefined,
    options: {
      ngrams: number
      buckets: number
      /** Add score and source to the records, under these names of the tables. */
      addScores: string[] | undefined
      /** Add the losses of {@link NativeModels.chooseScored} in place of them. */
      addLosses?: boolean
      examples: number
      threads: number | undefined
    },
    /** Of a run whose scoring pass had kept n-grams: they are counted in place of the texts'. */
    state: NativeState | undefined,
    job: NativeJob,
  ): Promise<NativeWritten>
  /** Puts the output in place, the manifest last; returns where that lies. */
  commitWritten(written: NativeWritten, manifest: string, job: NativeJob): Promise<string>
  /** Needs a scoring pass with `keepWeights` and its state. */
  writeScores(
    path: string,
    corpus: NativeCorpus,
    scored: NativeScored,
    state: NativeState,
    targets: string[],
    force: boolean,
    job: NativeJob,
  ): Promise<void>
  readScores(
    path: string,
    job: NativeJob,
  ): Promise<{ columns: string[]; logWeights: Float64Array; tokens: Uint32Array }>
  nameBuckets(
    corpora: NativeCorpus[],
    options: { ngrams: number; buckets: number; wanted: Uint32Array; bytes: number },
    job: NativeJob,
  ): Promise<(string | null)[]>
  /** The buckets whose shares of the sum grew and shrank most, largest shift first. */
  largestShifts(
    before: Float64Array,
    after: Float64Array,
    k: number,
  ): { gained: Uint32Array; lost: Uint32Array }
  writeCounts(path: string, counts: NativeNgramCounts, force: boolean, job: NativeJob): Promise<void>
  readCounts(path: string, job: NativeJob): Promise<NativeNgramCounts>
  mergeCounts(paths: string[], job: NativeJob): Promise<NativeNgramCounts>
}
