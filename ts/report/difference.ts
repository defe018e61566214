/**
 * The section of a report that draws how the kept differ from the raw corpus.
 * @hidden
 * @module
 */
import { formatCount, formatShare, formatSignificant } from '../format.js'
import { drawPairs } from './bars.js'
import { drawDistributions, drawShifts, quantile, type Samples } from './charts.js'
import type { BucketShift, SelectionReport } from './data.js'
import type { Plotting } from './draw.js'
import { documentText, html, labelText, type Markup } from './html.js'
import { partOf, showShares } from './shares.js'

const RAW = html`<li><i></i>raw candidates</li>`
const KEPT = html`<li><i class="kept"></i>kept</li>`
const PAIRED = html`<ul class="legend">${RAW}${KEPT}</ul>`
const HISTOGRAMS = html`<ul class="legend">${RAW}${KEPT}<li><i class="dash"></i>median</li></ul>`

/** All drawings of a report. */
export function showDifference(report: SelectionReport, plotting: Plotting): Markup {
  return html`<section id="difference"><h2>How the kept differ</h2>
${showWeights(report, plotting)}
${showLengths(report, plotting)}
${showSources(report, plotting)}
${showDivergence(report, plotting)}
${showBuckets(report, plotting)}
</section>`
}

/** What the divergence from the target did, in a sentence; empty where it was not measured. */
export function describeDivergence({ kl, klReduction }: SelectionReport): string {
  if (kl.length === 0 || klReduction === undefined) return ''
  const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length
  const raw = mean(kl.map((k) => k.raw))
  const selected = mean(kl.map((k) => k.selected))
  const change = `from ${formatSignificant(raw)} to ${formatSignificant(selected)}`
  return klReduction > 0
    ? `The kept are nearer to the target: divergence falls ${change}, by ${formatShare(klReduction / raw)}`
    : `The kept are no nearer to the target: divergence goes ${change}`
}

function outsideNote(outside: number): string {
  return outside > 0.0005 ? ` ${formatShare(outside)} of the documents lie beyond the ends of the axis.` : ''
}

function showWeights(report: SelectionReport, plotting: Plotting): Markup | false {
  const { weights, lengths, score } = report
  if (weights.raw.length === 0) return false
  const whole = medians(weights, formatSignificant)
  if (score !== undefined) {
    const { drawing, outside } = drawDistributions(plotting, weights, {
      label: `Histogram of scores (${score}). ${whole}`,
      axis: score,
      logarithmic: false,
    })
    return html`<h3>${score}</h3>
<p class="note">${whole}${outsideNote(outside)}</p>
<figure>${HISTOGRAMS}${drawing}</figure>`
  }
  const summed = drawDistributions(plotting, weights, {
    label: `Histogram of log importance weights. ${whole}`,
    axis: 'Log importance weight (nats)',
    logarithmic: false,
  })
  const each = { raw: perToken(weights.raw, lengths.raw), kept: perToken(weights.kept, lengths.kept) }
  const divided = drawDistributions(plotting, each, {
    label: `Histogram of log importance weights divided by length. ${medians(each, formatSignificant)}`,
    axis: 'Log importance weight per token (nats)',
    logarithmic: false,
  })
  return html`<h3>Importance weights</h3>
<p class="note">How much likelier a document's words are in the target than in the raw corpus. ${whole}${outsideNote(summed.outside)}</p>
<figure>${HISTOGRAMS}${summed.drawing}</figure>
<p class="note apart">The same divided by each document's length, as long documents get extreme weights. ${medians(each, formatSignificant)}${outsideNote(divided.outside)}</p>
<figure>${HISTOGRAMS}${divided.drawing}</figure>`
}

function perToken(weights: ArrayLike<number>, lengths: ArrayLike<number>): Float64Array {
  return Float64Array.from(weights, (weight, i) => weight / Math.max(lengths[i] as number, 1))
}

function medians({ raw, kept }: Samples, format: (x: number) => string): string {
  const median = (values: ArrayLike<number>) => (values.length === 0 ? 'none' : format(quantile(values, 0.5)))
  return `The median is ${median(raw)} among the raw candidates and ${median(kept)} among the kept.`
}

