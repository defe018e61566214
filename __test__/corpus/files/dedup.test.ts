/** Duplicates in files: what is kept, in every form, and who duplicates whom. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { corpus } from 'tamis'
import { inProcess } from './run.js'
import {
  type Document,
  documents,
  type Ending,
  folder,
  ids,
  jsonl,
  oneLine,
  read,
  split,
  texts,
  write,
} from './support.js'

/** Documents of which some come again, as they are or with a word changed. */
function withDuplicates(n: number, seed: number): Document[] {
  const fresh = documents(n, seed)
  return fresh.map((record, i) => {
    if (i % 3 !== 2) return record
    const earlier = fresh[i - 1] as Document
    const text = i % 2 === 0 ? earlier.text : earlier.text.replace(' the ', ' that ')
    return { ...record, text }
  })
}

const POOL = withDuplicates(180, 5)
const kept = ({ keep }: { keep: Uint8Array }, pool: Document[] = POOL) =>
  pool.filter((_, i) => keep[i] === 1).map(({ id }) => id)

const ENDINGS: Ending[] = ['jsonl', 'jsonl.gz', 'jsonl.zst', 'parquet']

test('files keep what the functions keep of their texts, in every form and for any memory and threads', async (t) => {
  const dir = await folder(t)
  const exact = kept(await corpus.dedupExact(texts(POOL)))
  const near = kept(await corpus.dedupNear(texts(POOL), { seed: 3 }))
  t.true(near.length < exact.length && exact.length < POOL.length)
  const parts = split(POOL, ENDINGS.length)
  await Promise.all(
    ENDINGS.map((ending, i) => write(join(dir, `part-${i}.${ending}`), parts[i] as Document[])),
  )
  const raw = [join(dir, 'part-*')]
  for (const [i, options] of [{}, { memory: 1, threads: 1 }, { memory: 10_000, threads: 2 }].entries()) {
    const out = join(dir, `kept-${i}.jsonl`)
    const done = await corpus.dedupFilesExact(raw, { ...options, out })
    t.deepEqual(await ids(out), exact)
    t.deepEqual(
      [done.records, done.kept, done.dropped],
      [POOL.length, exact.length, POOL.length - exact.length],
    )
    const again = await corpus.dedupFilesNear(raw, { ...options, seed: 3, out, force: true })
    t.deepEqual(await ids(out), near)
    t.is(again.kept, near.length)
    t.is(
      again.keptBytes,
      POOL.filter(({ id }) => near.includes(id)).reduce((n, r) => n + Buffer.byteLength(r.text), 0),
    )
  }
})

test('a folder has a file for each input in its own form, byte for byte what is kept', async (t) => {
  const dir = await folder(t)
  const [a = [], b = []] = split(POOL, 2)
  await write(join(dir, 'a.jsonl'), a)
  await write(join(dir, 'b.parquet'), b)
  const out = join(dir, 'kept')
  const { files, manifest, sources } = await corpus.dedupFilesExact([join(dir, '[ab].*')], { out })
  t.deepEqual(files, [join(out, 'a.jsonl'), join(out, 'b.parquet')])
  const exact = kept(await corpus.dedupExact(texts(POOL)))
  t.deepEqual([...(await ids(join(out, 'a.jsonl'))), ...(await ids(join(out, 'b.parquet')))], exact)
  const lines = (await readFile(join(dir, 'a.jsonl'), 'utf8')).split('\n')
  const wanted = a.map((record, i) => (exact.includes(record.id) ? `${lines[i]}\n` : '')).join('')
  t.is(await readFile(join(out, 'a.jsonl'), 'utf8'), wanted)
  const written = JSON.parse(await readFile(manifest as string, 'utf8'))
  t.is(written.method, 'exact')
  t.is(written.totals.kept, exact.length)
  t.deepEqual(
    written.inputs.map((input: { records: number }) => input.records),
    [a.length, b.length],
  )
  t.regex(written.inputs[0].sha256, /^[0-9a-f]{64}$/)
  t.deepEqual(sources, [{ name: join(dir, '[ab].*'), records: POOL.length, kept: exact.length }])
})

