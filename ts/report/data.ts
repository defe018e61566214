/**
 * What runs on files report: the numbers and texts behind a page's pictures.
 * @module
 */

/** A run, told to a person or a program. */
export type Report = SelectionReport | DedupReport | MixReport | WeightsReport

/** What every report tells. */
export interface RunReport {
  /** The version that ran. */
  tamis: string
  /** Short name of the recipe, or of the way to work. */
  method: string
  /** When it began: ISO 8601, UTC. */
  startedAt: string
  /** How long it took. */
  seconds: number
  /** The options in force, defaults filled in. */
  options: Record<string, unknown>
  /** What a person should know: skipped records, targets that got less than their share, ... */
  warnings: string[]
}

/** One input file. */
export interface FileReport {
  /** Its name below the common folder of all inputs. */
  name: string
  /** Its path as it was found. */
  path: string
  /** Its size on disk. */
  bytes: number
  /** Good records. */
  records: number
  /** Bad records passed over. */
  skipped: number
}

/** One selection. */
export interface SelectionReport extends RunReport {
  kind: 'select'
  /** What a record's score is. Default: its log importance weight. */
  score?: string
  /** Of each raw file. */
  inputs: InputReport[]
  /** Of each target. */
  targets: TargetReport[]
  /** Over all raw files. */
  totals: SelectionTotals
  /** Scores, where they mean something: of a random sample of the candidates, and of the kept (or a sample of them). */
  weights: { raw: Float64Array; kept: Float64Array }
  /** Lengths in tokens of the records of `weights`, in the same order. */
  lengths: { raw: Uint32Array; kept: Uint32Array }
  /** KL(target || corpus) in nats, of the raw corpus and of the selection. */
  kl: { target: string; raw: number; selected: number }[]
  /** Mean over targets of `raw - selected`: how much nearer the selection is. Of methods that fit n-grams. */
  klReduction?: number
  /** The buckets whose share of all n-grams grew and shrank most, largest shift first. */
  buckets: { gained: BucketShift[]; lost: BucketShift[] }
  /** The highest and lowest weighted of the kept, and the best that were not kept. */
  examples: { highest: Example[]; lowest: Example[]; misses: Example[] }
}

/** One raw file. */
export interface InputReport extends FileReport {
  /** Records of enough tokens. */
  candidates: number
  /** Records kept. */
  kept: number
}

/** One target. */
export interface TargetReport {
  /** Its name; a number where it has none. */
  name: string
  /** Its files; empty where its counts were given. */
  files: string[]
  records: number
  tokens: number
  /** Records that it took of the raw corpus. */
  kept: number
}

/** Sums over all raw files. */
export interface SelectionTotals {
  records: number
  candidates: number
  kept: number
  skipped: number
  /** Tokens of all good records. */
  tokens: number
  keptTokens: number
  /** Bytes of the files on disk. */
  bytes: number
  /** Bytes of the kept records' text, in UTF-8. */
  keptBytes: number
}

/** One bucket of hashed n-grams: its share of all n-grams of the raw corpus, of the kept records, of the target. */
export interface BucketShift {
  bucket: number
  /** The n-gram that falls into it most often; null where none was seen. */
  ngram: string | null
  raw: number
  kept: number
  target: number
}

/** One record. */
export interface Example {
  /** Name of its file. */
  source: string
  /** Its place among the good records of its file, from 0. */
  record: number
  logWeight: number
  /** What decided: the weight plus its noise. */
  key: number
  tokens: number
  /** The beginning of its text. */
  text: string
}

/** One run that dropped duplicates; its method is `near`, `exact` or `semantic`. */
export interface DedupReport extends RunReport {
  kind: 'dedup'
  /** Of each file, what became of its records. */
  inputs: (FileReport & DedupCounts)[]
  /** Of each file that was only compared with. */
  against: FileReport[]
  /** The same of each source, which may be several files. */
  sources: ({ name: string; records: number } & DedupCounts)[]
  totals: DedupTotals
  /** Clusters of two and more records of which one is kept, by their size: up to twice the smallest in each line. */
  sizes: { from: number; to: number; clusters: number; records: number }[]
  /** The largest clusters, and some of the dropped records, each of another cluster. */
  examples: { largest: ClusterExample[]; dropped: DroppedExample[] }
}

