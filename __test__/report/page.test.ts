import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { renderReport, type WeightsReport, writeReport } from 'tamis/report'
import {
  hostileDedup,
  hostileMix,
  hostileReport,
  sampleDedup,
  sampleMix,
  sampleReport,
  sampleWeights,
} from './sample.js'

const folder = await mkdtemp(join(tmpdir(), 'tamis-report-'))
test.after.always(() => rm(folder, { recursive: true, force: true }))

/** What a reader sees, without markup and style. */
function visibleText(page: string): string {
  return page.replace(/<style>[\s\S]*?<\/style>/g, '').replace(/<[^>]*>/g, ' ')
}

test('the page says what ran and what came out', async (t) => {
  const page = await renderReport(sampleReport(), { command: 'tamis select web --target law=law.jsonl' })
  const text = visibleText(page).replaceAll('\u00a0', ' ')
  for (const wanted of [
    '1,200 of 10,000 documents kept',
    'tamis select web --target law=law.jsonl',
    '2026-03-01 14:05 UTC',
    '12.0 % of 10,000 candidates',
    '0.125 nats',
    'divergence falls from 0.500 to 0.375, by 25.0 %',
    '12.3 MB',
    '1 min 01 s',
    '18446744073709551615',
    'bucket 4',
    'not a record with a string field &quot;text&quot;',
    'counts that were given',
  ]) {
    t.true(text.includes(wanted), wanted)
  }
})

test('the page of duplicates says what was dropped, for what, and shows it', async (t) => {
  const page = await renderReport(sampleDedup(), { command: 'tamis dedup web=a web=b --against benchmark' })
  const text = visibleText(page).replaceAll('\u00a0', ' ')
  for (const wanted of [
    '8,400 of 13,000 documents kept',
    'tamis dedup web=a web=b --against benchmark',
    'share most of their 13-character n-grams',
    '65.4 % of 26.0 MB',
    '1,214',
    'of 4,214 records; the largest has 500',
    '3,920 for a record of their own source, 550 for a record of another source, 130 for one that was only compared',
    'across 2 sources',
    'compared with 400 records in 1 other file',
    '9 bands of 13 values',
    'of 0.8 39.9 %, of 0.9 92.9 %',
    'This site uses cookies',
    'A question of a benchmark.',
    'It was only compared with, and is not kept.',
    '18446744073709551615',
  ]) {
    t.true(text.includes(wanted), wanted)
  }
  const exact = await renderReport(sampleDedup({ method: 'exact', options: { clean: true } }))
  t.true(visibleText(exact).includes('but for case, ASCII punctuation and white space'))
  t.false(exact.includes('MinHash'))
  const semantic = await renderReport(
    sampleDedup({ method: 'semantic', options: { threshold: 0.95, k: 36 } }),
  )
  t.true(visibleText(semantic).includes('a cosine of at least 0.95'))
})

test('the page of a mixture says what was wanted and what came of it', async (t) => {
  const page = await renderReport(sampleMix(), { command: 'tamis mix web=a books --by tokens' })
  const text = visibleText(page).replaceAll('\u00a0', ' ')
  for (const wanted of [
    '20,000 documents of 3 sources mixed',
    'tamis mix web=a books --by tokens',
    '15,500 records in 4 files',
    // Of the tokens: 2,540,000 of 4,224,000, and so on.
    '60.1 %',
    '29.9 %',
    '9.92 %',
    'of code',
    '5.5',
    '22.0 MB',
    '3 bad records were skipped',
  ]) {
    t.true(text.includes(wanted), wanted)
  }
  const records = visibleText(await renderReport(sampleMix({ by: 'records' }))).replaceAll('\u00a0', ' ')
  t.true(records.includes('42.5 %'))
})

test('same report, same page', async (t) => {
  for (const sample of [sampleReport, sampleDedup, sampleMix])
    t.is(await renderReport(sample()), await renderReport(sample()))
})

