/**
 * What the pages of all runs share: no script, nothing fetched, every text escaped.
 * @hidden
 * @module
 */
import type { PageOptions, RunReport } from './data.js'
import { documentText, html, labelText, Markup } from './html.js'
import { type Figure, showFigures, showWarnings } from './parts.js'
import { STYLE } from './style.js'

const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

/** What a page says, from its top to its end. */
export interface Content {
  /** What is reported: `Selection`. */
  kind: string
  title: string
  lead: string
  /** Links to its sections. */
  sections: readonly (readonly [id: string, name: string] | false)[]
  figures: readonly (Figure | false)[]
  /** Its sections. */
  main: readonly (Markup | false)[]
  /** Terms and what they mean. */
  terms: readonly (readonly [term: string, meaning: string] | false)[]
}

/** The page of a run. */
export function buildPage(report: RunReport, options: PageOptions, content: Content): string {
  const title = options.title ?? content.title
  const sections = content.sections.filter((section) => section !== false)
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
<p class="kind">${content.kind} report · ${documentText(report.method)} · ${formatMoment(report.startedAt)}</p>
<h1>${documentText(title)}</h1>
<p class="lead">${content.lead}</p>
<nav aria-label="Sections">${sections.map(([id, name]) => html`<a href="#${id}">${name}</a>`)}<a href="#terms">Terms</a></nav>
</header>
<main>
${showFigures(content.figures)}
${showWarnings(report.warnings)}
${content.main.map(
  (section) => html`${section}
`,
)}</main>
${showTerms(report, content.terms)}
</div>
</body>
</html>
`.text
}

/** `2026-03-01 14:05 UTC` */
function formatMoment(iso: string): string {
  return `${iso.slice(0, 16).replace('T', ' ')} UTC`
}

function showTerms({ tamis }: RunReport, terms: Content['terms']): Markup {
  const shown = terms.filter((term) => term !== false)
  return html`<footer id="terms"><h2>Terms</h2><dl>
${shown.map(
  ([term, meaning]) => html`<dt>${term}</dt><dd>${meaning}</dd>
`,
)}</dl><p>Made by tamis ${tamis}. The page holds all that it shows: it fetches nothing and runs nothing.</p></footer>`
}
