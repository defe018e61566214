/**
 * How texts are signed: what the kernel and the recipes over it share.
 * @hidden
 * @module
 */
import { checkCount, checkInteger, checkNumber, parseSeed, type Seed } from './options.js'

/** What a MinHash signature is of. */
export interface MinHashOptions {
  /** Characters of a shingle, at least 1. Default 13. */
  ngram?: number | undefined
  /** Values of a signature, 1..4096. Default 128. */
  numPerm?: number | undefined
  /** Of the permutations: an integer 0..2^64-1. Default 0. */
  seed?: Seed | undefined
}

/** {@link MinHashOptions}, checked, with their defaults. */
export function minHashShape(o: MinHashOptions): { ngram: number; numPerm: number; seed: bigint } {
  return {
    ngram: checkCount('ngram', o.ngram ?? 13, 1),
    numPerm: checkNumPerm(o.numPerm),
    seed: parseSeed(o.seed),
  }
}

/** A number of permutations. */
export function checkNumPerm(numPerm: unknown): number {
  return checkInteger('numPerm', numPerm ?? 128, 1, 4096)
}

/** A Jaccard similarity from which on texts count as duplicates. */
export function checkThreshold(threshold: unknown): number {
  return checkNumber('threshold', threshold, { above: 0, below: 1 })
}
