/**
 * Repeated sampling of random subsets (Okanovic, Waleffe, Mageirakos, Nikolakakis, Karbasi, Kalogerias, Gürel,
 * Rekatsinas, "Repeated Random Sampling for Minimizing the Time-to-Accuracy of Learning", ICLR 2024): each round trains
 * on another random fraction of the data. It costs nothing, and is what every pruning method has to beat at equal
 * training time.
 *
 * The authors' code loses a row at the border of two passes and draws from a global generator; here a round goes on
 * in the next permutation without losing or repeating rows, and every round is addressed by its number.
 * @module
 */
import { fromCall, TamisError } from '../errors.js'
import { native } from '../native.js'
import type { NativeRounds } from '../native-linear.js'
import {
  checkBoolean,
  checkCount,
  checkMemory,
  checkOptions,
  parseSeed,
  type Seed,
  show,
} from '../options.js'
import { checkTensor, type Tensor } from '../tensor.js'

/** How many rows a round has, and from which seed. */
export interface SubsetOptions {
  /** The share of the rows, in (0, 1]: times their number, rounded half to even, at least 1. Default 0.1. */
  ratio?: number | undefined
  /** The number of rows, in place of `ratio`. */
  count?: number | undefined
  /** uint32 [n]: every class gives its share of each round (with `ratio`; a small class may give none). */
  classes?: Tensor | undefined
  /** An integer 0..2^64-1. Default 0. */
  seed?: Seed | undefined
}

/** {@link SubsetOptions}, and whether a row can come again before all others came. */
export interface RandomSubsetsOptions extends SubsetOptions {
  /** `true` draws each round afresh. Default `false`: every row is used once for each n rows drawn. */
  replacement?: boolean | undefined
}

const SUBSET = ['ratio', 'count', 'classes', 'seed'] as const
/** Half of the streams number rounds; the others order them. */
const LAST_ROUND = 2 ** 31 - 1

function rounds(n: number, o: SubsetOptions, replacement: boolean): NativeRounds {
  const rows = checkCount('n', n, 1)
  checkMemory('n', 20 * rows)
  const { ratio, count } = o
  if (ratio !== undefined && count !== undefined) {
    throw new TamisError('ERR_TAMIS_TYPE', 'count and ratio exclude each other: give one of them')
  }
  if (ratio !== undefined && !(typeof ratio === 'number' && ratio > 0 && ratio <= 1)) {
    throw new TamisError('ERR_TAMIS_RANGE', `ratio must be in (0, 1], got ${show(ratio)}`)
  }
  if (count !== undefined && !(Number.isInteger(count) && count >= 1 && count <= rows)) {
    throw new TamisError('ERR_TAMIS_RANGE', `count must be an integer from 1 to ${rows}, got ${show(count)}`)
  }
  if (o.classes !== undefined && count !== undefined) {
    throw new TamisError('ERR_TAMIS_TYPE', 'classes go with ratio, not with count')
  }
  const classes = o.classes && checkTensor('classes', o.classes, { types: ['uint32'], dims: [rows] }).data
  try {
    return new native.Rounds(rows, count, ratio ?? 0.1, classes, replacement, parseSeed(o.seed))
  } catch (error) {
    throw fromCall(error)
  }
}

function asTensor(data: Uint32Array): Tensor<'uint32'> {
  return { type: 'uint32', dims: [data.length], data }
}

/**
 * The rows of each round, in the order to train in. Train as before, as many rounds as the full run has epochs, with
 * the learning-rate schedule stretched over the rounds actually run. A pass over n rows costs O(n log n), a round with
 * replacement O(n); 12 bytes a row.
 * @throws TamisError `n must be`, `ratio must be in (0, 1]`, `count`, `classes`, `ratio selects no row of any class`,
 * `seed`
 * @example
 * import { training } from 'tamis'
 * const subsets = new training.RandomSubsets(10, { ratio: 0.4, seed: 6 })
 * console.log(subsets.next().data) // Uint32Array(4) [ 8, 9, 4, 6 ]
 * subsets.seek(0) // as after a restart: no state file is needed
 * console.log(subsets.round, subsets.size) // 0 4
 */
export class RandomSubsets {
  readonly #rounds: NativeRounds

  /** @param n - rows, 1..2^32-1 */
  constructor(n: number, options?: RandomSubsetsOptions) {
    const o = checkOptions('options', options, [...SUBSET, 'replacement'])
    this.#rounds = rounds(n, o, checkBoolean('replacement', o.replacement, false))
  }

  /** The rows of the next round: uint32 [size]. */
  next(): Tensor<'uint32'> {
    if (this.round > LAST_ROUND) {
      throw new TamisError(
        'ERR_TAMIS_RANGE',
        `round must be an integer from 0 to ${LAST_ROUND}: none is left`,
      )
    }
    try {
      return asTensor(this.#rounds.next())
    } catch (error) {
      throw fromCall(error)
    }
  }

  /**
   * Makes `round` the next: at once with replacement, else by going through the rounds before it (O(n log n) a pass).
   * @throws TamisError `round must be`
   */
  seek(round: number): void {
    if (!(Number.isInteger(round) && round >= 0 && round <= LAST_ROUND)) {
      const want = `round must be an integer from 0 to ${LAST_ROUND}`
      throw new TamisError('ERR_TAMIS_RANGE', `${want}, got ${show(round)}`)
    }
    try {
      this.#rounds.seek(round)
    } catch (error) {
      throw fromCall(error)
    }
  }

  /** The number of the next round. */
  get round(): number {
    return this.#rounds.round
  }

  /** Rows of a round. */
  get size(): number {
    return this.#rounds.size
  }
}

/**
 * One static random subset, round 0 with replacement: uint32 [k]. The usual baseline. O(n).
 * @param n - rows, 1..2^32-1
 * @throws TamisError as {@link RandomSubsets}
 * @example
 * import { training } from 'tamis'
 * const subset = training.drawSubset(50, { ratio: 0.3, seed: 4 })
 * console.log(subset.dims) // [ 15 ]
 */
export function drawSubset(n: number, options?: SubsetOptions): Tensor<'uint32'> {
  const drawn = rounds(n, checkOptions('options', options, SUBSET), true)
  try {
    return asTensor(drawn.next())
  } catch (error) {
    throw fromCall(error)
  }
}
