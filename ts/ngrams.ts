/**
 * What everything that hashes n-grams is told.
 * @module
 */
import { checkCount, checkMemory } from './options.js'

/** Which n-grams are counted, and into how many buckets. */
export interface NgramOptions {
  /** The longest window in tokens, at least 1. Default 2. */
  ngrams?: number | undefined
  /** 1..2^32-1. Default 10000. */
  buckets?: number | undefined
}

/**
 * Checks `ngrams` and `buckets` and fills in their defaults.
 * @throws TamisError `ngrams must be`, `buckets must be`
 * @hidden
 */
export function ngramShape(o: NgramOptions): { ngrams: number; buckets: number } {
  return {
    ngrams: checkCount('ngrams', o.ngrams ?? 2, 1),
    buckets: checkCount('buckets', o.buckets ?? 10000, 1),
  }
}

/** A bucket's counts in work: a thread's own, the sum, and the result. */
const BUCKET_BYTES = 24

/**
 * Refuses more buckets than there is memory for, in so many rows of counts.
 * @hidden
 */
export function checkCounters(buckets: number, rows: number): void {
  checkMemory('buckets', buckets * rows * BUCKET_BYTES)
}
