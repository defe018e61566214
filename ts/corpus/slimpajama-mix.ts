/**
 * Mixtures of sources in wanted proportions.
 * @hidden
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkCount, checkMemory, checkOptions, parseSeed, type Seed, show } from '../options.js'
import { type Cancellable, later } from '../run.js'

/** How sources are mixed. */
export interface MixOptions {
  /** Of each source: documents are drawn in proportion to weight * count. Default 1 each. */
  weights?: readonly number[] | undefined
  /** In place of weights: the share of each source, of documents; need not add up to 1. */
  proportions?: readonly number[] | undefined
  /** With proportions: the mean tokens of each source's documents, where the shares are of tokens. */
  meanTokens?: readonly number[] | undefined
  /** How many documents to draw. Default: the sum of weight * count, or with proportions the sum of the counts. */
  total?: number | undefined
  /** An integer 0..2^64-1. Default 0. */
  seed?: Seed | undefined
}

/** A mixture, in order. */
export interface Mixed {
  /** [total]: the source of each document. */
  source: Uint32Array
  /** [total]: its place within the source. */
  index: Uint32Array
  /** [sources]: the chance of each source; they add up to 1. */
  probability: Float64Array
  /** [sources]: how often each source was gone through. */
  epochs: Float64Array
}

/**
 * Mixes sources: draws the source of every document by its probability (`uniform64` of stream 0), and its documents in epochs, each a permutation
 * of the source (streams 1 + source + sources * epoch). O(total * log(sources)).
 * @param counts - documents of each source
 * @throws TamisError `counts`, `weights` and `proportions` (negative, all zero, of another length, or both given), `meanTokens`, `total`, `seed`
 * @example
 * import { corpus } from 'tamis'
 * const { source, index, epochs } = await corpus.mixSources([1000, 10], { weights: [1, 5] }) // 1050 documents, 5 epochs of source 1
 */
export async function mixSources(
  counts: readonly number[] | Uint32Array,
  options?: MixOptions & Cancellable,
): Promise<Mixed> {
  const o = checkOptions('options', options, [
    'weights',
    'proportions',
    'meanTokens',
    'total',
    'seed',
    'signal',
  ])
  const sizes = Uint32Array.from(checkList('counts', counts), (n) => checkCount('counts', n))
  const parts = shares(sizes, o)
  const seed = parseSeed(o.seed)
  const sum = parts.reduce((all, part) => all + part, 0)
  const documents = o.proportions ? sizes.reduce((all, n) => all + n, 0) : Math.floor(sum + 1e-6)
  const total = checkCount('total', o.total ?? documents)
  if (sum === 0 && total > 0) {
    throw new TamisError('ERR_TAMIS_RANGE', `counts must not all be 0 where total is ${total}`)
  }
  checkMemory('total', 8 * total)
  const probability = parts.map((part) => (sum === 0 ? 0 : part / sum))
  return later(
    {
      call: (job) => native.mixSources(probability, sizes, total, seed, job),
      finish: ({ source, index, epochs }) => ({ source, index, probability, epochs }),
    },
    o.signal,
  )
}

/** What the probabilities are in proportion to. */
function shares(counts: Uint32Array, o: MixOptions): Float64Array {
  if (o.weights !== undefined && o.proportions !== undefined) {
    throw new TamisError('ERR_TAMIS_RANGE', 'weights and proportions must not both be given')
  }
  if (o.meanTokens !== undefined && o.proportions === undefined) {
    throw new TamisError('ERR_TAMIS_RANGE', 'meanTokens must be given with proportions only')
  }
  if (o.proportions === undefined) {
    const weights = checkShares('weights', o.weights ?? Array.from(counts, () => 1), counts.length)
    return Float64Array.from(weights, (weight, i) => weight * (counts[i] as number))
  }
  const wanted = checkShares('proportions', o.proportions, counts.length)
  const empty = wanted.findIndex((share, i) => share > 0 && counts[i] === 0)
  if (empty >= 0) {
    throw new TamisError(
      'ERR_TAMIS_RANGE',
      `counts[${empty}] must be above 0, since its proportion is, got 0`,
    )
  }
  if (o.meanTokens === undefined) return wanted
  const tokens = checkShares('meanTokens', o.meanTokens, counts.length)
  const none = tokens.findIndex((mean, i) => mean === 0 && (wanted[i] as number) > 0)
  if (none < 0) return wanted.map((share, i) => (share === 0 ? 0 : share / (tokens[i] as number)))
  throw new TamisError('ERR_TAMIS_RANGE', `meanTokens[${none}] must be above 0, got 0`)
}

function checkList<T>(name: string, list: ArrayLike<T>): ArrayLike<T> {
  if (Array.isArray(list) || (ArrayBuffer.isView(list) && 'length' in list)) return list
  throw new TamisError('ERR_TAMIS_TYPE', `${name} must be a list of numbers, got ${show(list)}`)
}

/** One number >= 0 for each source, not all 0. */
function checkShares(name: string, list: readonly number[], sources: number): Float64Array {
  const checked = Float64Array.from(checkList(name, list), (share, i) => {
    if (typeof share === 'number' && Number.isFinite(share) && share >= 0) return share
    throw new TamisError('ERR_TAMIS_RANGE', `${name}[${i}] must be a finite number >= 0, got ${show(share)}`)
  })
  if (checked.length !== sources) {
    const want = `${name} must hold a number for each of the ${sources} sources`
    throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got ${checked.length}`)
  }
  if (sources > 0 && checked.every((share) => share === 0)) {
    throw new TamisError('ERR_TAMIS_RANGE', `${name} must not all be 0`)
  }
  return checked
}
