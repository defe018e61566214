/**
 * What the addon offers recipes that choose documents, typed.
 * @hidden
 * @module
 */
import type { NativeJob } from './native.js'
import type {
  NativeChosen,
  NativeCorpus,
  NativeFileTotals,
  NativeOutput,
  NativeSample,
  NativeScored,
  NativeScoreOptions,
  NativeState,
  NativeWritten,
} from './native-files.js'

type Now<T> = T | Promise<T>

/** Where every record of a corpus lies. */
export interface NativePlaces {
  records(): number
  /** Numbers of a vector. */
  width(): number
  /** Bytes of text that writing the records in this order goes through. */
  mixtureBytes(order: Uint32Array): number
  /** [records, width]; once. */
  takeVectors(): Float32Array
  /** [records, fields]; once. */
  takeNumbers(): Float64Array
  /** In their place, of two numbers a record: by how much the second is below the first; once. */
  takeReductions(job: NativeJob): Promise<Float32Array>
  files(): NativeFileTotals[]
  bad(): string[]
  bytesRead(): number
  hashes(): (string | null)[]
  /** Of a random sample of the records, in their order. */
  sample(scores: Float32Array | undefined, most: number, seed: bigint): NativeSample
  /** The records at these places, ascending, each with its score. */
  choose(rows: Uint32Array, scores: Float64Array): NativeChosen
  /** The records at these places, ascending; those of `shown` are the best of them, or else misses. */
  chooseShown(rows: Uint32Array, shown: Uint32Array): NativeChosen
  /** The records of the highest (or lowest) scores that an amount pays for, and the nearest misses. */
  chooseBest(scores: Float32Array, lowest: boolean, unit: string, amount: number, spare: number): NativeChosen
}

export interface NativeCorpusRecipes {
  /** A label beyond the groups comes back in `highest`, without counts. */
  countGroups(
    labels: Uint32Array,
    excluded: Uint8Array | undefined,
    groups: number | undefined,
    job?: NativeJob,
  ): Now<{ highest: number; counts: Uint32Array }>
  drawGroups(
    labels: Uint32Array,
    weights: Float64Array | undefined,
    linear: boolean,
    excluded: Uint8Array | undefined,
    shares: Uint32Array,
    seed: bigint,
    stream: number,
    job?: NativeJob,
  ): Now<Uint32Array>
  keepBest(
    keys: Float64Array,
    largest: boolean,
    labels: Uint32Array,
    shares: Uint32Array,
    total: number,
    job?: NativeJob,
  ): Now<Uint32Array>
  groupMeans(
    values: Float64Array,
    labels: Uint32Array,
    groups: number,
  ): { means: Float64Array; counts: Uint32Array }
  labelsOf(labels: Uint32Array, rows: Uint32Array): Uint32Array
  /** The flags with those of some rows set. */
  markRows(flags: Uint8Array, rows: Uint32Array): Uint8Array
  markedRows(flags: Uint8Array): Uint32Array
  /** The first number that is NaN, infinite, or not above `above`. */
  findUnfit(x: Float64Array, above: number | undefined): number | null
  findNan(x: Float64Array): number | null
  findBadRow(dtype: string, data: Uint8Array, width: number): { row: number; zero: boolean } | null
  assignRows(
    dtype: string,
    x: Uint8Array,
    centers: Uint8Array,
    width: number,
    labels: Uint32Array | undefined,
    job?: NativeJob,
  ): Now<{ scores: Float32Array; labels: Uint32Array }>
  maxSimilarityBefore(
    dtype: string,
    x: Uint8Array,
    width: number,
    labels: Uint32Array,
    scores: Float32Array,
    order: 'hard' | 'easy' | 'random',
    seed: bigint,
    job?: NativeJob,
  ): Now<Float32Array>
  /** Rows of length 1. */
  unitVectors(x: Float32Array, width: number, job?: NativeJob): Now<Float32Array>
  rowsAtMost(similarity: Float32Array, most: number): Uint32Array
  /** Places among all records; `firsts`: that of each source's first. */
  mixtureOrder(
    source: Uint32Array,
    index: Uint32Array,
    firsts: Uint32Array,
  ): { order: Uint32Array; counts: Uint32Array }
  writeMixture(
    corpus: NativeCorpus,
    places: NativePlaces,
    order: Uint32Array,
    output: NativeOutput | undefined,
    state: NativeState | undefined,
    threads: number | undefined,
    job: NativeJob,
  ): Promise<NativeWritten>
  readVectors(
    paths: string[],
    name: string | undefined,
    job: NativeJob,
  ): Promise<{ rows: number; width: number; data: Float32Array }>
  findPlaces(
    corpus: NativeCorpus,
    options: {
      vector: string | undefined
      numbers: string[]
      hash: boolean
      threads: number | undefined
    },
    state: NativeState | undefined,
    job: NativeJob,
  ): Promise<NativePlaces>
  writePlaceScores(
    path: string,
    corpus: NativeCorpus,
    places: NativePlaces,
    scores: Float32Array,
    force: boolean,
    job: NativeJob,
  ): Promise<void>
  /** Scores by alignment with the texts of `targets`. */
  alignCorpus(
    corpus: NativeCorpus,
    targets: NativeCorpus,
    level: number,
    options: NativeScoreOptions,
    state: NativeState | undefined,
    job: NativeJob,
  ): Promise<NativeScored>
  /** Every record gets the score 0. */
  scoreEqually(
    corpus: NativeCorpus,
    options: NativeScoreOptions,
    state: NativeState | undefined,
    job: NativeJob,
  ): Promise<NativeScored>
}
