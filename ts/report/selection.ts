/**
 * A selection as a page.
 * @hidden
 * @module
 */
import { formatBytes, formatCount, formatPlural, formatSignificant } from '../format.js'
import { quantile } from './charts.js'
import type { Example, SelectionReport } from './data.js'
import { describeDivergence, showDifference, targetName } from './difference.js'
import type { Plotting } from './draw.js'
import { documentText, html, type Markup } from './html.js'
import type { Content } from './page.js'
import {
  type Figure,
  shareOf,
  showCommand,
  showFiles,
  showOptions,
  showTable,
  showText,
  timeTaken,
} from './parts.js'

/** What the page of a selection says. */
export function selectionContent(
  report: SelectionReport,
  command: string | undefined,
  plotting: Plotting,
): Content {
  const { totals, weights, inputs, options } = report
  // Where scores mean nothing, the first records are no better than others.
  const hasScores = weights.raw.length > 0
  return {
    kind: 'Selection',
    title: `${formatCount(totals.kept)} of ${formatPlural(totals.candidates, 'document')} kept`,
    lead: leadSentence(report),
    sections: [
      ['run', 'What ran'],
      ['difference', 'How the kept differ'],
      hasScores && ['documents', 'The documents'],
      ['details', 'Files and options'],
    ],
    figures: figuresOf(report),
    main: [
      showRun(report, command),
      showDifference(report, plotting),
      hasScores && showDocuments(report),
      html`<section id="details"><h2>Files and options</h2>
${showFiles('Raw files', inputs, [
  ['Candidates', ({ candidates }) => candidates],
  ['Kept', ({ kept }) => kept],
])}
${showOptions(options)}
</section>`,
    ],
    terms: termsOf(report),
  }
}

function leadSentence({ totals, inputs, targets }: SelectionReport): string {
  const like = targets.length === 1 ? 'the target' : `${formatCount(targets.length)} targets`
  const aim = targets.length === 0 ? '' : ` to read like ${like}`
  return `Drawn from ${formatPlural(totals.records, 'record')} in ${formatPlural(inputs.length, 'file')}${aim}.`
}

function figuresOf(report: SelectionReport): (Figure | false)[] {
  const { totals, lengths } = report
  const short = totals.records - totals.candidates
  const median = (values: ArrayLike<number>) =>
    values.length === 0 ? 'none' : formatCount(quantile(values, 0.5))
  return [
    [
      'Documents kept',
      formatCount(totals.kept),
      `${shareOf(totals.kept, totals.candidates)} of ${formatPlural(totals.candidates, 'candidate')}; ${formatPlural(short, 'record was', 'records were')} too short to be one`,
    ],
    [
      'Tokens kept',
      formatCount(totals.keptTokens),
      `${shareOf(totals.keptTokens, totals.tokens)} of ${formatCount(totals.tokens)}`,
    ],
    report.klReduction !== undefined && [
      'KL reduction',
      `${formatSignificant(report.klReduction)} nats`,
      describeDivergence(report),
    ],
    ['Median length', `${median(lengths.kept)} tokens`, `${median(lengths.raw)} among all candidates`],
    ['Text kept', formatBytes(totals.keptBytes), `from ${formatBytes(totals.bytes)} of files`],
    timeTaken(report.seconds, report.inputs),
  ]
}

function showRun({ targets }: SelectionReport, command: string | undefined): Markup {
  return html`<section id="run"><h2>What ran</h2>
${showCommand(command)}
${showTable(
  'Targets',
  [
    { head: 'Target', is: 'name', of: ({ name }) => targetName(name) },
    { head: 'Files', is: 'text', of: ({ files }) => listFiles(files) },
    { head: 'Records', is: 'number', of: ({ records }) => formatCount(records) },
    { head: 'Tokens', is: 'number', of: ({ tokens }) => formatCount(tokens) },
    { head: 'Kept for it', is: 'number', of: ({ kept }) => formatCount(kept) },
  ],
  targets,
)}
</section>`
}

function listFiles(files: readonly string[]): string {
  if (files.length === 0) return 'counts that were given'
  const shown = files.slice(0, 3).join(', ')
  return files.length > 3 ? `${shown} and ${formatCount(files.length - 3)} more` : shown
}

function showDocuments({ examples, score }: SelectionReport): Markup {
  const { highest, lowest, misses } = examples
  return html`<section id="documents"><h2>The documents</h2>
<p class="note">Texts are shown as they are and cut after some hundred characters. A long one opens. ${score === undefined ? 'Weights are in nats.' : `The weight is the score: ${score}.`}</p>
${listDocuments('highest', 'Highest weights among the kept', 'What the method was surest of.', highest)}
${listDocuments('lowest', 'Lowest weights among the kept', 'Let in by chance or at the edge: look here for what should not have come in.', lowest)}
${listDocuments('misses', 'Nearest misses', 'The best that were not kept: look here for what a larger selection would add.', misses)}
</section>`
}

function listDocuments(id: string, title: string, note: string, list: readonly Example[]): Markup | false {
  if (list.length === 0) return false
  return html`<h3 id="${id}">${title}</h3><p class="note">${note}</p>
<table class="documents" aria-labelledby="${id}"><thead><tr><th scope="col" class="source">Source</th><th scope="col" class="n number">Weight</th><th scope="col" class="n number">With noise</th><th scope="col" class="n number">Tokens</th><th scope="col" class="content">Text</th></tr></thead>
<tbody>${list.map(showDocument)}</tbody></table>`
}

function showDocument(example: Example): Markup {
  const number = (label: string, value: string) =>
    html`<td class="n number" data-label="${label}">${value}</td>`
  return html`<tr><th scope="row" class="source"><bdi>${documentText(example.source)}</bdi><small>record ${formatCount(example.record)}</small></th>${number('weight', formatSignificant(example.logWeight, 4))}${number('with noise', formatSignificant(example.key, 4))}${number('tokens', formatCount(example.tokens))}<td class="content">${showText(example.text)}</td></tr>`
}

function termsOf({ lengths, klReduction }: SelectionReport): Content['terms'] {
  const hasWeights = klReduction !== undefined
  return [
    ['Candidate', 'A raw record with enough tokens to be chosen.'],
    hasWeights && [
      'Log importance weight',
      "The sum over a document's words and word pairs of ln(share in the target) − ln(share in the raw corpus), in nats. Documents are drawn without replacement in proportion to its exponential: random (Gumbel) noise is added and the highest sums are kept. With the method topK there is no noise.",
    ],
    hasWeights && [
      'KL reduction',
      'How much nearer to the target the kept are than the raw corpus: KL(target‖raw) − KL(target‖kept) over hashed n-grams, one pseudo-count a bucket, the mean over targets. Higher is better; a random selection is near 0 or below.',
    ],
    [
      'Sample',
      `The histograms show ${formatPlural(lengths.raw.length, 'raw candidate')} and ${formatPlural(lengths.kept.length, 'kept document')}, drawn at random where there are more.`,
    ],
  ]
}
