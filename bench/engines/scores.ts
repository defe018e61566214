/**
 * What the engines that search must agree on.
 * @module
 */

/** Queries that every engine answers but the slowest. */
const CHECKED = 50

/** The mean score of the first queries. */
export function meanScore(scores: Float32Array, k: number): number {
  return scores.slice(0, CHECKED * k).reduce((sum, score) => sum + score, 0) / (CHECKED * k)
}
