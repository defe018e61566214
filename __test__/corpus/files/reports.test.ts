/** What runs that drop duplicates and mixtures tell for their pages, against plain accounts of the same records. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { corpus } from 'tamis'
import type { DedupReport } from 'tamis/report'
import { type Document, documents, type Ending, folder, jsonl, split, texts, write } from './support.js'

const ENDINGS: Ending[] = ['jsonl', 'jsonl.gz', 'jsonl.zst', 'parquet']

/** Of every three documents the last is an earlier one again, many of them the same. */
const POOL: Document[] = documents(240, 8).map((record, i, all) => {
  const earlier = all[i % 2 === 0 ? 4 : i - 1] as Document
  return i % 3 === 2 ? { ...record, text: earlier.text } : record
})

const cut = (text: string) => {
  const points = [...text]
  return points.length <= 600 ? text : `${points.slice(0, 600).join('')}…`
}

/** Each example is what lies at its place. */
function placed(files: Record<string, readonly { text: string }[]>, { examples }: DedupReport): boolean {
  const isThere = ({ source, record, text }: { source: string; record: number; text?: string }) =>
    text === undefined || text === cut(files[source]?.[record]?.text ?? '')
  return [...examples.largest, ...examples.dropped.flatMap(({ dropped, kept }) => [dropped, kept])].every(
    isThere,
  )
}

test('duplicates by size, by source and by example', async (t) => {
  const dir = await folder(t)
  const parts = split(POOL, ENDINGS.length)
  const names = ENDINGS.map((ending, i) => `part-${i}.${ending}`)
  await Promise.all(names.map((name, i) => write(join(dir, name), parts[i] as Document[])))
  const [a, b, c, d] = names.map((name) => join(dir, name)) as [string, string, string, string]
  // Their order in the run: that of the sources.
  const order = [0, 2, 1, 3]
  const all = order.flatMap((part) => (parts[part] as Document[]).map((record) => ({ ...record, part })))
  const { representative } = await corpus.dedupExact(all.map(({ text }) => text))
  const members = new Map<number, number>()
  for (const of of representative) members.set(of, (members.get(of) ?? 0) + 1)
  const clusters = [...members].filter(([, n]) => n > 1).sort(([x, n], [y, m]) => m - n || x - y)
  const sourceOf = (i: number) => ((all[i] as { part: number }).part % 2 === 0 ? 'web' : 'books')

  for (const threads of [1, 2]) {
    const { report, ...done } = await corpus.dedupFilesExact(
      { web: [a, c], books: [b, d] },
      { out: join(dir, 'kept.jsonl'), force: true, threads },
    )
    t.is(report.kind, 'dedup')
    t.is(report.method, 'exact')
    t.like(report.totals, { records: 240, kept: done.kept, dropped: done.dropped, clusters: done.clusters })
    t.is(
      report.sizes.reduce((n, size) => n + size.clusters, 0),
      clusters.length,
    )
    for (const { from, to, clusters: n, records } of report.sizes) {
      const here = clusters.filter(([, size]) => size >= from && size <= to)
      t.deepEqual([n, records], [here.length, here.reduce((sum, [, size]) => sum + size, 0)])
      t.is(to, 2 * from - 1)
    }
    for (const { name, records, kept, within, across, matched } of report.sources) {
      const own = all.flatMap((_, i) => (sourceOf(i) === name ? [i] : []))
      const dropped = own.filter((i) => representative[i] !== i)
      const same = dropped.filter((i) => sourceOf(representative[i] as number) === name).length
      t.deepEqual(
        [records, kept, within, across, matched],
        [own.length, own.length - dropped.length, same, dropped.length - same, 0],
      )
    }
    t.deepEqual(
      done.sources,
      report.sources.map(({ name, records, kept }) => ({ name, records, kept })),
    )
    const { largest, dropped } = report.examples
    t.deepEqual(
      largest.map(({ records, text }) => [records, text]),
      clusters.slice(0, 10).map(([of, n]) => [n, cut((all[of] as Document).text)]),
    )
    t.true(placed(Object.fromEntries(names.map((name, i) => [name, parts[i] as Document[]])), report))
    t.is(dropped.length, 10)
    for (const pair of dropped) t.is(pair.kept.text, pair.dropped.text)
    t.is(new Set(dropped.map(({ kept }) => `${kept.source}:${kept.record}`)).size, 10)
  }
})

