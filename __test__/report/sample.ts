/** Reports for the tests, made by hand. */
import type { DedupReport, Example, MixReport, SelectionReport, WeightsReport } from 'tamis/report'

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
    kind: 'select',
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

/** A report of a plausible run that dropped duplicates; `changes` replace its parts. */
export function sampleDedup(changes: Partial<DedupReport> = {}): DedupReport {
  const file = (name: string, records: number) => ({
    name,
    path: `in/${name}`,
    bytes: 1000 * records,
    records,
    skipped: 1,
  })
  const long = `${'A long text that has to be folded away. '.repeat(12)}The end.`
  return {
    kind: 'dedup',
    tamis: '0.1.0',
    method: 'near',
    startedAt: '2026-03-01T14:05:09.123Z',
    seconds: 61.4,
    options: {
      ngram: 13,
      numPerm: 128,
      seed: '18446744073709551615',
      threshold: 0.8,
      bands: 9,
      rows: 13,
      verify: false,
      scope: 'global',
    },
    inputs: [
      { ...file('web/a.jsonl', 8000), kept: 5000, within: 2400, across: 500, matched: 100 },
      { ...file('web/b.jsonl', 3000), kept: 1500, within: 1500, across: 0, matched: 0 },
      { ...file('books.parquet', 2000), kept: 1900, within: 20, across: 50, matched: 30 },
    ],
    against: [file('benchmark.jsonl', 400)],
    sources: [
      { name: 'web', records: 11_000, kept: 6500, within: 3900, across: 500, matched: 100 },
      { name: 'books', records: 2000, kept: 1900, within: 20, across: 50, matched: 30 },
    ],
    totals: {
      records: 13_000,
      kept: 8400,
      dropped: 4600,
      matched: 130,
      clusters: 1214,
      skipped: 3,
      against: 400,
      bytes: 26_000_000,
      keptBytes: 17_000_000,
    },
    sizes: [
      { from: 2, to: 3, clusters: 1000, records: 2200 },
      { from: 4, to: 7, clusters: 200, records: 1050 },
      { from: 8, to: 15, clusters: 12, records: 134 },
      { from: 256, to: 511, clusters: 2, records: 830 },
    ],
    examples: {
      largest: [
        { source: 'web/a.jsonl', record: 17, records: 500, text: 'This site uses cookies. Accept all?' },
        { source: 'web/b.jsonl', record: 2, records: 330, text: long },
      ],
      dropped: [
        {
          dropped: { source: 'web/a.jsonl', record: 94, text: long },
          kept: { source: 'web/a.jsonl', record: 17, text: `${long} And one more word.` },
        },
        {
          dropped: { source: 'books.parquet', record: 3, text: 'A question of a benchmark.' },
          kept: { source: 'benchmark.jsonl', record: 12 },
        },
        {
          dropped: { source: 'web/b.jsonl', record: 40, text: 'שלום עולם, mixed with Latin' },
          kept: { source: 'web/b.jsonl', record: 7, text: 'שלום עולם, mixed with latin' },
        },
      ],
    },
    warnings: ['web/a.jsonl:17: not a record with a string field "text"'],
    ...changes,
  }
}

/** A report of a plausible mixture; `changes` replace its parts. */
export function sampleMix(changes: Partial<MixReport> = {}): MixReport {
  return {
    kind: 'mix',
    tamis: '0.1.0',
    method: 'mix',
    startedAt: '2026-03-01T14:05:09.123Z',
    seconds: 61.4,
    options: { proportions: [6, 3, 1], by: 'tokens', total: 20_000, seed: '18446744073709551615' },
    by: 'tokens',
    inputs: [
      {
        name: 'web/a.jsonl',
        path: 'in/web/a.jsonl',
        bytes: 12_345_678,
        records: 9000,
        skipped: 3,
        mixed: 6400,
      },
      {
        name: 'web/b.jsonl',
        path: 'in/web/b.jsonl',
        bytes: 4_000_000,
        records: 3000,
        skipped: 0,
        mixed: 2100,
      },
      { name: 'books.parquet', path: 'in/books.parquet', bytes: 999, records: 2500, skipped: 0, mixed: 6000 },
      {
        name: 'code.jsonl.zst',
        path: 'in/code.jsonl.zst',
        bytes: 5_000,
        records: 1000,
        skipped: 0,
        mixed: 5500,
      },
    ],
    sources: [
      {
        name: 'web',
        records: 12_000,
        tokens: 3_600_000,
        mixed: 8500,
        mixedTokens: 2_540_000,
        wanted: 0.6,
        epochs: 0.7083,
      },
      {
        name: 'books',
        records: 2500,
        tokens: 520_000,
        mixed: 6000,
        mixedTokens: 1_265_000,
        wanted: 0.3,
        epochs: 2.4,
      },
      {
        name: 'code',
        records: 1000,
        tokens: 76_000,
        mixed: 5500,
        mixedTokens: 419_000,
        wanted: 0.1,
        epochs: 5.5,
      },
    ],
    totals: {
      records: 15_500,
      tokens: 4_196_000,
      skipped: 3,
      mixed: 20_000,
      mixedTokens: 4_224_000,
      mixedBytes: 22_000_000,
    },
    warnings: ['3 bad records were skipped'],
    ...changes,
  }
}

