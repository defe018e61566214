/**
 * The section of a report that says what was dropped for what, and of which source.
 * @hidden
 * @module
 */
import { formatCount, formatPlural } from '../format.js'
import { drawStacks, type Stack } from './bars.js'
import type { DedupCounts, DedupReport } from './data.js'
import type { Plotting } from './draw.js'
import { html, labelText, type Markup } from './html.js'
import { MOST_ROWS, shareOf, showTable } from './parts.js'
import { mostOf, partOf, showShares } from './shares.js'

type Counted = { name: string; records: number } & DedupCounts

/** What becomes of a record, and the colour of it. */
const OUTCOMES = [
  { of: 'kept', words: 'kept', fill: 'var(--kept)', swatch: 'kept' },
  { of: 'within', words: 'same as a record of its source', fill: 'var(--lost)', swatch: 'lost' },
  { of: 'across', words: 'same as a record of another source', fill: 'var(--raw-strong)', swatch: 'strong' },
  { of: 'matched', words: 'same as one only compared with', fill: 'var(--raw)', swatch: 'raw' },
] as const

/** Where the dropped come from, and what they are the same as. */
export function showDropped(report: DedupReport, plotting: Plotting): Markup {
  const { sources, inputs, totals } = report
  const bySource = sources.length > 1
  const parts: readonly Counted[] = bySource ? sources : inputs
  const each = bySource ? 'source' : 'file'
  const shares = parts.map(({ name, records, kept }) => ({
    name,
    raw: partOf(records, totals.records),
    kept: partOf(kept, totals.kept),
  }))
  return html`<section id="dropped"><h2>What was dropped</h2>
${showOutcomes(plotting, parts, each)}
${
  parts.length > 1 &&
  html`<h3>Where they come from</h3>
<p class="note">Each ${each}'s share of all records and of what was kept, largest first: what repeats itself loses weight.</p>
${showShares(plotting, shares, { each, raw: 'records', kept: 'kept', axis: 'Share of documents (%)' })}`
}
${showCounts(parts, each, totals.against > 0)}
</section>`
}

function showOutcomes(plotting: Plotting, parts: readonly Counted[], each: string): Markup {
  const all = join('all', parts)
  const rows = [
    all,
    ...(parts.length > 1
      ? mostOf(
          parts,
          ({ records }) => records,
          (rest) => join(`${formatCount(rest.length)} other ${each}s`, rest),
        )
      : []),
  ]
  const outcomes = OUTCOMES.filter(({ of }) => of === 'kept' || all[of] > 0)
  const stacks = rows.map(
    (row): Stack => ({
      name: row.name,
      parts: outcomes.map(({ of, fill }) => ({ value: 100 * partOf(row[of], row.records), fill })),
      text: row.records === 0 ? 'empty' : '',
    }),
  )
  const told = rows
    .slice(0, 6)
    .map(
      (row) =>
        `${labelText(row.name, 60)}: ${outcomes.map(({ of, words }) => `${shareOf(row[of], row.records)} ${words}`).join(', ')}.`,
    )
  return html`<h3>For what</h3>
<p class="note">${describeOutcomes(all)}</p>
<figure><ul class="legend">${outcomes.map(({ words, swatch }) => html`<li><i class="${swatch}"></i>${words}</li>`)}</ul>${drawStacks(
    plotting,
    stacks,
    { label: `Bars: what became of the records. ${told.join(' ')}`, axis: 'Share of the records (%)' },
  )}</figure>`
}

function describeOutcomes({ records, kept, within, across, matched }: Counted): string {
  if (records === kept) return 'Nothing was dropped: no two documents are the same.'
  const told = [
    within > 0 && `${formatCount(within)} for a record of their own source`,
    across > 0 && `${formatCount(across)} for a record of another source`,
    matched > 0 && `${formatCount(matched)} for one that was only compared with`,
  ].filter((words) => words !== false)
  return `${formatPlural(records - kept, 'record was', 'records were')} dropped: ${told.join(', ')}.`
}

function join(name: string, parts: readonly Counted[]): Counted {
  const sum = (of: keyof Omit<Counted, 'name'>) => parts.reduce((total, part) => total + part[of], 0)
  return {
    name,
    records: sum('records'),
    kept: sum('kept'),
    within: sum('within'),
    across: sum('across'),
    matched: sum('matched'),
  }
}

function showCounts(parts: readonly Counted[], each: string, compared: boolean): Markup {
  const number = (head: string, of: (part: Counted) => string) => ({ head, is: 'number', of }) as const
  const columns = [
    { head: each === 'source' ? 'Source' : 'File', is: 'name', of: ({ name }: Counted) => name } as const,
    number('Records', ({ records }) => formatCount(records)),
    number('Kept', ({ kept }) => formatCount(kept)),
    number('Share kept', ({ kept, records }) => shareOf(kept, records)),
    number('Dropped', ({ kept, records }) => formatCount(records - kept)),
    number('For its own', ({ within }) => formatCount(within)),
    ...(each === 'source' ? [number('For another', ({ across }) => formatCount(across))] : []),
    ...(compared ? [number('Compared with', ({ matched }) => formatCount(matched))] : []),
  ]
  const title = each === 'source' ? 'Sources' : 'Records of each file'
  return html`<h3>${title}</h3>
${showTable(title, columns, parts.slice(0, MOST_ROWS))}
${parts.length > MOST_ROWS && html`<p class="note">The first ${MOST_ROWS} of ${formatPlural(parts.length, each)}.</p>`}`
}
