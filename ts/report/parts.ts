/**
 * The parts that the pages of all runs have: figures, tables, warnings, options, texts.
 * @hidden
 * @module
 */
import { formatBytes, formatCount, formatDuration, formatPlural, formatShare } from '../format.js'
import type { FileReport } from './data.js'
import { documentText, html, labelText, type Markup } from './html.js'

/** Of more rows than these only the first are listed. */
export const MOST_ROWS = 20

/** Texts longer than this are folded away. */
const SUMMARY_LENGTH = 150

/** The share of a part, as text. */
export function shareOf(part: number, whole: number): string {
  return formatShare(whole === 0 ? 0 : part / whole)
}

/** A number that matters, what it is of, and what to compare it with. */
export type Figure = [term: string, value: string, note: string]

export function showFigures(figures: readonly (Figure | false)[]): Markup {
  const shown = figures.filter((figure) => figure !== false)
  return html`<dl class="figures">
${shown.map(
  ([term, value, note]) => html`<div><dt>${term}</dt><dd>${value}<small>${note}</small></dd></div>
`,
)}</dl>`
}

/** Bytes of files on disk. */
export function bytesOf(files: readonly FileReport[]): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** How long a run took, and how much it read in a second. */
export function timeTaken(seconds: number, files: readonly FileReport[]): Figure {
  const speed = formatBytes(bytesOf(files) / Math.max(seconds, 1e-3))
  return ['Time taken', formatDuration(seconds), `${speed} of files a second`]
}

export function showWarnings(warnings: readonly string[]): Markup | false {
  if (warnings.length === 0) return false
  return html`<section class="warnings" aria-labelledby="warnings"><h2 id="warnings">Worth knowing</h2><ul>${warnings.map(
    (warning) => html`<li>${documentText(warning)}</li>`,
  )}</ul></section>`
}

export function showCommand(command: string | undefined): Markup | false {
  return command !== undefined && html`<pre class="command">${documentText(command)}</pre>`
}

/** A column of a table: names head their rows, texts may be long, numbers stand to the right. */
export interface Column<Row> {
  head: string
  is: 'name' | 'text' | 'number'
  of: (row: Row) => string
}

/** A table that scrolls where it is too wide. */
export function showTable<Row>(
  name: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
): Markup | false {
  if (rows.length === 0) return false
  const cell = ({ is, of }: Column<Row>, row: Row) => {
    const text = documentText(of(row))
    if (is === 'name') return html`<th scope="row"><bdi>${text}</bdi></th>`
    return is === 'text' ? html`<td class="value"><bdi>${text}</bdi></td>` : html`<td class="n">${text}</td>`
  }
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${name}"><table>
<thead><tr>${columns.map(({ head, is }) => html`<th scope="col"${is === 'number' && html` class="n"`}>${head}</th>`)}</tr></thead>
<tbody>${rows.map((row) => html`<tr>${columns.map((column) => cell(column, row))}</tr>`)}</tbody></table></div>`
}

/** Files with what every file has, and more columns behind it. */
export function showFiles<File extends FileReport>(
  title: string,
  files: readonly File[],
  more: readonly [head: string, of: (file: File) => number][],
): Markup | false {
  if (files.length === 0) return false
  const counts: [string, (file: File) => number][] = [
    ['Records', ({ records }) => records],
    ...more,
    ['Skipped', ({ skipped }) => skipped],
  ]
  const columns: Column<File>[] = [
    { head: 'File', is: 'name', of: ({ name }) => name },
    { head: 'Size', is: 'number', of: ({ bytes }) => formatBytes(bytes) },
    ...counts.map(
      ([head, of]): Column<File> => ({ head, is: 'number', of: (file) => formatCount(of(file)) }),
    ),
  ]
  return html`<h3>${title}</h3>
${showTable(title, columns, files.slice(0, MOST_ROWS))}
${files.length > MOST_ROWS && html`<p class="note">The first ${MOST_ROWS} of ${formatPlural(files.length, 'file')}; the manifest beside the output lists them all.</p>`}`
}

export function showOptions(options: Readonly<Record<string, unknown>>): Markup {
  const settings = Object.entries(options).filter(([, value]) => value !== undefined && value !== null)
  return html`<h3>Options</h3>
<dl class="options">${settings.map(
    ([name, value]) =>
      html`<div><dt><code>${documentText(name)}</code></dt><dd>${documentText(formatOption(value))}</dd></div>`,
  )}</dl>`
}

function formatOption(value: unknown): string {
  if (typeof value === 'number') return value.toLocaleString('en-US', { maximumSignificantDigits: 17 })
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return typeof value === 'string' || typeof value === 'bigint' ? String(value) : JSON.stringify(value)
}

/** A document's text; a long one opens. */
export function showText(text: string): Markup {
  const start = labelText(text, SUMMARY_LENGTH)
  if (!start.endsWith('…')) return html`<div class="text" dir="auto">${documentText(text.trim())}</div>`
  return html`<details><summary><span class="text" dir="auto">${start}</span></summary><pre class="text" dir="auto">${documentText(text)}</pre></details>`
}
