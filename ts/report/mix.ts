/**
 * A mixture of sources as a page.
 * @hidden
 * @module
 */
import { formatBytes, formatCount, formatPlural, formatShare, formatSignificant } from '../format.js'
import { drawStacks } from './bars.js'
import type { MixReport, MixSourceReport } from './data.js'
import type { Plotting } from './draw.js'
import { html, labelText, type Markup } from './html.js'
import type { Content } from './page.js'
import {
  bytesOf,
  type Figure,
  MOST_ROWS,
  showCommand,
  showFiles,
  showOptions,
  showTable,
  timeTaken,
} from './parts.js'
import { mostOf, partOf, showShares } from './shares.js'

/** What the page of a mixture says. */
export function mixContent(report: MixReport, command: string | undefined, plotting: Plotting): Content {
  const { totals, sources, inputs, options } = report
  return {
    kind: 'Mixture',
    title: `${formatPlural(totals.mixed, 'document')} of ${formatPlural(sources.length, 'source')} mixed`,
    lead: `Drawn from ${formatPlural(totals.records, 'record')} in ${formatPlural(inputs.length, 'file')}, every record by chance.`,
    sections: [
      ['run', 'What ran'],
      ['shares', 'Shares'],
      ['epochs', 'Epochs'],
      ['details', 'Files and options'],
    ],
    figures: figuresOf(report),
    main: [
      html`<section id="run"><h2>What ran</h2>
${showCommand(command)}
${showSources(report)}
</section>`,
      showProportions(report, plotting),
      showEpochs(report, plotting),
      html`<section id="details"><h2>Files and options</h2>
${showFiles('Files', inputs, [['Mixed', ({ mixed }) => mixed]])}
${showOptions(options)}
</section>`,
    ],
    terms: [
      ['Source', 'What was given as one argument, or under one name.'],
      [
        'Wanted, achieved',
        report.by === 'tokens'
          ? "Each source's share of the tokens. A source's chance is its wanted share divided by the mean tokens of its records, so the achieved share varies with the draws and with the lengths of what is drawn."
          : "Each source's share of the records. Each record's source is drawn, so the achieved share varies with the draws: less the more records there are.",
      ],
      [
        'Epoch',
        'Once through a source, in an order of its own. Within an epoch no record comes twice; 2.5 epochs have half of the records three times and the others twice.',
      ],
    ],
  }
}

function figuresOf({ totals, sources, inputs, by, seconds }: MixReport): Figure[] {
  const most = sources.reduce<MixSourceReport | undefined>(
    (a, b) => (a === undefined || b.epochs > a.epochs ? b : a),
    undefined,
  )
  const away = sources.reduce((max, source) => {
    return Math.max(max, Math.abs(achieved(source, totals, by) - source.wanted))
  }, 0)
  return [
    [
      'Documents mixed',
      formatCount(totals.mixed),
      `of ${formatPlural(totals.records, 'record')} that there are`,
    ],
    ['Tokens mixed', formatCount(totals.mixedTokens), `of ${formatCount(totals.tokens)} that there are`],
    ['Text mixed', formatBytes(totals.mixedBytes), `from ${formatBytes(bytesOf(inputs))} of files`],
    [
      'Largest difference',
      `${formatSignificant(100 * away, 2)} points`,
      `of a hundred, between the wanted and the achieved share of ${by}`,
    ],
    [
      'Most epochs',
      formatEpochs(most?.epochs ?? 0),
      most === undefined ? '' : `of ${labelText(most.name, 60)}`,
    ],
    timeTaken(seconds, inputs),
  ]
}

/** A source's share of the mixture, of what proportions are of. */
function achieved(source: MixSourceReport, totals: MixReport['totals'], by: MixReport['by']): number {
  return by === 'tokens' ? partOf(source.mixedTokens, totals.mixedTokens) : partOf(source.mixed, totals.mixed)
}

function formatEpochs(epochs: number): string {
  return epochs.toLocaleString('en-US', { maximumFractionDigits: epochs < 10 ? 2 : 1 })
}

function showSources({ sources, totals, by }: MixReport): Markup {
  const number = (head: string, of: (source: MixSourceReport) => string) =>
    ({ head, is: 'number', of }) as const
  const columns = [
    { head: 'Source', is: 'name', of: ({ name }: MixSourceReport) => name } as const,
    number('Records', ({ records }) => formatCount(records)),
    number('Tokens', ({ tokens }) => formatCount(tokens)),
    number('Wanted', ({ wanted }) => formatShare(wanted)),
    number('Achieved', (source) => formatShare(achieved(source, totals, by))),
    number('Epochs', ({ epochs }) => formatEpochs(epochs)),
    number('Records mixed', ({ mixed }) => formatCount(mixed)),
    number('Tokens mixed', ({ mixedTokens }) => formatCount(mixedTokens)),
  ]
  return html`${showTable('Sources', columns, sources.slice(0, MOST_ROWS))}
${sources.length > MOST_ROWS && html`<p class="note">The first ${MOST_ROWS} of ${formatPlural(sources.length, 'source')}; the manifest beside the output lists them all.</p>`}`
}

function showProportions({ sources, totals, by }: MixReport, plotting: Plotting): Markup {
  const axis = `Share of ${by} (%)`
  const wanted = sources.map((source) => ({
    name: source.name,
    raw: source.wanted,
    kept: achieved(source, totals, by),
  }))
  const there = sources.map((source) => ({
    name: source.name,
    raw: by === 'tokens' ? partOf(source.tokens, totals.tokens) : partOf(source.records, totals.records),
    kept: achieved(source, totals, by),
  }))
  return html`<section id="shares"><h2>Shares</h2>
<h3>Wanted and achieved</h3>
<p class="note">Of the ${by} of the mixture, largest share first.</p>
${showShares(plotting, wanted, { each: 'source', raw: 'wanted', kept: 'achieved', axis })}
<h3>Before and after</h3>
<p class="note">Each source's share of all ${by} that there are, and of those of the mixture.</p>
${showShares(plotting, there, { each: 'source', raw: `${by} that there are`, kept: 'mixture', axis })}
</section>`
}

function showEpochs({ sources, totals }: MixReport, plotting: Plotting): Markup {
  const rows = mostOf(
    sources,
    ({ epochs }) => epochs,
    (rest) => {
      const records = rest.reduce((sum, source) => sum + source.records, 0)
      const mixed = rest.reduce((sum, source) => sum + source.mixed, 0)
      const [first] = rest as [MixSourceReport, ...MixSourceReport[]]
      const name = `${formatCount(rest.length)} other sources`
      return { ...first, name, records, mixed, epochs: partOf(mixed, records) }
    },
  )
  const told = rows
    .slice(0, 6)
    .map(({ name, epochs }) => `${labelText(name, 60)}: ${formatEpochs(epochs)} times.`)
  return html`<section id="epochs"><h2>Epochs</h2>
<p class="note">How often each source was gone through, most often first: 1 is every record once. The mixture has ${formatEpochs(partOf(totals.mixed, totals.records))} times as many records as there are.</p>
<figure>${drawStacks(
    plotting,
    rows.map(({ name, epochs }) => ({
      name,
      parts: [{ value: epochs, fill: 'var(--kept)' }],
      text: formatEpochs(epochs),
    })),
    {
      label: `Bars: how often each source was gone through. ${told.join(' ')}`,
      axis: 'Epochs',
      rule: 1,
    },
  )}</figure>
</section>`
}
