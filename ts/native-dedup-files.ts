/**
 * What the addon offers to find duplicates in files, typed.
 * @hidden
 * @module
 */
import type { NativeJob } from './native.js'
import type { NativePlaces } from './native-corpus.js'
import type {
  NativeCorpus,
  NativeFileTotals,
  NativeOutput,
  NativeState,
  NativeWritten,
} from './native-files.js'

/** What the marking pass saw of one corpus. */
export interface NativeSeen {
  files: NativeFileTotals[]
  bad: string[]
  bytesRead: number
  /** SHA-256 of each file. */
  hashes: (string | null)[]
}

/** Marked documents. */
export interface NativeDigested {
  /** Of each corpus; the last one is the one that is written. */
  seen(): NativeSeen[]
  /** Bytes that finding the groups goes through. */
  linkBytes(): number
}

/** Documents, and which of them are the same. */
export interface NativeDuplicates {
  /** The documents that are written, in order. */
  kept(): Uint32Array
  counts(): {
    /** Documents of each file. */
    kept: number[]
    /** Documents dropped because of one that is only compared with. */
    matched: number
    /** Groups of two and more. */
    clusters: number
  }
}

/** Where a document lies. */
export interface NativeDocumentPlace {
  /** Among the files that are only compared with. */
  against: boolean
  file: number
  record: number
}

/** What a person is told of groups. */
export interface NativeGroupSurvey {
  /** Groups of 2^i to 2^(i + 1) - 1 documents of which one is written, at i. */
  sizes: { groups: number; documents: number }[]
  largest: { documents: number; place: NativeDocumentPlace }[]
  /** Dropped documents, and what stands for them. */
  pairs: { dropped: NativeDocumentPlace; kept: NativeDocumentPlace }[]
  /** Of each file, how many were dropped for a document of their source, of another, and for one that is only compared with. */
  reasons: { within: number; across: number; matched: number }[]
  /** The documents of all these in the corpus that is written, ascending. */
  shown: Uint32Array
}

export interface NativeDedupFiles {
  /** Marks the documents; those of `against` are only compared with. */
  digestCorpora(
    against: NativeCorpus | undefined,
    corpus: NativeCorpus,
    options: {
      /** Of exact duplicates: clean the texts first. */
      clean: boolean
      /** Undefined: exact duplicates. */
      near:
        | {
            ngram: number
            numPerm: number
            seed: bigint
            bands: number
            rows: number
            /** The least estimated Jaccard similarity of a link, where that is verified. */
            verify: number | undefined
          }
        | undefined
      /** Of each file, where documents are compared within a source alone. */
      sources: number[] | undefined
      memory: number
      threads: number | undefined
    },
    state: NativeState | undefined,
    job: NativeJob,
  ): Promise<NativeDigested>
  /** Uses the marks up. */
  findDuplicates(
    digested: NativeDigested,
    state: NativeState | undefined,
    job: NativeJob,
  ): Promise<NativeDuplicates>
  /** Groups records of one cluster (`labels`) whose vectors, [records, width], have a high cosine. */
  findSimilar(
    places: NativePlaces,
    vectors: Float32Array,
    labels: Uint32Array,
    options: { threshold: number; sources: number[] | undefined },
    job: NativeJob,
  ): Promise<NativeDuplicates>
  /** Looks at groups; `sources` are those of the files that are written, `most` groups and pairs are named. */
  surveyDuplicates(
    duplicates: NativeDuplicates,
    sources: Uint32Array,
    most: number,
    job: NativeJob,
  ): Promise<NativeGroupSurvey>
  /** Writes one document of each group to the output, if there is one; `highest` of the result are those of `shown`. */
  writeDistinct(
    corpus: NativeCorpus,
    duplicates: NativeDuplicates,
    shown: Uint32Array,
    output: NativeOutput | undefined,
    threads: number | undefined,
    job: NativeJob,
  ): Promise<NativeWritten>
  writeClusters(
    path: string,
    against: NativeCorpus | undefined,
    corpus: NativeCorpus,
    duplicates: NativeDuplicates,
    force: boolean,
    job: NativeJob,
  ): Promise<void>
}
