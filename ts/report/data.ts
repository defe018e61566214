/**
 * What a selection from files reports: the numbers and texts behind a report's pictures.
 * @module
 */

/** One selection, told to a person or a program. */
export interface SelectionReport {
  /** The version that ran. */
  tamis: string
  /** Short name of the recipe. */
  method: string
  /** What a record's score is. Default: its log importance weight. */
  score?: string
  /** When it began: ISO 8601, UTC. */
  startedAt: string
  /** How long it took. */
  seconds: number
  /** The options in force, defaults filled in. */
  options: Record<string, unknown>
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
  /** What a person should know: skipped records, targets that got less than their share, ... */
  warnings: string[]
}

/** One raw file. */
export interface InputReport {
  /** Its name below the common folder of all inputs. */
  name: string
  /** Its path as it was found. */
  path: string
  /** Its size on disk. */
  bytes: number
  /** Good records. */
  records: number
  /** Records of enough tokens. */
  candidates: number
  /** Records kept. */
  kept: number
  /** Bad records passed over. */
  skipped: number
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

/** What a page can be told beside the selection. */
export interface PageOptions {
  /** The command line that ran, shown as it is. */
  command?: string
  /** The heading. Default: how many documents were kept of how many. */
  title?: string
}
