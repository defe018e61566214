/**
 * A run that dropped duplicates as a page.
 * @hidden
 * @module
 */
import { formatBytes, formatCount, formatPlural, formatSignificant } from '../format.js'
import { drawSizes } from './charts.js'
import type { DedupReport, RecordPlace } from './data.js'
import type { Plotting } from './draw.js'
import { showDropped } from './dropped.js'
import { documentText, html, type Markup } from './html.js'
import type { Content } from './page.js'
import { type Figure, shareOf, showCommand, showFiles, showOptions, showText, timeTaken } from './parts.js'

/** What the page of a run that dropped duplicates says. */
export function dedupContent(report: DedupReport, command: string | undefined, plotting: Plotting): Content {
  const { totals, inputs, against, examples, sizes, options } = report
  const hasExamples = examples.largest.length + examples.dropped.length > 0
  return {
    kind: 'Deduplication',
    title: `${formatCount(totals.kept)} of ${formatPlural(totals.records, 'document')} kept`,
    lead: `${describeMethod(report)} Of each group one record is kept, the first.`,
    sections: [
      ['run', 'What ran'],
      ['dropped', 'What was dropped'],
      sizes.length > 0 && ['clusters', 'Clusters'],
      hasExamples && ['documents', 'The documents'],
      ['details', 'Files and options'],
    ],
    figures: figuresOf(report),
    main: [
      html`<section id="run"><h2>What ran</h2>
${showCommand(command)}
<p class="note">${describeRun(report)}</p>
</section>`,
      showDropped(report, plotting),
      sizes.length > 0 && showSizes(report, plotting),
      hasExamples && showDocuments(report),
      html`<section id="details"><h2>Files and options</h2>
${showFiles('Files', inputs, [
  ['Kept', ({ kept }) => kept],
  ['Dropped', ({ records, kept }) => records - kept],
])}
${showFiles('Files that were only compared with', against, [])}
${showOptions(options)}
</section>`,
    ],
    terms: termsOf(report),
  }
}

/** What two documents that are the same have in common. */
function describeMethod({ method, options }: DedupReport): string {
  const { ngram, threshold, clean } = options
  switch (method) {
    case 'near':
      return `Documents that share most of their ${formatOption(ngram)}-character n-grams are the same.`
    case 'semantic':
      return `Documents whose embeddings have a cosine of at least ${formatOption(threshold)} are the same.`
    default:
      return clean === true
        ? 'Documents of the same text, but for case, ASCII punctuation and white space, are the same.'
        : 'Documents of the same text, byte for byte, are the same.'
  }
}

function formatOption(value: unknown): string {
  return typeof value === 'number' ? formatSignificant(value, 2) : 'some'
}

function describeRun({ inputs, against, sources, options, totals }: DedupReport): string {
  const scope =
    sources.length > 1
      ? options.scope === 'local'
        ? `, each of ${formatCount(sources.length)} sources by itself`
        : `, across ${formatCount(sources.length)} sources`
      : ''
  const others =
    against.length > 0
      ? ` They were also compared with ${formatPlural(totals.against, 'record')} in ${formatPlural(against.length, 'other file')}, of which none is kept.`
      : ''
  return `${formatPlural(totals.records, 'record')} in ${formatPlural(inputs.length, 'file')} were compared${scope}.${others}`
}

function figuresOf({ totals, sizes, examples, seconds, inputs, against }: DedupReport): (Figure | false)[] {
  const [largest] = examples.largest
  const clustered = sizes.reduce((sum, { records }) => sum + records, 0)
  const most = largest === undefined ? '' : `; the largest has ${formatCount(largest.records)}`
  return [
    [
      'Documents kept',
      formatCount(totals.kept),
      `${shareOf(totals.kept, totals.records)} of ${formatPlural(totals.records, 'record')}`,
    ],
    [
      'Documents dropped',
      formatCount(totals.dropped),
      `${shareOf(totals.dropped, totals.records)} of all records`,
    ],
    [
      'Text kept',
      formatBytes(totals.keptBytes),
      `${shareOf(totals.keptBytes, totals.bytes)} of ${formatBytes(totals.bytes)}`,
    ],
    [
      'Clusters',
      formatCount(totals.clusters),
      totals.clusters === 0 ? 'of two and more records' : `of ${formatPlural(clustered, 'record')}${most}`,
    ],
    totals.against > 0 && [
      'Matched',
      formatCount(totals.matched),
      `dropped for one of ${formatPlural(totals.against, 'record')} that were only compared with`,
    ],
    timeTaken(seconds, [...inputs, ...against]),
  ]
}

