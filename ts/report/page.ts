/**
 * A selection as one HTML page: no script, nothing fetched, every text escaped.
 * @hidden
 * @module
 */
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatPlural,
  formatShare,
  formatSignificant,
} from '../format.js'
import { quantile } from './charts.js'
import type { Example, PageOptions, SelectionReport } from './data.js'
import { describeDivergence, showDifference, targetName } from './difference.js'
import { documentText, html, labelText, Markup } from './html.js'
import { STYLE } from './style.js'

/** Of more files than these only the first are listed. */
const MOST_FILES = 20

/** Texts longer than this are folded away. */
const SUMMARY_LENGTH = 150

const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

/** The page of a selection. */
export function buildPage(
  report: SelectionReport,
  options: PageOptions,
  plotting: typeof import('./plot.js'),
): string {
  const { totals } = report
  const title =
    options.title ?? `${formatCount(totals.kept)} of ${formatPlural(totals.candidates, 'document')} kept`
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${new Markup(POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="tamis ${report.tamis}">
<link rel="icon" href="data:,">
<title>${labelText(title, 200)} · tamis</title>
<style>${new Markup(STYLE)}</style>
</head>
<body>
<div class="page">
<header>
<p class="kind">Selection report · ${documentText(report.method)} · ${formatMoment(report.startedAt)}</p>
<h1>${documentText(title)}</h1>
<p class="lead">${leadSentence(report)}</p>
<nav aria-label="Sections"><a href="#run">What ran</a><a href="#difference">How the kept differ</a>${report.weights.raw.length > 0 && html`<a href="#documents">The documents</a>`}<a href="#details">Files and options</a><a href="#terms">Terms</a></nav>
</header>
<main>
${showFigures(report)}
${showWarnings(report)}
${showRun(report, options.command)}
${showDifference(report, plotting)}
${showDocuments(report)}
${showDetails(report)}
</main>
${showTerms(report)}
</div>
</body>
</html>
`.text
}

/** `2026-03-01 14:05 UTC` */
function formatMoment(iso: string): string {
  return `${iso.slice(0, 16).replace('T', ' ')} UTC`
}

function leadSentence({ totals, inputs, targets }: SelectionReport): string {
  const like = targets.length === 1 ? 'the target' : `${formatCount(targets.length)} targets`
  const aim = targets.length === 0 ? '' : ` to read like ${like}`
  return `Drawn from ${formatPlural(totals.records, 'record')} in ${formatPlural(inputs.length, 'file')}${aim}.`
}

function showFigures(report: SelectionReport): Markup {
  const { totals, lengths } = report
  const short = totals.records - totals.candidates
  const figure = (term: string, value: string, note: string) =>
    html`<div><dt>${term}</dt><dd>${value}<small>${note}</small></dd></div>`
  const median = (values: ArrayLike<number>) =>
    values.length === 0 ? 'none' : formatCount(quantile(values, 0.5))
  const share = (part: number, whole: number) => formatShare(whole === 0 ? 0 : part / whole)
  return html`<dl class="figures">
${figure('Documents kept', formatCount(totals.kept), `${share(totals.kept, totals.candidates)} of ${formatPlural(totals.candidates, 'candidate')}; ${formatPlural(short, 'record was', 'records were')} too short to be one`)}
${figure('Tokens kept', formatCount(totals.keptTokens), `${share(totals.keptTokens, totals.tokens)} of ${formatCount(totals.tokens)}`)}
${report.klReduction !== undefined && figure('KL reduction', `${formatSignificant(report.klReduction)} nats`, describeDivergence(report))}
${figure('Median length', `${median(lengths.kept)} tokens`, `${median(lengths.raw)} among all candidates`)}
${figure('Text kept', formatBytes(totals.keptBytes), `from ${formatBytes(totals.bytes)} of files`)}
${figure('Time taken', formatDuration(report.seconds), `${formatBytes(totals.bytes / Math.max(report.seconds, 1e-3))} of files a second`)}
</dl>`
}

function showWarnings({ warnings }: SelectionReport): Markup | false {
  if (warnings.length === 0) return false
  return html`<section class="warnings" aria-labelledby="warnings"><h2 id="warnings">Worth knowing</h2><ul>${warnings.map(
    (warning) => html`<li>${documentText(warning)}</li>`,
  )}</ul></section>`
}

function showRun({ targets }: SelectionReport, command: string | undefined): Markup {
  return html`<section id="run"><h2>What ran</h2>
${command !== undefined && html`<pre class="command">${documentText(command)}</pre>`}
${
  targets.length > 0 &&
  html`<div class="scroll" tabindex="0" role="region" aria-label="Targets"><table>
<thead><tr><th scope="col">Target</th><th scope="col">Files</th><th scope="col" class="n">Records</th><th scope="col" class="n">Tokens</th><th scope="col" class="n">Kept for it</th></tr></thead>
<tbody>${targets.map(
    (target) =>
      html`<tr><th scope="row"><bdi>${documentText(targetName(target.name))}</bdi></th><td class="value"><bdi>${documentText(listFiles(target.files))}</bdi></td><td class="n">${formatCount(target.records)}</td><td class="n">${formatCount(target.tokens)}</td><td class="n">${formatCount(target.kept)}</td></tr>`,
  )}</tbody></table></div>`
}
</section>`
}

function showDetails({ inputs, options }: SelectionReport): Markup {
  const settings = Object.entries(options).filter(([, value]) => value !== undefined && value !== null)
  return html`<section id="details"><h2>Files and options</h2>
<h3 id="raw">Raw files</h3>
<div class="scroll" tabindex="0" role="region" aria-labelledby="raw"><table>
<thead><tr><th scope="col">File</th><th scope="col" class="n">Size</th><th scope="col" class="n">Records</th><th scope="col" class="n">Candidates</th><th scope="col" class="n">Kept</th><th scope="col" class="n">Skipped</th></tr></thead>
<tbody>${inputs
    .slice(0, MOST_FILES)
    .map(
      (input) =>
        html`<tr><th scope="row"><bdi>${documentText(input.name)}</bdi></th><td class="n">${formatBytes(input.bytes)}</td><td class="n">${formatCount(input.records)}</td><td class="n">${formatCount(input.candidates)}</td><td class="n">${formatCount(input.kept)}</td><td class="n">${formatCount(input.skipped)}</td></tr>`,
    )}</tbody></table></div>
${inputs.length > MOST_FILES && html`<p class="note">The first ${MOST_FILES} of ${formatPlural(inputs.length, 'file')}; the manifest beside the output lists them all.</p>`}
<h3>Options</h3>
<dl class="options">${settings.map(
    ([name, value]) =>
      html`<div><dt><code>${documentText(name)}</code></dt><dd>${documentText(formatOption(value))}</dd></div>`,
  )}</dl>
</section>`
}

function listFiles(files: readonly string[]): string {
  if (files.length === 0) return 'counts that were given'
  const shown = files.slice(0, 3).join(', ')
  return files.length > 3 ? `${shown} and ${formatCount(files.length - 3)} more` : shown
}

function formatOption(value: unknown): string {
  if (typeof value === 'number') return value.toLocaleString('en-US', { maximumSignificantDigits: 17 })
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return typeof value === 'string' || typeof value === 'bigint' ? String(value) : JSON.stringify(value)
}

function showDocuments({ examples, weights, score }: SelectionReport): Markup | false {
  // Where scores mean nothing, the first records are no better than others.
  if (weights.raw.length === 0) return false
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

function showText(text: string): Markup {
  const start = labelText(text, SUMMARY_LENGTH)
  if (!start.endsWith('…')) return html`<div class="text" dir="auto">${documentText(text.trim())}</div>`
  return html`<details><summary><span class="text" dir="auto">${start}</span></summary><pre class="text" dir="auto">${documentText(text)}</pre></details>`
}

function showTerms({ tamis, lengths, klReduction }: SelectionReport): Markup {
  return html`<footer id="terms"><h2>Terms</h2><dl>
<dt>Candidate</dt><dd>A raw record with enough tokens to be chosen.</dd>
${
  klReduction !== undefined &&
  html`<dt>Log importance weight</dt><dd>The sum over a document's words and word pairs of ln(share in the target) − ln(share in the raw corpus), in nats. Documents are drawn without replacement in proportion to its exponential: random (Gumbel) noise is added and the highest sums are kept. With the method topK there is no noise.</dd>
<dt>KL reduction</dt><dd>How much nearer to the target the kept are than the raw corpus: KL(target‖raw) − KL(target‖kept) over hashed n-grams, one pseudo-count a bucket, the mean over targets. Higher is better; a random selection is near 0 or below.</dd>`
}
<dt>Sample</dt><dd>The histograms show ${formatPlural(lengths.raw.length, 'raw candidate')} and ${formatPlural(lengths.kept.length, 'kept document')}, drawn at random where there are more.</dd>
</dl><p>Made by tamis ${tamis}. The page holds all that it shows: it fetches nothing and runs nothing.</p></footer>`
}
