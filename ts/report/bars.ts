/**
 * Drawings of bars, a row for each name.
 * @hidden
 * @module
 */
import { formatShare, formatSignificant } from '../format.js'
import { draw, type Page, type Plotting } from './draw.js'
import { type Markup, pathLabels } from './html.js'

/**
 * Where the rows of this height stand, and the mark that names them: beside the bars, on a narrow page above them, where
 * the name takes its room from the padding.
 */
function layRows(plotting: Plotting, names: readonly string[], { narrow }: Page, height: number) {
  const labels = pathLabels(names, narrow ? 44 : 30).map((name, row) => ({ row, name }))
  return {
    options: {
      height: names.length * (narrow ? height + 14 : height) + 50,
      marginTop: 8,
      marginLeft: narrow ? 4 : 220,
      marginRight: 58,
      marginBottom: 40,
      fy: { axis: null, domain: labels.map(({ row }) => row), padding: narrow && height < 40 ? 0.45 : 0.28 },
      color: { type: 'identity' },
    } as const,
    ticks: narrow ? 4 : 8,
    mark: plotting.text(labels, {
      fy: 'row',
      text: 'name',
      frameAnchor: narrow ? 'top-left' : 'left',
      textAnchor: narrow ? 'start' : 'end',
      dx: narrow ? 0 : -10,
      dy: narrow ? -13 : 0,
      fill: 'var(--ink)',
    }),
  }
}

/** One thing measured in the raw corpus and in the kept, or of another two. */
export interface Pair {
  name: string
  raw: number
  kept: number
}

/** Two bars for each name: the raw corpus above, the kept below it, their values at the ends. */
export function drawPairs(
  plotting: Plotting,
  pairs: readonly Pair[],
  options: { label: string; axis: string; share: boolean },
): Markup {
  const scale = options.share ? 100 : 1
  const format = options.share ? formatShare : formatSignificant
  const bars = pairs.flatMap(({ raw, kept }, row) => [
    { row, place: 0, value: raw * scale, fill: 'var(--raw)', text: format(raw) },
    { row, place: 1, value: kept * scale, fill: 'var(--kept)', text: format(kept) },
  ])
  const names = pairs.map((pair) => pair.name)
  return draw(plotting, options.label, (page) => {
    const rows = layRows(plotting, names, page, 40)
    return {
      ...rows.options,
      x: { label: options.axis, grid: true, ticks: rows.ticks, zero: true },
      y: { axis: null, domain: [0, 1], padding: 0.08 },
      marks: [
        plotting.barX(bars, { x: 'value', y: 'place', fy: 'row', fill: 'fill' }),
        plotting.text(bars, {
          x: 'value',
          y: 'place',
          fy: 'row',
          text: 'text',
          textAnchor: 'start',
          dx: 5,
          fill: 'var(--ink)',
        }),
        rows.mark,
      ],
    }
  })
}

/** A bar of several parts, one behind the other, and what stands at its end. */
export interface Stack {
  name: string
  parts: readonly { value: number; fill: string }[]
  text: string
}

/** A bar for each name. `rule` is a value to compare the bars with. */
export function drawStacks(
  plotting: Plotting,
  stacks: readonly Stack[],
  options: { label: string; axis: string; rule?: number },
): Markup {
  const parts = stacks.flatMap((stack, row) => {
    let end = 0
    return stack.parts.map(({ value, fill }) => {
      const start = end
      end += value
      return { row, start, end, fill }
    })
  })
  const ends = stacks.map((stack, row) => ({
    row,
    end: stack.parts.reduce((sum, { value }) => sum + value, 0),
    text: stack.text,
  }))
  const names = stacks.map((stack) => stack.name)
  return draw(plotting, options.label, (page) => {
    const rows = layRows(plotting, names, page, 30)
    return {
      ...rows.options,
      x: { label: options.axis, grid: true, ticks: rows.ticks, zero: true },
      marks: [
        plotting.barX(parts, { x1: 'start', x2: 'end', fy: 'row', fill: 'fill' }),
        plotting.ruleX(options.rule === undefined ? [] : [options.rule], {
          stroke: 'var(--ink)',
          strokeDasharray: '5 3',
        }),
        plotting.text(ends, {
          x: 'end',
          fy: 'row',
          text: 'text',
          textAnchor: 'start',
          dx: 5,
          fill: 'var(--ink)',
          // The rule may run behind it.
          stroke: 'var(--paper)',
          strokeWidth: 4,
        }),
        rows.mark,
      ],
    }
  })
}
