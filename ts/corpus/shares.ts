/**
 * How a number of documents is shared out among several targets.
 * @hidden
 * @module
 */
import { TamisError } from '../errors.js'
import { show } from '../options.js'

/** Which target took a document is a uint8. */
const MOST_TARGETS = 256

/** Proportions that fit the targets; they need not add up to 1. */
export function checkProportions(proportions: unknown, targets: number): number[] {
  if (targets > MOST_TARGETS) {
    throw new TamisError('ERR_TAMIS_RANGE', `targets must be at most ${MOST_TARGETS}, got ${targets}`)
  }
  const list = ArrayBuffer.isView(proportions) ? Array.from(proportions as Float64Array) : proportions
  const good =
    Array.isArray(list) &&
    list.length === targets &&
    list.every((share) => typeof share === 'number' && Number.isFinite(share) && share >= 0)
  const sum = good ? list.reduce((a, b) => a + b, 0) : 0
  if (good && sum > 0 && Number.isFinite(sum)) return list
  const want = `proportions must be ${targets} numbers >= 0, one a target, and not all 0`
  throw new TamisError(
    'ERR_TAMIS_RANGE',
    `${want}, got ${proportions === undefined ? 'none' : show(proportions)}`,
  )
}

/**
 * What each of several targets gets of `count`: `floor(count * share + 1e-6)`, the last one what is missing. A single
 * target needs no proportions.
 */
export function shareOut(count: number, targets: number, proportions: unknown): number[] {
  if (targets === 1 && proportions === undefined) return [count]
  const shares = checkProportions(proportions, targets)
  const sum = shares.reduce((a, b) => a + b, 0)
  const first = shares.slice(0, -1).map((share) => Math.floor((count * share) / sum + 1e-6))
  return [...first, count - first.reduce((a, b) => a + b, 0)]
}

/** More were asked for than there are. */
export function countExceeds(candidates: number, minTokens: number, count: number): TamisError {
  const most = `count exceeds the ${candidates} documents of at least ${minTokens} tokens`
  return new TamisError('ERR_TAMIS_RANGE', `${most}: ${count} were asked for`)
}