function showLengths({ lengths }: SelectionReport, plotting: Plotting): Markup {
  const { drawing, outside } = drawDistributions(plotting, lengths, {
    label: `Histogram of document lengths. ${medians(lengths, formatCount)}`,
    axis: 'Length (tokens, logarithmic axis)',
    logarithmic: true,
  })
  return html`<h3>Lengths</h3>
<p class="note">In tokens. ${medians(lengths, formatCount)}${outsideNote(outside)} Where lengths vary a lot, cut documents to equal length before selecting.</p>
<figure>${HISTOGRAMS}${drawing}</figure>`
}

function showSources({ inputs, totals }: SelectionReport, plotting: Plotting): Markup {
  const shares = inputs.map(({ name, candidates, kept }) => ({
    name,
    raw: partOf(candidates, totals.candidates),
    kept: partOf(kept, totals.kept),
  }))
  return html`<h3>Where they come from</h3>
<p class="note">Each file's share of the candidates and of what was kept, largest file first.</p>
${showShares(plotting, shares, { each: 'file', raw: 'raw candidates', kept: 'kept', axis: 'Share of documents (%)' })}`
}

function showDivergence(report: SelectionReport, plotting: Plotting): Markup | false {
  if (report.kl.length === 0) return false
  const pairs = report.kl.map(({ target, raw, selected }) => ({
    name: targetName(target),
    raw,
    kept: selected,
  }))
  return html`<h3>Distance from the target</h3>
<p class="note">Kullback-Leibler divergence of the target's n-grams from those of the raw corpus and of the kept: 0 where both have the same statistics.</p>
<figure>${PAIRED}${drawPairs(plotting, pairs, {
    label: `Bars: divergence of each target from the raw corpus and from the kept. ${describeDivergence(report)}.`,
    axis: 'KL(target‖corpus) (nats)',
    share: false,
  })}</figure>`
}

/** A target that was given no name has a number. */
export function targetName(name: string): string {
  return /^\d+$/.test(name) ? `target ${Number(name) + 1}` : name
}

function showBuckets({ buckets }: SelectionReport, plotting: Plotting): Markup | false {
  const shifts = [...buckets.gained, ...[...buckets.lost].reverse()]
  if (shifts.length === 0) return false
  const rows = shifts.map((shift) => ({
    name: bucketName(shift),
    value: (shift.kept - shift.raw) * 1e4,
    target: (shift.target - shift.raw) * 1e4,
  }))
  const ends = `Gained most: ${labelText(rows[0]?.name ?? '', 60)}. Lost most: ${labelText(rows.at(-1)?.name ?? '', 60)}.`
  const per = (share: number) => formatSignificant(share * 1e4)
  return html`<h3>Words and word pairs that gained and lost most</h3>
<p class="note">N-grams are counted in hashed buckets; a bucket is shown by the n-gram that falls into it most often. A ring marks the target's own share.</p>
<figure><ul class="legend"><li><i class="kept"></i>gained</li><li><i class="lost"></i>lost</li><li><i class="ring"></i>target</li></ul>${drawShifts(
    plotting,
    rows,
    {
      label: `Bars: the ${rows.length} buckets of n-grams whose share changed most. ${ends}`,
      axis: 'Change of share (n-grams per 10,000)',
      shorten: labelText,
    },
  )}</figure>
<details class="data"><summary>As a table</summary><div class="scroll" tabindex="0" role="region" aria-label="Buckets"><table><caption>N-grams per 10,000</caption>
<thead><tr><th scope="col">N-gram</th><th scope="col" class="n">Bucket</th><th scope="col" class="n">Raw</th><th scope="col" class="n">Kept</th><th scope="col" class="n">Target</th></tr></thead>
<tbody>${shifts.map(
    (shift) =>
      html`<tr><th scope="row"><bdi class="mono">${documentText(bucketName(shift))}</bdi></th><td class="n">${shift.bucket}</td><td class="n">${per(shift.raw)}</td><td class="n">${per(shift.kept)}</td><td class="n">${per(shift.target)}</td></tr>`,
  )}</tbody></table></div></details>`
}

function bucketName({ ngram, bucket }: BucketShift): string {
  return ngram ?? `bucket ${bucket}`
}