function showSizes({ sizes, totals }: DedupReport, plotting: Plotting): Markup {
  const [smallest] = sizes
  const ends =
    smallest === undefined
      ? ''
      : `${formatPlural(smallest.clusters, 'cluster has', 'clusters have')} ${formatCount(smallest.from)} to ${formatCount(smallest.to)} records.`
  return html`<section id="clusters"><h2>Clusters</h2>
<p class="note">How many records are the same, of which one is kept: ${formatPlural(totals.clusters, 'cluster')}, each column up to twice as large as the one before it. ${ends} A cluster that is far larger than all others is often boilerplate, or a sign of a threshold that is too low.</p>
<figure>${drawSizes(
    plotting,
    sizes.map(({ from, to, clusters }) => ({ from, to, count: clusters })),
    {
      label: `Columns: clusters by the number of their records. ${sizes
        .map(
          ({ from, to, clusters }) => `${formatCount(from)} to ${formatCount(to)}: ${formatCount(clusters)}.`,
        )
        .join(' ')}`,
      axis: 'Records of a cluster (logarithmic axis)',
      counted: 'Clusters',
    },
  )}</figure>
</section>`
}

function showDocuments({ examples }: DedupReport): Markup {
  return html`<section id="documents"><h2>The documents</h2>
<p class="note">Texts are shown as they are and cut after some hundred characters. A long one opens.</p>
${
  examples.largest.length > 0 &&
  html`<h3 id="largest">The largest clusters</h3><p class="note">What comes again most often, as it was kept.</p>
<table class="documents" aria-labelledby="largest"><thead><tr><th scope="col" class="source">Kept record</th><th scope="col" class="n number">Records</th><th scope="col" class="content">Text</th></tr></thead>
<tbody>${examples.largest.map(
    (cluster) =>
      html`<tr><th scope="row" class="source">${showPlace(cluster)}</th><td class="n number" data-label="records">${formatCount(cluster.records)}</td><td class="content">${showText(cluster.text)}</td></tr>`,
  )}</tbody></table>`
}
${
  examples.dropped.length > 0 &&
  html`<h3 id="pairs">Dropped, and what stands for it</h3><p class="note">From all over the input, each of another cluster. Look here for what should not have gone.</p>
<table class="documents pairs" aria-labelledby="pairs"><thead><tr><th scope="col">Dropped</th><th scope="col">Stands for it</th></tr></thead>
<tbody>${examples.dropped.map(
    ({ dropped, kept }) =>
      html`<tr><td data-label="dropped"><p class="from">${showPlace(dropped)}</p>${showText(dropped.text)}</td><td data-label="stands for it"><p class="from">${showPlace(kept)}</p>${kept.text === undefined ? html`<p class="note">It was only compared with, and is not kept.</p>` : showText(kept.text)}</td></tr>`,
  )}</tbody></table>`
}
</section>`
}

function showPlace({ source, record }: RecordPlace): Markup {
  return html`<bdi>${documentText(source)}</bdi><small>record ${formatCount(record)}</small>`
}

function termsOf({ method, options, against, sources }: DedupReport): Content['terms'] {
  const { bands, rows, numPerm, threshold, verify } = options
  const isNear = method === 'near' && typeof bands === 'number' && typeof rows === 'number'
  const found = (s: number) => shareOf(1 - (1 - s ** (rows as number)) ** (bands as number), 1)
  const verified = verify === true ? ' Links of a lower estimated similarity are left out.' : ''
  return [
    [
      'Cluster',
      'Documents that are linked, directly or through others. One of each is kept; those that are the same as one that was only compared with are all dropped and count as matched.',
    ],
    isNear && [
      'Near duplicates',
      `Two documents are linked where one of ${formatCount(bands)} bands of ${formatCount(rows)} values of their MinHash signatures (${formatOption(numPerm)} values in all) agrees; the bands suit a Jaccard similarity of ${formatOption(threshold)} of their n-grams. Of pairs of similarity 0.7 they find ${found(0.7)}, of 0.8 ${found(0.8)}, of 0.9 ${found(0.9)}, of 0.95 ${found(0.95)}.${verified}`,
    ],
    method === 'semantic' && [
      'Semantic duplicates',
      `Records are clustered by their embeddings (spherical k-means, ${typeof options.k === 'number' ? formatCount(options.k) : 'several'} of them), and compared by the cosine with those of their own k-means cluster only.`,
    ],
    sources.length > 1 && ['Source', 'What was given as one argument, or under one name.'],
    against.length > 0 && [
      'Only compared with',
      'Records that come first, are never written, and drop what is the same as they are.',
    ],
  ]
}
