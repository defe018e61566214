import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { renderReport, writeReport } from 'tamis/report'
import { hostileReport, sampleReport } from './sample.js'

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

test('same report, same page', async (t) => {
  t.is(await renderReport(sampleReport()), await renderReport(sampleReport()))
})

test('the page holds no script and no address', async (t) => {
  for (const report of [sampleReport(), hostileReport()]) {
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
  const page = await renderReport(hostileReport())
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  t.false(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u200b\u202a-\u202e\u2066-\u2069\ufeff]/.test(page))
  t.false(/\p{Surrogate}/u.test(page))
  for (const name of ['U+202E', 'U+2066', 'U+0000', 'U+001B', 'U+FEFF']) t.true(page.includes(name), name)
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