test('plain text: lines into text, JSON and tables', async (t) => {
  const dir = await folder(t)
  await writeFile(join(dir, 'a.txt'), 'one\ntwo\n\nOne!\none\n')
  const raw = [join(dir, 'a.txt')]
  for (const [ending, clean, wanted] of [
    ['txt', false, ['one', 'two', 'One!']],
    ['jsonl', true, ['one', 'two']],
    ['parquet', true, ['one', 'two']],
  ] as const) {
    const out = join(dir, `kept.${ending}`)
    await corpus.dedupFilesExact(raw, { out, clean })
    t.deepEqual(
      (await read(out)).map(({ text }) => text),
      wanted,
    )
  }
})

test('the scope keeps sources apart: each argument, or each name', async (t) => {
  const dir = await folder(t)
  const parts = split(POOL, 3)
  const paths = await Promise.all(parts.map((part, i) => write(join(dir, `${i}.jsonl`), part)))
  const out = join(dir, 'kept.jsonl')
  const options = { out, scope: 'local', force: true } as const
  const of = async (sources: number[]) => {
    const each = parts.flatMap((part, i) => part.map(() => sources[i] as number))
    return kept(await corpus.dedupExact(texts(POOL), { scope: 'local', sources: each }))
  }
  await corpus.dedupFilesExact(paths, options)
  t.deepEqual(await ids(out), await of([0, 1, 2]))
  const [a, b, c] = paths as [string, string, string]
  const { sources } = await corpus.dedupFilesExact({ web: [a, c], books: [b] }, options)
  const order = [0, 2, 1].flatMap((i) => parts[i] as Document[])
  const each = order.map((record) => (parts[1]?.includes(record) ? 1 : 0))
  t.deepEqual(
    await ids(out),
    kept(await corpus.dedupExact(texts(order), { scope: 'local', sources: each }), order),
  )
  t.deepEqual(
    sources.map(({ name, records }) => [name, records]),
    [
      ['web', 120],
      ['books', 60],
    ],
  )
})

for (const scope of ['global', 'local'] as const) {
  test(`what is only compared with drops its like and is never written (${scope})`, async (t) => {
    const dir = await folder(t)
    const others = [...POOL.slice(10, 14), POOL[10], ...documents(5, 77)] as Document[]
    const [a = [], b = []] = split(POOL, 2)
    const raw = [await write(join(dir, 'a.jsonl'), a), await write(join(dir, 'b.jsonl'), b)]
    const other = await write(join(dir, 'other.jsonl'), others)
    const out = join(dir, 'kept.jsonl')
    const clusters = join(dir, 'clusters.jsonl')
    const sources = POOL.map((_, i) => (i < a.length ? 0 : 1))
    const wanted = kept(await corpus.dedupExact(texts(POOL), { scope, sources, against: texts(others) }))
    const options = { scope, against: [other], out, clusters }
    const done = await corpus.dedupFilesExact(raw, options)
    t.deepEqual(await ids(out), wanted)
    const held = new Set(texts(others))
    t.is(done.matched, POOL.filter(({ text }) => held.has(text)).length)
    t.is(done.against, others.length)
    const rows = await read(clusters)
    t.is(rows.length, done.dropped)
    for (const row of rows.filter((row) => row.against === true)) {
      t.is(row.of_file, other)
      const part = row.file === raw[0] ? a : b
      t.is(part[row.record as number]?.text, others[row.of_record as number]?.text)
      t.not(row.of_record, 4, 'the first of its like is named')
    }
    const near = await corpus.dedupFilesNear(raw, { ...options, force: true })
    t.true(near.matched >= done.matched)
    t.false((await ids(out)).some((id) => POOL.slice(10, 14).some((record) => record.id === id)))
  })
}