test('what is only compared with is named and not read again; bad records take no place', async (t) => {
  const dir = await folder(t)
  const raw = join(dir, 'raw.jsonl')
  const rows = jsonl(POOL).trimEnd().split('\n')
  rows.splice(1, 0, 'no JSON')
  rows.splice(90, 0, '{"text":7}')
  await writeFile(raw, `${rows.join('\n')}\n`)
  const other = await write(join(dir, 'other.jsonl'), POOL.slice(3, 9))
  const { report, matched } = await corpus.dedupFilesNear([raw], {
    against: [other],
    dryRun: true,
    onBadRecord: 'skip',
  })
  t.deepEqual(
    report.against.map(({ name, records }) => [name, records]),
    [['other.jsonl', 6]],
  )
  t.is(report.inputs[0]?.matched, matched)
  t.is(report.totals.skipped, 2)
  t.true(placed({ 'raw.jsonl': POOL }, report))
  const pairs = report.examples.dropped.filter(({ kept }) => kept.text === undefined)
  t.true(pairs.length > 0)
  for (const { kept } of pairs) t.is(kept.source, 'other.jsonl')
  t.true(report.examples.dropped.some(({ kept }) => kept.text !== undefined))
})

test('semantic duplicates are shown as well, kept or dropped', async (t) => {
  const dir = await folder(t)
  const all = POOL.map((record, i) => ({
    ...record,
    text: i === 7 ? 'x'.repeat(700) : `${i} ${record.text}`,
    embedding: i % 3 === 2 ? [i - 1, 1] : [i, 1],
  }))
  const raw = join(dir, 'raw.jsonl')
  await writeFile(raw, jsonl(all))
  for (const options of [{ dryRun: true }, { out: join(dir, 'kept.jsonl') }]) {
    const { report, kept } = await corpus.dedupFilesSemantic([raw], {
      k: 1,
      threshold: 0.9999999,
      ...options,
    })
    t.is(report.totals.kept, kept)
    t.is(report.options.k, 1)
    t.true(report.examples.dropped.length > 0 && report.examples.largest.length > 0)
    t.true(placed({ 'raw.jsonl': all }, report))
    t.true(report.examples.dropped.every(({ dropped, kept }) => dropped.text !== '' && kept.text !== ''))
  }
})

test('the manifest of a run that dropped duplicates has what its report has of the files', async (t) => {
  const dir = await folder(t)
  const raw = await write(join(dir, 'raw.jsonl'), POOL)
  const { manifest, report } = await corpus.dedupFilesExact([raw], { out: join(dir, 'kept.jsonl') })
  const written = JSON.parse(await readFile(manifest as string, 'utf8'))
  t.like(written.inputs[0], report.inputs[0] as object)
  t.deepEqual(written.totals, report.totals)
})

test('a mixture by what there is, what was wanted and what came of it', async (t) => {
  const dir = await folder(t)
  const web = documents(90, 1)
  const books = documents(40, 2)
  const files = [
    await write(join(dir, 'a.jsonl.gz'), web.slice(0, 31)),
    await write(join(dir, 'b.jsonl'), web.slice(31)),
    await write(join(dir, 'c.parquet'), books),
  ] as const
  const tokens = async (records: readonly Document[]) => {
    const path = await write(join(dir, 'counted.jsonl'), records)
    return (await corpus.countNgramFiles([path])).tokens
  }
  const epochs = [0.5, 2.25]
  const { source, index, probability } = await corpus.mixSources([90, 40], { weights: epochs, seed: 3 })
  const drawn = [web, books].map((records, s) =>
    Array.from(index).flatMap((i, at) => (source[at] === s ? [records[i] as Document] : [])),
  ) as [Document[], Document[]]
  for (const options of [{ dryRun: true }, { out: join(dir, 'mix.jsonl') }]) {
    const { report, ...mixed } = await corpus.mixFiles(
      { web: files.slice(0, 2), books: files[2] },
      { epochs, seed: 3, ...options },
    )
    t.is(report.kind, 'mix')
    t.is(report.by, 'records')
    for (const [i, records] of [web, books].entries()) {
      const of = drawn[i] as Document[]
      t.like(report.sources[i], {
        name: ['web', 'books'][i],
        records: records.length,
        tokens: await tokens(records),
        mixed: of.length,
        mixedTokens: await tokens(of),
        wanted: probability[i],
        epochs: mixed.sources[i]?.epochs,
      })
    }
    t.deepEqual(
      report.inputs.map(({ name, records }) => [name, records]),
      [
        ['a.jsonl.gz', 31],
        ['b.jsonl', 59],
        ['c.parquet', 40],
      ],
    )
    t.is(
      report.inputs.reduce((n, { mixed }) => n + mixed, 0),
      mixed.records,
    )
    t.is(
      report.totals.mixedBytes,
      texts(drawn.flat()).reduce((n, text) => n + Buffer.byteLength(text), 0),
    )
  }
  const { report } = await corpus.mixFiles([files.slice(0, 2), files[2]], {
    proportions: [3, 1],
    by: 'tokens',
    total: 3000,
    dryRun: true,
  })
  t.deepEqual(
    report.sources.map(({ name, wanted }) => [name, wanted]),
    [
      [`${files[0]} ${files[1]}`, 0.75],
      [files[2], 0.25],
    ],
  )
  const share = (report.sources[0]?.mixedTokens as number) / report.totals.mixedTokens
  t.true(Math.abs(share - 0.75) < 0.03, `${share}`)
})
