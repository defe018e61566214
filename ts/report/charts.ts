/**
 * Drawings of distributions and of shifts.
 * @hidden
 * @module
 */
import { formatCount } from '../format.js'
import { draw, type Plotting } from './draw.js'
import type { Markup } from './html.js'

/** Shares of `values` between consecutive `edges`; what lies outside counts in the whole but in no bin. */
function histogram(values: ArrayLike<number>, edges: readonly number[]): number[] {
  const shares = new Array<number>(edges.length - 1).fill(0)
  for (let i = 0; i < values.length; i++) {
    const bin = findBin(edges, values[i] as number)
    if (bin !== undefined) shares[bin] = (shares[bin] as number) + 1 / values.length
  }
  return shares
}

function findBin(edges: readonly number[], value: number): number | undefined {
  const last = edges.length - 2
  if (!(value >= (edges[0] as number) && value <= (edges[last + 1] as number))) return undefined
  let low = 0
  let high = last
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (value >= (edges[middle] as number)) low = middle
    else high = middle - 1
  }
  return low
}

/** The value below which a share of the values lies; NaN of none. */
export function quantile(values: ArrayLike<number>, share: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted.length === 0 ? Number.NaN : (sorted[Math.floor(share * (sorted.length - 1))] as number)
}

/** Numbers of the raw corpus and of the kept, of one kind. */
export interface Samples {
  raw: ArrayLike<number>
  kept: ArrayLike<number>
}

/** Two distributions over one axis. */
export interface Distributions {
  drawing: Markup
  /** Of all values, the share that the axis leaves out. */
  outside: number
}

/**
 * Two histograms over one axis: the raw corpus filled, the kept in front of it, their medians marked. The axis
 * leaves out the outermost values where they would squeeze all others together.
 */
export function drawDistributions(
  plotting: Plotting,
  samples: Samples,
  options: { label: string; axis: string; logarithmic: boolean },
): Distributions {
  const edges = chooseEdges(samples, options.logarithmic, 48)
  const [low, high] = [edges[0] as number, edges.at(-1) as number]
  const bins = (values: ArrayLike<number>) =>
    histogram(values, edges).map((share, i) => ({
      from: edges[i] as number,
      to: edges[i + 1] as number,
      share,
    }))
  const raw = bins(samples.raw)
  const kept = bins(samples.kept)
  const medians = [
    { value: quantile(samples.raw, 0.5), stroke: 'var(--raw-strong)' },
    { value: quantile(samples.kept, 0.5), stroke: 'var(--kept)' },
  ].filter(({ value }) => value >= low && value <= high)
  const drawing = draw(plotting, options.label, ({ narrow }) => ({
    height: narrow ? 230 : 300,
    marginLeft: 44,
    marginRight: 12,
    marginBottom: 40,
    x: {
      label: options.axis,
      type: options.logarithmic ? 'log' : 'linear',
      domain: [low, high],
      ticks: narrow ? 4 : 8,
      tickFormat: options.logarithmic ? '~s' : undefined,
    },
    y: { label: 'Share of documents (%)', percent: true, grid: true, ticks: 5, nice: true },
    marks: [
      plotting.rectY(raw, { x1: 'from', x2: 'to', y: 'share', fill: 'var(--raw)', inset: 0.4 }),
      plotting.rectY(kept, {
        x1: 'from',
        x2: 'to',
        y: 'share',
        fill: 'var(--kept)',
        fillOpacity: 0.5,
        stroke: 'var(--kept)',
        strokeWidth: 1,
        inset: 0.4,
        filter: (bin: { share: number }) => bin.share > 0,
      }),
      plotting.ruleX(medians, { x: 'value', stroke: 'stroke', strokeWidth: 1.5, strokeDasharray: '5 3' }),
    ],
    color: { type: 'identity' },
  }))
  const all = samples.raw.length + samples.kept.length
  const inside = (shares: { share: number }[], n: number) =>
    shares.reduce((sum, bin) => sum + bin.share, 0) * n
  const outside = all - inside(raw, samples.raw.length) - inside(kept, samples.kept.length)
  return { drawing, outside: all === 0 ? 0 : Math.max(0, outside / all) }
}

/** Borders of equal bins (of equal ratios on a logarithmic axis) over what most of both samples cover. */
function chooseEdges(samples: Samples, logarithmic: boolean, bins: number): number[] {
  const forward = (x: number) => (logarithmic ? Math.log(Math.max(x, 1)) : x)
  const back = (x: number) => (logarithmic ? Math.exp(x) : x)
  const ranges = [samples.raw, samples.kept]
    .filter(({ length }) => length > 0)
    .map((values) => mostOf(values, forward))
  if (ranges.length === 0) return logarithmic ? [1, 10] : [0, 1]
  let low = Math.min(...ranges.map((range) => range.low))
  let high = Math.max(...ranges.map((range) => range.high))
  if (!(high > low)) {
    low -= 0.5
    high += 0.5
  }
  return Array.from({ length: bins + 1 }, (_, i) => back(low + ((high - low) * i) / bins))
}