test('who duplicates whom, as lines and as a table', async (t) => {
  const dir = await folder(t)
  const raw = await write(join(dir, 'raw.jsonl'), POOL)
  const { representative } = await corpus.dedupNear(texts(POOL))
  const wanted = POOL.flatMap((_, record) => {
    const of_record = representative[record] as number
    return of_record === record ? [] : [{ file: raw, record, of_file: raw, of_record, against: false }]
  })
  for (const ending of ENDINGS) {
    const clusters = join(dir, `clusters.${ending}`)
    const done = await corpus.dedupFilesNear([raw], { out: join(dir, 'kept.jsonl'), clusters, force: true })
    const rows = await read(clusters)
    t.deepEqual(
      rows.map((row) => ({ ...row, record: Number(row.record), of_record: Number(row.of_record) })),
      wanted,
    )
    t.is(done.clusters, new Set(wanted.map((row) => row.of_record)).size)
  }
})

test('verified links are at least as similar as the threshold', async (t) => {
  const dir = await folder(t)
  const raw = await write(join(dir, 'raw.jsonl'), POOL)
  const options = { bands: 32, rows: 4, threshold: 0.9, verify: true }
  const out = join(dir, 'kept.jsonl')
  await corpus.dedupFilesNear([raw], { ...options, out, memory: 1000 })
  t.deepEqual(await ids(out), kept(await corpus.dedupNear(texts(POOL), options)))
})

test('a dry run writes nothing and finds the same', async (t) => {
  const dir = await folder(t)
  const raw = await write(join(dir, 'raw.jsonl'), POOL)
  const done = await corpus.dedupFilesExact([raw], { dryRun: true, memory: 1 })
  t.is(done.kept, kept(await corpus.dedupExact(texts(POOL))).length)
  t.deepEqual([done.files, done.manifest], [[], undefined])
  t.deepEqual(await readdir(dir), ['raw.jsonl'])
})

test('bad records are named, or skipped and take no number', async (t) => {
  const dir = await folder(t)
  const raw = join(dir, 'raw.jsonl')
  const lines = jsonl(POOL).trimEnd().split('\n')
  lines.splice(7, 0, '{"text":7}')
  lines.splice(60, 0, 'no JSON')
  await writeFile(raw, `${lines.join('\n')}\n`)
  const out = join(dir, 'kept.jsonl')
  await t.throwsAsync(corpus.dedupFilesExact([raw], { out }), {
    code: 'ERR_TAMIS_FORMAT',
    message: /raw\.jsonl:8: not a record with a string field "text"/,
  })
  t.deepEqual(await readdir(dir), ['raw.jsonl'])
  const clusters = join(dir, 'clusters.jsonl')
  const done = await corpus.dedupFilesExact([raw], { out, clusters, onBadRecord: 'skip' })
  t.deepEqual(await ids(out), kept(await corpus.dedupExact(texts(POOL))))
  t.deepEqual([done.skipped, done.bad.length], [2, 2])
  for (const row of await read(clusters)) {
    t.is(POOL[row.record as number]?.text, POOL[row.of_record as number]?.text)
  }
})

test('standard input is a file too', async (t) => {
  const dir = await folder(t)
  const out = join(dir, 'kept.jsonl')
  const { code, result } = await inProcess(
    { call: 'dedupFilesExact', args: [['-'], { out }] },
    { input: jsonl(POOL) },
  )
  t.is(code, 0, JSON.stringify(result))
  t.deepEqual(await ids(out), kept(await corpus.dedupExact(texts(POOL))))
})

