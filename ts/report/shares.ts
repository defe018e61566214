/**
 * What share each of several names has of one thing, beside its share of another.
 * @hidden
 * @module
 */
import { formatCount, formatShare } from '../format.js'
import { drawPairs, type Pair } from './bars.js'
import type { Plotting } from './draw.js'
import { html, labelText, type Markup } from './html.js'

/** Names beyond these share one bar. */
const MOST_BARS = 20

/** A share in 0..1. */
export function partOf(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole
}

/** What bars are drawn of: the largest first, and the rest, if there are many, as one. */
export function mostOf<T>(items: readonly T[], size: (item: T) => number, join: (rest: T[]) => T): T[] {
  const sorted = [...items].sort((a, b) => size(b) - size(a))
  if (sorted.length <= MOST_BARS + 1) return sorted
  return [...sorted.slice(0, MOST_BARS), join(sorted.slice(MOST_BARS))]
}

/** Two bars for each name, and what the colours mean. */
export function showShares(
  plotting: Plotting,
  shares: readonly Pair[],
  words: { each: string; raw: string; kept: string; axis: string },
): Markup {
  const { each, raw, kept, axis } = words
  const bars = mostOf(
    shares,
    (pair) => pair.raw,
    (rest) => ({
      name: `${formatCount(rest.length)} other ${each}s`,
      raw: rest.reduce((sum, pair) => sum + pair.raw, 0),
      kept: rest.reduce((sum, pair) => sum + pair.kept, 0),
    }),
  )
  const told = bars
    .slice(0, 5)
    .map(
      (pair) =>
        `${labelText(pair.name, 60)}: ${formatShare(pair.raw)} of the ${raw}, ${formatShare(pair.kept)} of the ${kept}.`,
    )
  return html`<figure><ul class="legend"><li><i></i>${raw}</li><li><i class="kept"></i>${kept}</li></ul>${drawPairs(
    plotting,
    bars,
    {
      label: `Bars: each ${each}'s share of the ${raw} and of the ${kept}. ${told.join(' ')}`,
      axis,
      share: true,
    },
  )}</figure>`
}