/** What became of records: kept, or dropped for what they are the same as. */
export interface DedupCounts {
  kept: number
  /** Dropped for a record of their own source. */
  within: number
  /** Dropped for a record of another source. */
  across: number
  /** Dropped for a record that was only compared with. */
  matched: number
}

/** Sums over all files. */
export interface DedupTotals {
  /** Good records of the input. */
  records: number
  /** Records kept: one of each cluster. */
  kept: number
  dropped: number
  /** Of the dropped, those that are the same as a record that was only compared with. */
  matched: number
  /** Clusters of two and more records of which one is kept. */
  clusters: number
  /** Bad records passed over. */
  skipped: number
  /** Records that were only compared with. */
  against: number
  /** Bytes of all records' text, and of the kept records', in UTF-8. */
  bytes: number
  keptBytes: number
}

/** A record's place. */
export interface RecordPlace {
  /** Name of its file. */
  source: string
  /** Its place among the good records of its file, from 0. */
  record: number
}

/** The kept record of a cluster. */
export interface ClusterExample extends RecordPlace {
  /** Records of the cluster. */
  records: number
  /** The beginning of its text. */
  text: string
}

/** A dropped record beside the one that stands for it. */
export interface DroppedExample {
  dropped: RecordPlace & { text: string }
  /** Without a text where it was only compared with: that is not read again. */
  kept: RecordPlace & { text?: string }
}

/** One mixture of sources; its method is `mix`. */
export interface MixReport extends RunReport {
  kind: 'mix'
  /** What the wanted shares are of. */
  by: 'records' | 'tokens'
  /** Of each file; `mixed`: records of the mixture that are from it. */
  inputs: (FileReport & { mixed: number })[]
  sources: MixSourceReport[]
  totals: MixTotals
}

/** One source of a mixture. */
export interface MixSourceReport {
  /** Its name; its files where it has none. */
  name: string
  /** Good records that it has, and their tokens. */
  records: number
  tokens: number
  /** Records of the mixture that are from it, and their tokens. */
  mixed: number
  mixedTokens: number
  /** Share of the mixture that it was to have, of records or tokens as `by` says. */
  wanted: number
  /** How often it was gone through. */
  epochs: number
}

/** Sums over all sources. */
export interface MixTotals {
  records: number
  tokens: number
  skipped: number
  /** Records of the mixture, their tokens, and bytes of their text in UTF-8. */
  mixed: number
  mixedTokens: number
  mixedBytes: number
}

/** One call on checkpoints: models merged, an update compressed or expanded; its method is that of the merge, `compeft` or `expand-update`. */
export interface WeightsReport extends RunReport {
  kind: 'weights'
  inputs: { path: string; bytes: number }[]
  outputs: { path: string; bytes: number }[]
  /** Tensors and items of the update. */
  totals: { tensors: number; elements: number }
  /** Of a merge: the names of the models, in the order of each tensor's `updates`. */
  models: string[]
  /** Of each tensor of the update, by name. */
  tensors: WeightsTensorReport[]
  /** Of a consensus: how many numbers 0, 1, 2, ... updates need. */
  histogram?: number[]
  /** Of task masks: the share of ones in each mask, by task. */
  densities?: Record<string, number>
  /** Of a compression: its scale, the signs that were kept, and the bits that they and half-precision floats take. */
  signs?: { scale: number; kept: number; denseBits: number }
}

/** What became of a tensor. */
export interface WeightsTensorReport {
  name: string
  /** Its items. */
  elements: number
  /** Euclidean norm of each model's update. */
  updates: number[]
  /** Of the base, where it was looked at. */
  base?: number | undefined
  /** Of the update that was written. */
  written: number
  /** Items of that update that are not 0, where they were counted. */
  nonzeros?: number | undefined
}

/** What a page can be told beside the report. */
export interface PageOptions {
  /** The command line that ran, shown as it is. */
  command?: string
  /** The heading. Default: how many documents were kept of how many or mixed of how many sources, or what became of models. */
  title?: string
}