test('files without records, and lines of text', async (t) => {
  const dir = await folder(t)
  const raw = join(dir, 'raw.jsonl')
  await writeFile(raw, '')
  for (const ending of ['jsonl', 'parquet']) {
    const clusters = join(dir, `clusters.${ending}`)
    const done = await corpus.dedupFilesNear([raw], { out: join(dir, `kept.${ending}`), clusters })
    t.deepEqual([done.records, done.kept, done.clusters], [0, 0, 0])
    t.deepEqual(await read(clusters), [])
  }
  await writeFile(
    join(dir, 'b.txt'),
    texts(POOL)
      .map((text) => `${oneLine(text)}\n`)
      .join(''),
  )
  const out = join(dir, 'kept.txt')
  await corpus.dedupFilesNear([join(dir, 'b.txt')], { out })
  t.is((await read(out)).length, kept(await corpus.dedupNear(texts(POOL).map(oneLine))).length)
})

test('progress goes through the passes', async (t) => {
  const dir = await folder(t)
  const raw = await write(join(dir, 'raw.jsonl'), POOL)
  const passes = new Set<string>()
  await corpus.dedupFilesNear([raw], {
    out: join(dir, 'kept.jsonl'),
    onProgress: ({ pass, bytes, totalBytes }) => {
      passes.add(pass)
      t.true(bytes <= totalBytes)
    },
  })
  t.deepEqual([...passes], ['mark', 'link', 'write'])
})

test('what is wrong is said before a file is touched', async (t) => {
  const dir = await folder(t)
  const raw = await write(join(dir, 'raw.jsonl'), POOL)
  const out = join(dir, 'kept.jsonl')
  const near = (inputs: unknown, options: object) =>
    corpus.dedupFilesNear(inputs as string[], { out, ...options } as never)
  for (const [inputs, options, code, message] of [
    [[], {}, 'ERR_TAMIS_TYPE', /inputs must be/],
    [{}, {}, 'ERR_TAMIS_TYPE', /inputs must be/],
    [{ web: [] }, {}, 'ERR_TAMIS_TYPE', /inputs\.web must be/],
    [[raw], { out: undefined }, 'ERR_TAMIS_RANGE', /out must say where/],
    [[raw], { scope: 'both' }, 'ERR_TAMIS_RANGE', /scope must be 'global' or 'local'/],
    [[raw], { against: [] }, 'ERR_TAMIS_TYPE', /against must be/],
    [[raw, '-'], { against: ['-'] }, 'ERR_TAMIS_RANGE', /standard input/],
    [['-'], { resume: true }, 'ERR_TAMIS_RANGE', /resume cannot read standard input/],
    [[raw], { memory: 0 }, 'ERR_TAMIS_RANGE', /memory must be a positive integer/],
    [[raw], { threshold: 1 }, 'ERR_TAMIS_RANGE', /threshold/],
    [[raw], { ngram: 0 }, 'ERR_TAMIS_RANGE', /ngram/],
    [[raw], { numPerm: 5000 }, 'ERR_TAMIS_RANGE', /numPerm/],
    [[raw], { bands: 3 }, 'ERR_TAMIS_RANGE', /bands/],
    [[raw], { bands: 20, rows: 20 }, 'ERR_TAMIS_RANGE', /bands/],
    [[raw], { clusters: join(dir, 'clusters.txt') }, 'ERR_TAMIS_RANGE', /clusters must end in .jsonl/],
    [
      [raw],
      { clusters: join(dir, 'kept', 'c.jsonl'), out: join(dir, 'kept') },
      'ERR_TAMIS_RANGE',
      /must lie outside/,
    ],
    [[raw], { out: raw, force: true }, 'ERR_TAMIS_RANGE', /would replace the input/],
    [[raw], { against: [raw], out: raw, force: true }, 'ERR_TAMIS_RANGE', /would replace the input/],
    [[raw], { clean: true }, 'ERR_TAMIS_TYPE', /unknown option "clean"/],
  ] as const) {
    await t.throwsAsync(near(inputs, options), { name: 'TamisError', code, message }, String(message))
  }
  t.deepEqual(await readdir(dir), ['raw.jsonl'])
  await writeFile(out, 'mine')
  await t.throwsAsync(near([raw], {}), { code: 'ERR_TAMIS_RANGE', message: /kept\.jsonl exists/ })
  t.is(await readFile(out, 'utf8'), 'mine')
})
