/**
 * How a report looks: light, dark, on a phone and on paper.
 * @hidden
 * @module
 */

const LIGHT = `
  --paper: #fdfdfc;
  --panel: #f5f5f2;
  --ink: #1b1f24;
  --muted: #59636e;
  --line: #dcdcd6;
  --raw: #c3c8ce;
  --raw-strong: #6b7580;
  --kept: #0b6e5f;
  --lost: #b0501f;
  --warn: #8a5a00;
  color-scheme: light;`

const DARK = `
  --paper: #14171a;
  --panel: #1d2125;
  --ink: #e7eaed;
  --muted: #a3adb8;
  --line: #343a41;
  --raw: #59626c;
  --raw-strong: #9aa5b1;
  --kept: #4cc2a9;
  --lost: #e88f5c;
  --warn: #e2b04a;
  color-scheme: dark;`

/** The style sheet of a page. */
export const STYLE = `
:root {${LIGHT}
}
@media (prefers-color-scheme: dark) {
  :root {${DARK}
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0;
  background: var(--paper);
  color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', Arial, sans-serif;
  font-variant-numeric: tabular-nums;
}
.page { max-width: 60rem; margin: 0 auto; padding: 3.5rem 1.5rem 5rem; }
header .kind { margin: 0 0 0.75rem; color: var(--muted); font-size: 0.875rem; }
h1 { margin: 0; font-size: clamp(1.75rem, 1.2rem + 2.6vw, 2.75rem); line-height: 1.15; font-weight: 650; letter-spacing: -0.015em; text-wrap: balance; }
h2 { margin: 4.5rem 0 0.5rem; font-size: 1.5rem; line-height: 1.25; font-weight: 650; letter-spacing: -0.01em; }
h3 { margin: 2.75rem 0 0.25rem; font-size: 1.0625rem; line-height: 1.35; font-weight: 650; }
p { margin: 0.5rem 0 0; max-width: 42rem; }
.lead { margin-top: 1rem; font-size: 1.125rem; color: var(--muted); }
p.apart { margin-top: 1.75rem; }
.note { color: var(--muted); font-size: 0.9375rem; }
strong { font-weight: 650; }
code, .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace; font-size: 0.875em; }
nav { margin-top: 1.75rem; font-size: 0.9375rem; display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; }
a { color: var(--kept); text-underline-offset: 0.2em; text-decoration-thickness: 1px; }
a:focus-visible, summary:focus-visible, .scroll:focus-visible { outline: 2px solid var(--kept); outline-offset: 2px; }

.figures { display: grid; grid-template-columns: repeat(3, 1fr); margin: 2.75rem 0 0; border-top: 1px solid var(--line); }
.figures > div { padding: 1.25rem 1.5rem 1.25rem 0; border-bottom: 1px solid var(--line); }
.figures dt { color: var(--muted); font-size: 0.875rem; }
.figures dd { margin: 0.25rem 0 0; font-size: 1.75rem; line-height: 1.2; font-weight: 600; letter-spacing: -0.01em; }
.figures dd small { display: block; margin-top: 0.25rem; font-size: 0.875rem; line-height: 1.4; font-weight: 400; letter-spacing: 0; color: var(--muted); overflow-wrap: anywhere; }

.warnings { margin: 2.5rem 0 0; padding: 1rem 1.25rem; border-left: 3px solid var(--warn); background: var(--panel); font-size: 0.9375rem; }
.warnings h2 { margin: 0 0 0.25rem; font-size: 1rem; color: var(--warn); }
.warnings ul { margin: 0; padding-left: 1.25rem; overflow-wrap: anywhere; }

pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace; font-size: 0.8125rem; line-height: 1.55; }
.command { margin-top: 1rem; padding: 1rem 1.25rem; background: var(--panel); }
.command + p { margin-top: 1rem; }

figure { margin: 0.75rem 0 0; }
.legend { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; margin: 0 0 0.75rem; padding: 0; list-style: none; color: var(--muted); font-size: 0.875rem; }
.legend li { display: flex; align-items: center; gap: 0.5rem; }
.legend i { flex: none; width: 0.875rem; height: 0.875rem; background: var(--raw); }
.legend i.kept { background: var(--kept); }
.legend i.lost { background: var(--lost); }
.legend i.strong { background: var(--raw-strong); }
.legend i.ring { width: 0.625rem; height: 0.625rem; border: 1.5px solid var(--ink); border-radius: 50%; background: none; }
.legend i.dash { width: 0; height: 1rem; border-left: 2px dashed var(--muted); background: none; }
.chart { display: block; width: 100%; height: auto; overflow: visible; font-family: inherit; font-size: 12px; background: none; }
.narrow { display: none; }

.scroll { overflow-x: auto; }
table { width: 100%; margin: 1rem 0 0; border-collapse: collapse; font-size: 0.9375rem; line-height: 1.45; }
caption { padding: 0 0 0.5rem; text-align: left; color: var(--muted); font-size: 0.875rem; }
th, td { padding: 0.5rem 1rem 0.5rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-weight: 600; }
thead th { color: var(--muted); font-size: 0.8125rem; white-space: nowrap; vertical-align: bottom; }
tbody th { font-weight: 500; overflow-wrap: anywhere; }
th.n, td.n { text-align: right; white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
.options { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: 1.25rem 1.5rem; margin: 1rem 0 0; font-size: 0.9375rem; }
.options dt { color: var(--muted); }
.options dd { margin: 0; overflow-wrap: anywhere; }
.scroll tbody th { min-width: 8rem; }
td.value { min-width: 9rem; overflow-wrap: anywhere; }

summary { cursor: pointer; }
details.data { margin-top: 0.75rem; font-size: 0.9375rem; }
details.data > summary { color: var(--muted); }

.documents { margin-top: 1rem; table-layout: fixed; border-top: 1px solid var(--line); }
.documents th, .documents td { padding-top: 0.75rem; padding-bottom: 0.75rem; font-size: 0.875rem; }
.documents .source { width: 11rem; }
.documents .source small { display: block; font-size: 0.8125rem; font-weight: 400; color: var(--muted); }
.documents .number { width: 6rem; }
.documents .content { padding-left: 0.75rem; }
.documents summary, .documents div.text { overflow-wrap: anywhere; }
.documents.pairs th, .documents.pairs td { width: 50%; }
.documents.pairs td + td, .documents.pairs th + th { padding-left: 0.75rem; }
.documents .from { margin: 0 0 0.25rem; overflow-wrap: anywhere; }
.documents .from small { margin-left: 0.75em; font-size: 0.8125rem; color: var(--muted); }
.documents details[open] > summary { color: var(--muted); margin-bottom: 0.5rem; }
.text { unicode-bidi: isolate; }
.unseen { padding: 0 0.25em; border: 1px solid var(--line); border-radius: 2px; color: var(--muted); font-size: 0.75em; }

footer { margin-top: 5rem; padding-top: 1rem; border-top: 1px solid var(--line); color: var(--muted); font-size: 0.875rem; }
footer h2 { margin: 0.5rem 0 0; font-size: 1rem; color: var(--ink); }
footer dl { margin: 0; }
footer dt { margin-top: 0.75rem; color: var(--ink); font-weight: 600; }
footer dd { margin: 0; max-width: 42rem; }
footer p { margin-top: 2rem; }

@media screen and (max-width: 44rem) {
  .page { padding: 2rem 1.125rem 3.5rem; }
  h2 { margin-top: 3.5rem; }
  .wide { display: none; }
  .narrow { display: block; }
  .figures { grid-template-columns: 1fr 1fr; }
  .figures > div { padding-right: 0.75rem; }
  .figures dd { font-size: 1.375rem; }
  .options { grid-template-columns: 1fr 1fr; }
  .documents thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .documents, .documents tbody { display: block; }
  .documents tr { display: flex; flex-wrap: wrap; gap: 0 1rem; padding: 0.75rem 0; border-bottom: 1px solid var(--line); }
  .documents th, .documents td { padding: 0 0 0.25rem; border: 0; width: auto; text-align: left; }
  .documents .source, .documents .content { flex: 0 0 100%; }
  .documents .content { padding-left: 0; }
  .documents.pairs td { flex: 0 0 100%; width: 100%; padding-left: 0; }
  .documents.pairs td::before { content: attr(data-label); display: block; color: var(--muted); }
  .documents .number { width: auto; }
  .documents .number::before { content: attr(data-label) ' '; color: var(--muted); }
}
@media print {
  :root {${LIGHT}
  }
  html { font-size: 11px; }
  body { font-size: 1rem; background: none; }
  .page { max-width: none; padding: 0; }
  nav { display: none; }
  h2 { margin-top: 2.5rem; }
  h2, h3 { break-after: avoid; }
  figure, tr { break-inside: avoid; }
  * { print-color-adjust: exact; }
}
`