/** From the least to the largest value, but no further from the median than four times the outer deciles. */
function mostOf(values: ArrayLike<number>, forward: (x: number) => number): { low: number; high: number } {
  const at = (share: number) => forward(quantile(values, share))
  const median = at(0.5)
  return {
    low: Math.max(at(0), median - 4 * (median - at(0.1))),
    high: Math.min(at(1), median + 4 * (at(0.9) - median)),
  }
}

/** A shift to the right or to the left, and where the target stands. */
export interface Shift {
  name: string
  value: number
  target: number
}

/** Bars to both sides of zero, with a ring where the target would have them. */
export function drawShifts(
  plotting: Plotting,
  shifts: readonly Shift[],
  options: { label: string; axis: string; shorten: (name: string, length: number) => string },
): Markup {
  const rows = shifts.map((shift, row) => ({
    ...shift,
    row,
    fill: shift.value < 0 ? 'var(--lost)' : 'var(--kept)',
  }))
  return draw(plotting, options.label, ({ narrow }) => ({
    height: rows.length * 21 + 54,
    marginTop: 8,
    marginLeft: narrow ? 116 : 200,
    marginRight: 14,
    marginBottom: 42,
    x: { label: options.axis, grid: true, ticks: narrow ? 4 : 9 },
    y: {
      domain: rows.map(({ row }) => row),
      label: null,
      tickSize: 0,
      tickFormat: (row: number) => options.shorten(rows[row]?.name ?? '', narrow ? 15 : 28),
      padding: 0.3,
    },
    color: { type: 'identity' },
    marks: [
      plotting.barX(rows, { x: 'value', y: 'row', fill: 'fill' }),
      plotting.dot(rows, {
        x: 'target',
        y: 'row',
        r: 3.5,
        stroke: 'var(--ink)',
        fill: 'var(--paper)',
        strokeWidth: 1.5,
      }),
      plotting.ruleX([0], { stroke: 'var(--ink)' }),
    ],
  }))
}

/** Things of about one size: how many there are. */
export interface SizeClass {
  from: number
  to: number
  count: number
}

/** The powers of `base` from one of them on. */
function powers(base: number, from: number, to: number): number[] {
  const all: number[] = []
  for (let power = from; power <= to; power *= base) all.push(power)
  return all
}

/** A column for each class of sizes, both axes logarithmic, with the counts above them. */
export function drawSizes(
  plotting: Plotting,
  classes: readonly SizeClass[],
  options: { label: string; axis: string; counted: string },
): Markup {
  const bars = classes
    .filter(({ count }) => count > 0)
    .map(({ from, to, count }) => ({
      from,
      to: to + 1,
      middle: Math.sqrt(from * (to + 1)),
      count,
      text: formatCount(count),
    }))
  const most = bars.reduce((max, { count }) => Math.max(max, count), 1)
  const low = bars.reduce((min, { from }) => Math.min(min, from), Number.MAX_SAFE_INTEGER)
  // A few columns alone would be as wide as walls.
  const high = bars.reduce((max, { to }) => Math.max(max, to), 32 * low)
  const edges = powers(2, low, high)
  return draw(plotting, options.label, ({ narrow }) => ({
    height: narrow ? 230 : 280,
    marginLeft: 52,
    marginRight: 16,
    marginTop: 24,
    marginBottom: 40,
    x: {
      label: options.axis,
      type: 'log',
      base: 2,
      domain: [low, high],
      ticks: edges.filter((_, i) => i % Math.ceil(edges.length / (narrow ? 6 : 14)) === 0),
      tickFormat: (edge: number) => (edge < 1e5 ? formatCount(edge) : `2^${Math.log2(edge)}`),
    },
    // A column of one must be seen: the axis begins below 1.
    y: {
      label: options.counted,
      type: 'log',
      domain: [0.7, most * 1.3],
      ticks: powers(10, 1, most),
      tickFormat: '~s',
      grid: true,
    },
    marks: [
      plotting.rectY(bars, { x1: 'from', x2: 'to', y1: 0.7, y2: 'count', fill: 'var(--lost)', inset: 0.75 }),
      // On a narrow page the numbers of many columns would run into each other.
      plotting.text(narrow && bars.length > 6 ? [] : bars, {
        x: 'middle',
        y: 'count',
        text: 'text',
        dy: -8,
        fill: 'var(--ink)',
      }),
    ],
  }))
}
