/** Reports for the tests, made by hand. */
import type { Example, SelectionReport } from 'tamis/report'

/** Numbers that look like weights, the same each time. */
function spread(n: number, centre: number, width: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => centre + width * Math.tan(2.6 * ((i + 0.5) / n - 0.5)))
}

function example(record: number, text: string): Example {
  return { source: 'web/a.jsonl', record, logWeight: -12.5, key: -11.25, tokens: 1234, text }
}

/** A report of a plausible selection; `changes` replace its parts. */
export function sampleReport(changes: Partial<SelectionReport> = {}): SelectionReport {
  const shift = (i: number, sign: number) => ({
    bucket: i,
    ngram: i % 5 === 4 ? null : `word${i} pair`,
    raw: 0.001,
    kept: 0.001 + (sign * (20 - i)) / 1e5,
    target: 0.001 + (sign * (22 - i)) / 1e5,
  })
  const numbers = Array.from({ length: 15 }, (_, i) => i)
  return {
    tamis: '0.1.0',
    method: 'dsir',
    startedAt: '2026-03-01T14:05:09.123Z',
    seconds: 61.4,
    options: { count: 1200, seed: '18446744073709551615', addScores: true, proportions: [1, 2] },
    inputs: [
      {
        name: 'a.jsonl',
        path: 'web/a.jsonl',
        bytes: 12_345_678,
        records: 9000,
        candidates: 8000,
        kept: 200,
        skipped: 3,
      },
      {
        name: 'b.parquet',
        path: 'web/b.parquet',
        bytes: 999,
        records: 4000,
        candidates: 2000,
        kept: 1000,
        skipped: 0,
      },
    ],
    targets: [
      { name: 'law', files: ['law.jsonl'], records: 300, tokens: 40_000, kept: 400 },
      { name: 'med', files: [], records: 500, tokens: 60_000, kept: 800 },
    ],
    totals: {
      records: 13_000,
      candidates: 10_000,
      kept: 1200,
      skipped: 3,
      tokens: 5_000_000,
      keptTokens: 700_000,
      bytes: 12_346_677,
      keptBytes: 2_800_000,
    },
    weights: { raw: spread(2000, -200, 60), kept: spread(400, 20, 30) },
    lengths: {
      raw: Uint32Array.from({ length: 2000 }, (_, i) => 100 + ((i * 7919) % 4000)),
      kept: Uint32Array.from({ length: 400 }, (_, i) => 100 + ((i * 7919) % 900)),
    },
    kl: [
      { target: 'law', raw: 0.4, selected: 0.25 },
      { target: 'med', raw: 0.6, selected: 0.5 },
    ],
    klReduction: 0.125,
    buckets: { gained: numbers.map((i) => shift(i, 1)), lost: numbers.map((i) => shift(i + 20, -1)) },
    examples: {
      highest: numbers.slice(0, 10).map((i) => example(i, `Short text ${i}`)),
      lowest: [example(10, `${'A long text that has to be folded away. '.repeat(12)}The end.`)],
      misses: [example(11, 'שלום עולם, mixed with Latin')],
    },
    warnings: ['web/a.jsonl:17: not a record with a string field "text"'],
    ...changes,
  }
}

/** What runs, calls out, ends an element early or turns the text round, wherever it gets through. */
export const HOSTILE = [
  '<script>window.hacked = 1</script>',
  '<img src=x onerror="window.hacked = 2">',
  '</style></title></textarea></pre></svg><script>window.hacked = 3</script>',
  ']]><svg onload="window.hacked = 4">',
  '"><iframe src="https://example.org/"></iframe>',
  "' onmouseover='window.hacked = 5' x='",
  '&lt;script&gt;window.hacked = 6&lt;/script&gt;',
  '<!--',
  '-->',
  '<link rel=stylesheet href=https://example.org/x.css>',
  '<a href="javascript:window.hacked = 7">click</a>',
  '\u202egpj.exe\u202c \u2066isolate\u2069 \u0000\u0007\u001b[31m \ufeff\u200b',
  '\ud800 lone',
  '<math><mtext></math><style>@import url(https://example.org/y.css)</style>',
].join(' ')

/** A report with the hostile text in every field that files or people fill. */
export function hostileReport(): SelectionReport {
  const report = sampleReport()
  const evil = (item: Example): Example => ({
    ...item,
    source: HOSTILE,
    text: `${HOSTILE}\n${item.text}\n${HOSTILE}`,
  })
  return {
    ...report,
    method: HOSTILE,
    options: { [HOSTILE]: HOSTILE, nested: { value: [HOSTILE] } },
    inputs: report.inputs.map((input) => ({ ...input, name: HOSTILE, path: HOSTILE })),
    targets: report.targets.map((target) => ({ ...target, name: HOSTILE, files: [HOSTILE, HOSTILE] })),
    kl: report.kl.map((item) => ({ ...item, target: HOSTILE })),
    buckets: {
      gained: report.buckets.gained.map((item) => ({ ...item, ngram: HOSTILE })),
      lost: report.buckets.lost.map((item) => ({ ...item, ngram: HOSTILE })),
    },
    examples: {
      highest: report.examples.highest.map(evil),
      lowest: report.examples.lowest.map(evil),
      misses: report.examples.misses.map(evil),
    },
    warnings: [HOSTILE],
  }
}