/** A report of a plausible merge of three models; `changes` replace its parts. */
export function sampleWeights(changes: Partial<WeightsReport> = {}): WeightsReport {
  const parts = ['self_attn.q_proj', 'self_attn.v_proj', 'mlp.up_proj', 'mlp.down_proj']
  const tensor = (name: string, i: number) => {
    const updates = [0, 1, 2].map((m) => 1.5 + ((i * 7 + m * 5) % 11) / 8)
    return { name, elements: 331_776, updates, base: 30 + (i % 5), written: 1 + (i % 7) / 6 }
  }
  const names = Array.from({ length: 30 }, (_, layer) =>
    parts.map((part) => `model.layers.${layer}.${part}.weight`),
  ).flat()
  return {
    kind: 'weights',
    tamis: '0.1.0',
    method: 'ties',
    startedAt: '2026-03-01T14:05:09.123Z',
    seconds: 7.4,
    options: { lambda: 1, density: 0.2, merge: 'mean', scope: 'global', base: 'model' },
    inputs: ['model', 'code', 'maths', 'law'].map((name) => ({
      path: `models/${name}/model.safetensors`,
      bytes: 269_060_552,
    })),
    outputs: [{ path: 'merged/model.safetensors', bytes: 269_060_552 }],
    totals: { tensors: 121, elements: 134_515_008 },
    models: ['models/code', 'models/maths', 'models/law'],
    tensors: [...names, 'model.embed_tokens.weight'].sort().map(tensor),
    warnings: ['other weights lie beside the input and were left out: model/pytorch_model.bin'],
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

/** The same of a run that dropped duplicates. */
export function hostileDedup(): DedupReport {
  const report = sampleDedup()
  const evil = <T extends { text?: string }>(item: T): T => ({
    ...item,
    source: HOSTILE,
    ...(item.text !== undefined && { text: `${HOSTILE}\n${item.text}\n${HOSTILE}` }),
  })
  const named = <T extends { name: string }>(item: T): T => ({ ...item, name: HOSTILE, path: HOSTILE })
  return {
    ...report,
    options: { ...report.options, [HOSTILE]: HOSTILE, nested: { value: [HOSTILE] } },
    inputs: report.inputs.map(named),
    against: report.against.map(named),
    sources: report.sources.map(named),
    examples: {
      largest: report.examples.largest.map(evil),
      dropped: report.examples.dropped.map(({ dropped, kept }) => ({
        dropped: evil(dropped),
        kept: evil(kept),
      })),
    },
    warnings: [HOSTILE],
  }
}

/** The same of a mixture. */
export function hostileMix(): MixReport {
  const report = sampleMix()
  const named = <T extends { name: string }>(item: T): T => ({ ...item, name: HOSTILE, path: HOSTILE })
  return {
    ...report,
    method: HOSTILE,
    options: { [HOSTILE]: HOSTILE, nested: { value: [HOSTILE] } },
    inputs: report.inputs.map(named),
    sources: report.sources.map(named),
    warnings: [HOSTILE],
  }
}

/** The same of a call on checkpoints. */
export function hostileWeights(): WeightsReport {
  const report = sampleWeights()
  return {
    ...report,
    method: HOSTILE,
    options: { [HOSTILE]: HOSTILE, nested: { value: [HOSTILE] } },
    inputs: report.inputs.map((input) => ({ ...input, path: HOSTILE })),
    models: report.models.map(() => HOSTILE),
    tensors: report.tensors.map((one) => ({ ...one, name: `${HOSTILE} ${one.name}` })),
    densities: { [HOSTILE]: 0.5 },
    warnings: [HOSTILE],
  }
}
