/**
 * A set of texts in a few bits each.
 * @hidden
 * @module
 */
import { fromCall } from '../errors.js'
import { native } from '../native.js'
import type { NativeBloom } from '../native-dedup.js'
import { checkMemory, checkNumber, checkOptions, checkPositiveInteger } from '../options.js'
import { packTexts } from '../texts.js'

/** How large a {@link BloomFilter} is. */
export interface BloomOptions {
  /** How many texts it is for. */
  capacity: number
  /** The share of other texts that it takes for seen once it holds as many, in (0, 1). Default 0.01. */
  errorRate?: number | undefined
}

/**
 * A Bloom filter: a set of texts in `-log2(errorRate) / ln 2` bits each (9.6 at 0.01), that never forgets one and takes a share of
 * `errorRate` of others for seen. Bits are chosen by double hashing with 128-bit XXH3.
 * @throws TamisError `capacity`, `errorRate`
 * @example
 * import { corpus } from 'tamis'
 * const seen = new corpus.BloomFilter({ capacity: 1_000_000 })
 * console.log(seen.add(['a', 'b', 'a'])) // Uint8Array(3) [ 0, 0, 1 ]
 * console.log(seen.has(['b', 'c'])) // Uint8Array(2) [ 1, 0 ]
 */
export class BloomFilter {
  readonly #bits: NativeBloom

  constructor(options: BloomOptions) {
    const o = checkOptions('options', options, ['capacity', 'errorRate'])
    const capacity = checkPositiveInteger('capacity', o.capacity)
    const errorRate = checkNumber('errorRate', o.errorRate ?? 0.01, { above: 0, below: 1 })
    checkMemory('capacity', native.bloomBytes(capacity, errorRate))
    this.#bits = call(() => new native.Bloom(capacity, errorRate))
  }

  /**
   * Adds texts; tells for each, in order, whether all its bits were set before: 1 for a text that was seen.
   * @throws TamisError `texts`
   */
  add(texts: readonly string[]): Uint8Array {
    const packed = packTexts('texts', texts)
    return call(() => this.#bits.add(packed))
  }

  /**
   * Tells for each text whether it was seen, and adds none.
   * @throws TamisError `texts`
   */
  has(texts: readonly string[]): Uint8Array {
    const packed = packTexts('texts', texts)
    return call(() => this.#bits.has(packed))
  }
}

function call<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw fromCall(error)
  }
}