test('the page holds no script and no address', async (t) => {
  const plain = [sampleReport(), sampleDedup(), sampleMix()]
  for (const report of [...plain, hostileReport(), hostileDedup(), hostileMix()]) {
    const page = await renderReport(report, { command: 'tamis' })
    t.false(/<(script|iframe|object|embed|img|image|form|base|math|textarea)\b/i.test(page))
    t.deepEqual(page.match(/\s(?:src|href|xlink:href|action|srcset)="(?!#|data:,")[^"]*"/gi) ?? [], [])
    const tags = page.match(/<\w(?:[^>"]|"[^"]*")*>/g) ?? []
    t.true(tags.length > 500)
    t.deepEqual(
      tags.map((tag) => tag.replace(/"[^"]*"/g, '')).filter((tag) => /\son\w+\s*=/i.test(tag)),
      [],
    )
    t.regex(
      page,
      /Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:/,
    )
    t.is(page.match(/<\/style>/g)?.length, page.match(/<style>/g)?.length)
  }
})

test('what a reader cannot see is named', async (t) => {
  for (const report of [hostileReport(), hostileDedup(), hostileMix()]) {
    const page = await renderReport(report)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    t.false(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u200b\u202a-\u202e\u2066-\u2069\ufeff]/.test(page))
    t.false(/\p{Surrogate}/u.test(page))
    for (const name of ['U+202E', 'U+2066', 'U+0000', 'U+001B', 'U+FEFF']) t.true(page.includes(name), name)
  }
})

test('many files share a bar', async (t) => {
  const [first] = sampleReport().inputs
  const inputs = Array.from({ length: 200 }, (_, i) => ({
    ...(first as NonNullable<typeof first>),
    name: `part-${i}.jsonl`,
  }))
  const page = await renderReport(sampleReport({ inputs }))
  t.true(page.includes('180 other files'))
  t.false(page.includes('part-150.jsonl'))
  t.true(page.includes('The first 20 of 200 files'))
})

test('many sources share a bar, with the sum of what they have', async (t) => {
  const [source] = sampleDedup().sources
  const sources = Array.from({ length: 60 }, (_, i) => ({
    ...(source as NonNullable<typeof source>),
    name: `part-${i}`,
  }))
  const dedup = await renderReport(sampleDedup({ sources }))
  t.true(dedup.includes('40 other sources'))
  t.true(dedup.includes('The first 20 of 60 sources'))
  const [mixed] = sampleMix().sources
  const many = Array.from({ length: 60 }, (_, i) => ({
    ...(mixed as NonNullable<typeof mixed>),
    name: `part-${i}`,
    epochs: i,
  }))
  const mix = await renderReport(sampleMix({ sources: many }))
  t.true(mix.includes('40 other sources'))
  t.true(mix.includes('The first 20 of 60 sources'))
})

test('long names are cut to what tells them apart', async (t) => {
  const [first] = sampleReport().inputs
  const inputs = Array.from({ length: 30 }, (_, i) => ({
    ...(first as NonNullable<typeof first>),
    name: `crawl/2024-10/part-${String(i).padStart(5, '0')}-of-00030.jsonl.zst`,
  }))
  const page = await renderReport(sampleReport({ inputs }))
  for (const label of ['…00000…', '…00019…', '10 other files']) t.true(page.includes(`>${label}<`), label)
})

test('a run of which there is little to say still makes a page', async (t) => {
  const none = new Float64Array(0)
  const page = await renderReport(
    sampleReport({
      options: {},
      kl: [],
      klReduction: 0,
      weights: { raw: none, kept: none },
      lengths: { raw: new Uint32Array(0), kept: new Uint32Array(0) },
      buckets: { gained: [], lost: [] },
      examples: { highest: [], lowest: [], misses: [] },
      warnings: [],
      totals: {
        records: 0,
        candidates: 0,
        kept: 0,
        skipped: 0,
        tokens: 0,
        keptTokens: 0,
        bytes: 0,
        keptBytes: 0,
      },
    }),
  )
  t.notRegex(visibleText(page), /NaN|undefined|Infinity|null|\[object/)
})

test('runs of which there is little to say still make a page', async (t) => {
  const counts = { kept: 0, within: 0, across: 0, matched: 0 }
  const empty = { name: 'a.jsonl', path: 'a.jsonl', bytes: 0, records: 0, skipped: 0 }
  const dedup = await renderReport(
    sampleDedup({
      options: {},
      inputs: [{ ...empty, ...counts }],
      against: [],
      sources: [{ name: 'a.jsonl', records: 0, ...counts }],
      totals: {
        records: 0,
        kept: 0,
        dropped: 0,
        matched: 0,
        clusters: 0,
        skipped: 0,
        against: 0,
        bytes: 0,
        keptBytes: 0,
      },
      sizes: [],
      examples: { largest: [], dropped: [] },
      warnings: [],
    }),
  )
  const mix = await renderReport(
    sampleMix({
      options: {},
      inputs: [{ ...empty, mixed: 0 }],
      sources: [{ name: 'a', records: 0, tokens: 0, mixed: 0, mixedTokens: 0, wanted: 0, epochs: 0 }],
      totals: { records: 0, tokens: 0, skipped: 0, mixed: 0, mixedTokens: 0, mixedBytes: 0 },
      warnings: [],
    }),
  )
  for (const page of [dedup, mix]) t.notRegex(visibleText(page), /NaN|undefined|Infinity|null|\[object/)
  t.true(dedup.includes('Nothing was dropped'))
})

test('the page of weights says what became of them', async (t) => {
  const text = async (changes: Partial<WeightsReport>, command?: string) => {
    const page = await renderReport(sampleWeights(changes), command === undefined ? {} : { command })
    return visibleText(page).replaceAll('&#160;', ' ').replaceAll('\u00a0', ' ')
  }
  const merged = await text({}, 'tamis weights merge code maths law')
  for (const wanted of [
    '3 models merged',
    '134,515,008 numbers in 121 tensors, read from 4 files.',
    'tamis weights merge code maths law',
    'Layer 0',
    'Layer 29',
    'The 20 largest of 121 tensors.',
    'The norm of each model',
    'models/maths',
    'models/law/model.safetensors',
    'merged/model.safetensors',
    '269 MB',
    'density',
    'model/pytorch_model.bin',
  ]) {
    t.true(merged.includes(wanted), wanted)
  }
  t.false(merged.includes('Agreement'))
  const consensus = await text({ method: 'consensus', histogram: [10, 20, 60, 10] })
  t.regex(consensus, /How many models need a number.*60\.0 %.*None.*1 model.*2 models/s)
  const masks = await text({ method: 'tall-masks', densities: { code: 0.25, law: 0.5 } })
  t.regex(masks, /3 models in one file.*The share of the summed update that each model keeps.*25\.0 %/s)
  const one = { name: 'w', elements: 1000, updates: [2], written: 1.5 }
  const signs = { scale: 0.01, kept: 50, denseBits: 16_000 }
  const compressed = await text({
    method: 'compeft',
    models: [],
    tensors: [{ ...one, nonzeros: 50 }],
    signs,
    outputs: [{ path: 'update.safetensors', bytes: 400 }],
  })
  t.regex(
    compressed,
    /An update of .* compressed to signs.*5\.00 %.*5\.00 times.*50 signs and the scale 0\.0100/s,
  )
  t.false(compressed.includes('Layers are told'))
  const expanded = await text({
    method: 'expand-update',
    models: [],
    tensors: [{ ...one, updates: [], base: 15 }],
  })
  t.regex(expanded, /An update of 121 tensors expanded.*Change.*10\.0 %/s)
  // Adapters have no base to compare with, and an update of nothing changes nothing.
  t.regex(await text({ tensors: [one] }), /Norm.*1\.5/s)
  const nothing = await text({ tensors: [{ ...one, updates: [0, 0, 0], base: 0, written: 0 }], inputs: [] })
  t.notRegex(nothing, /NaN|undefined|Infinity|null|\[object/)
  const deep = Array.from({ length: 100 }, (_, i) => ({ ...one, name: `h.${i}.w`, base: 3 }))
  t.regex(await text({ tensors: deep }), /Layers 0 to 2.*Layer 99/s)
})

test('a cluster of every size, and a single one, make columns', async (t) => {
  const all = Array.from({ length: 26 }, (_, i) => ({
    from: 2 ** (i + 1),
    to: 2 ** (i + 2) - 1,
    clusters: 3 ** (26 - i),
    records: 1,
  }))
  for (const sizes of [all, all.slice(0, 1)])
    t.false(/NaN|Infinity/.test(await renderReport(sampleDedup({ sizes }))))
})

test('equal weights make a histogram', async (t) => {
  const same = new Float64Array(50).fill(3)
  const page = await renderReport(
    sampleReport({
      weights: { raw: same, kept: same },
      lengths: { raw: new Uint32Array(50).fill(7), kept: new Uint32Array(50).fill(7) },
    }),
  )
  t.false(/NaN|Infinity/.test(page))
})

test('an earlier page is replaced whole', async (t) => {
  const path = join(folder, 'report.html')
  await writeFile(path, 'earlier')
  await writeReport(path, sampleReport())
  t.is(await readFile(path, 'utf8'), await renderReport(sampleReport()))
  t.deepEqual(await readdir(folder), ['report.html'])
})

test('a page that cannot be written leaves nothing and says so', async (t) => {
  const path = join(folder, 'missing', 'report.html')
  const error = await t.throwsAsync(writeReport(path, sampleReport()), { code: 'ERR_TAMIS_IO' })
  t.true(error?.message.includes(path))
})
