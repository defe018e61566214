import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { decompress as unzstd } from 'fzstd'
import { parquetMetadata } from 'hyparquet'
import { corpus, kernels, type TamisError } from 'tamis'
import {
  type Document,
  documents,
  folder,
  ids,
  lines,
  parquet,
  read,
  split,
  texts,
  write,
} from './support.js'

const RAW = documents(300, 3)
const TARGET = documents(60, 4, 1)
const OPTIONS = { count: 40, minTokens: 50, seed: 1, buckets: 500 } as const

async function setUp(t: ExecutionContext) {
  const dir = await folder(t)
  const raw = await write(join(dir, 'raw.jsonl'), RAW)
  const target = await write(join(dir, 'target.jsonl'), TARGET)
  const select = (options: object = {}, from = [raw]) =>
    corpus.selectFilesByImportance(from, [target], { ...OPTIONS, ...options })
  return { dir, raw, target, select }
}

const failure = (code: string, message: RegExp) => ({ name: 'TamisError', code, message })

test('JSONL goes to JSONL byte for byte, whatever the line ends and spaces', async (t) => {
  const { dir, select } = await setUp(t)
  const all = lines(RAW).map((line, i) => (i % 5 === 0 ? `  ${line}\t` : line))
  all[7] = (all[7] as string).replace('"id":', '"big":12345678901234567890.10,"esc":"\\u00e9\\/","id":')
  await writeFile(
    join(dir, 'odd.jsonl'),
    `\uFEFF${all.map((line, i) => (i % 2 ? `${line}\r\n` : `${line}\n\n`)).join('')}`,
  )
  const { files } = await select({ count: 200, minTokens: 0, out: join(dir, 'kept.jsonl') }, [
    join(dir, 'odd.jsonl'),
  ])
  const written = await readFile(files[0] as string, 'utf8')
  const kept = await ids(files[0] as string)
  t.is(kept.length, 200)
  t.is(written, kept.map((id) => `${all[id]}\n`).join(''))
})

test('every ending is written in its form, with the same records', async (t) => {
  const { dir, select } = await setUp(t)
  const plain = (await select({ out: join(dir, 'kept.jsonl') })).files[0] as string
  const bytes = await readFile(plain)
  const want = await read(plain)
  const gz = (await select({ out: join(dir, 'kept.jsonl.gz') })).files[0] as string
  t.deepEqual(gunzipSync(await readFile(gz)), bytes)
  const zst = (await select({ out: join(dir, 'kept.jsonl.zst') })).files[0] as string
  t.deepEqual(Buffer.from(unzstd(await readFile(zst))), bytes)
  const table = (await select({ out: join(dir, 'kept.parquet') })).files[0] as string
  const rows = (await read(table)).map((row) => ({ ...row, id: Number(row.id) }))
  t.deepEqual(rows, want as typeof rows)
})

test('one Parquet file has the union of the columns', async (t) => {
  const { dir, select } = await setUp(t)
  const [a = [], b = [], c = []] = split(RAW, 3)
  await writeFile(join(dir, 'a.parquet'), parquet(a))
  await write(join(dir, 'b.jsonl'), b)
  await writeFile(
    join(dir, 'c.jsonl'),
    c.map(({ id, text }) => `${JSON.stringify({ id, text, extra: [id] })}\n`).join(''),
  )
  const { files, kept } = await select({ count: 150, minTokens: 0, out: join(dir, 'kept.parquet') }, [
    join(dir, 'a.parquet'),
    join(dir, 'b.jsonl'),
    join(dir, 'c.jsonl'),
  ])
  const rows = await read(files[0] as string)
  t.is(rows.length, kept)
  const of = (id: number) => RAW[id] as Document
  for (const row of rows) {
    const id = Number(row.id)
    t.is(row.text, of(id).text)
    t.is(row.lang ?? null, id < 100 ? of(id).meta.lang : null)
    t.deepEqual(row.meta ?? null, id >= 100 && id < 200 ? of(id).meta : null)
    t.deepEqual((row.extra as bigint[] | null)?.map(Number) ?? null, id >= 200 ? [id] : null)
  }
})

test('Parquet goes to Parquet with its own schema', async (t) => {
  const { dir, select } = await setUp(t)
  await mkdir(join(dir, 'raw'))
  await write(join(dir, 'raw', 'a.parquet'), RAW)
  const { files } = await select({ out: join(dir, 'out') }, [join(dir, 'raw')])
  const schema = async (path: string) => {
    const bytes = await readFile(path)
    return parquetMetadata(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
      .schema.slice(1)
      .map(({ name, type, converted_type, repetition_type }) => ({
        name,
        type,
        converted_type,
        repetition_type,
      }))
  }
  t.deepEqual(await schema(files[0] as string), await schema(join(dir, 'raw', 'a.parquet')))
})

test('addScores adds score and source, and a second run replaces them', async (t) => {
  const { dir, raw, select } = await setUp(t)
  const out = join(dir, 'kept.jsonl')
  const { report } = await select({ out, addScores: true })
  const { logWeights } = await corpus.selectByImportance(texts(RAW), texts(TARGET), OPTIONS)
  const kept = (await read(out)) as unknown as (Document & { tamis: Record<string, unknown> })[]
  t.is(kept.length, 40)
  for (const { id, tamis, ...rest } of kept) {
    t.deepEqual({ id, ...rest }, RAW[id])
    t.is(tamis.log_weight, logWeights.data[id] as number)
    t.is(tamis.source, 'raw.jsonl')
    t.is(tamis.record, id)
  }
  t.is(report.examples.highest[0]?.source, 'raw.jsonl')
  const again = join(dir, 'again.parquet')
  await select({ out: again, addScores: true, count: 5 }, [out])
  for (const row of (await read(again)) as Record<string, unknown>[]) {
    t.is(row.tamis_source, 'kept.jsonl')
    t.is(kept[Number(row.tamis_record)]?.id, Number(row.id))
  }
  t.truthy(raw)
})

test('the scores file has a row a record, from which another choice is made', async (t) => {
  const { dir, select } = await setUp(t)
  const raw: string[] = []
  for (const [i, part] of split(RAW, 2).entries()) raw.push(await write(join(dir, `raw-${i}.jsonl`), part))
  const scores = join(dir, 'scores.parquet')
  await select({ out: join(dir, 'kept.jsonl'), scores }, raw)
  const rows = await read(scores)
  t.deepEqual(
    rows.map((row) => [row.file, Number(row.record)]),
    RAW.map((_, i) => [`raw-${i < 150 ? 0 : 1}.jsonl`, i % 150]),
  )
  const { logWeights, tokens } = await corpus.selectByImportance(texts(RAW), texts(TARGET), OPTIONS)
  t.deepEqual(
    rows.map((row) => row.log_weight),
    Array.from(logWeights.data as Float64Array),
  )
  const other = { count: 25, seed: 9, minTokens: 20 }
  const { count, ...draw } = other
  const held = await corpus.readScores(scores)
  t.deepEqual([held.logWeights, held.tokens, held.columns], [logWeights, tokens, ['log_weight']])
  const chosen = await corpus.importanceResample(held.logWeights, count, { ...draw, tokens: held.tokens })
  const { files } = await select({ ...other, out: join(dir, 'other.jsonl') }, raw)
  t.deepEqual(await ids(files[0] as string), Array.from(chosen.indices.data as Uint32Array))
})

test('the manifest says what ran, on what, and what came of it', async (t) => {
  const { dir, raw, target, select } = await setUp(t)
  const selection = await select({ out: join(dir, 'out'), seed: 5 })
  t.is(selection.manifest, join(dir, 'out', 'manifest.json'))
  const manifest = JSON.parse(await readFile(selection.manifest as string, 'utf8'))
  const sha256 = async (path: string) =>
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
  t.is(manifest.tamis, JSON.parse(await readFile('package.json', 'utf8')).version)
  t.is(manifest.method, 'dsir')
  t.like(manifest.options, {
    count: 40,
    minTokens: 50,
    seed: '5',
    buckets: 500,
    ngrams: 2,
    fitNgrams: 'all',
    textField: 'text',
  })
  t.deepEqual(manifest.inputs, [
    {
      name: 'raw.jsonl',
      path: raw,
      bytes: (await readFile(raw)).length,
      records: 300,
      candidates: selection.candidates,
      kept: 40,
      skipped: 0,
      sha256: await sha256(raw),
    },
  ])
  t.like(manifest.targets[0], { files: [target], records: 60, kept: 40 })
  t.is(manifest.klReduction, selection.klReduction)
  const file = join(dir, 'out', 'raw.jsonl')
  t.deepEqual(manifest.outputs, [
    { path: file, records: 40, bytes: (await readFile(file)).length, sha256: await sha256(file) },
  ])
  t.deepEqual((await readdir(join(dir, 'out'))).sort(), ['manifest.json', 'raw.jsonl'])
})

test('the KL reduction is that of the counts', async (t) => {
  const { dir, select } = await setUp(t)
  const { files, klReduction } = await select({ out: join(dir, 'kept.jsonl') })
  const count = (list: string[]) => kernels.countNgrams(list, { buckets: OPTIONS.buckets })
  const kept = (await read(files[0] as string)).map((record) => record.text as string)
  t.is(
    klReduction,
    corpus.klReduction(await count(texts(TARGET)), await count(texts(RAW)), await count(kept)),
  )
  t.true(klReduction > 0)
})

test('the report holds what its pictures need', async (t) => {
  const { dir, select } = await setUp(t)
  const { report, klReduction, kept, tokens, bytes } = await select({ out: join(dir, 'kept.jsonl') })
  t.is(report.klReduction, klReduction)
  t.is(report.totals.kept, kept)
  t.is(report.totals.keptTokens, tokens)
  t.is(report.totals.keptBytes, bytes)
  t.is(report.weights.kept.length, 40)
  t.is(report.lengths.kept.length, 40)
  t.is(report.weights.raw.length, report.totals.candidates)
  for (const list of [report.examples.highest, report.examples.lowest, report.examples.misses])
    t.is(list.length, 10)
  const { highest, misses } = report.examples
  t.true((highest[0]?.logWeight ?? 0) >= (highest[9]?.logWeight ?? 0))
  t.true((misses[0]?.key ?? 0) >= (misses[9]?.key ?? 0))
  const best = highest[0] as (typeof highest)[number]
  const text = [...(RAW[best.record] as Document).text]
  t.is(best.text, `${text.slice(0, 600).join('')}…`)
  const { gained, lost } = report.buckets
  t.is(gained.length, 15)
  for (const { raw, kept: share } of gained) t.true(share > raw)
  for (const { raw, kept: share } of lost) t.true(share < raw)
  // Every n-gram of a corpus this small is looked at.
  t.true([...gained, ...lost].every(({ ngram }) => typeof ngram === 'string'))
  const name = gained[0]?.ngram as string
  const { buckets } = await kernels.hashNgrams([name], { buckets: OPTIONS.buckets })
  t.true(Array.from(buckets.data as Uint32Array).includes(gained[0]?.bucket as number))
})

test('an output that exists needs force, before any pass', async (t) => {
  const { dir, select } = await setUp(t)
  for (const out of [join(dir, 'kept.jsonl'), join(dir, 'out')]) {
    await select({ out })
    const before = await readFile(out.endsWith('out') ? join(out, 'manifest.json') : out)
    const passes: string[] = []
    const onProgress = ({ pass }: { pass: string }) => passes.push(pass)
    await t.throwsAsync(
      () => select({ out, count: 3, onProgress }),
      failure('ERR_TAMIS_RANGE', /exists: .*--force/),
    )
    t.deepEqual(passes, [])
    t.deepEqual(await readFile(out.endsWith('out') ? join(out, 'manifest.json') : out), before)
    const { kept } = await select({ out, count: 3, force: true })
    t.is(kept, 3)
  }
  t.deepEqual((await readdir(dir)).sort(), [
    'kept.jsonl',
    'kept.jsonl.manifest.json',
    'out',
    'raw.jsonl',
    'target.jsonl',
  ])
  const scores = join(dir, 'scores.parquet')
  await select({ out: join(dir, 'x.jsonl'), scores })
  await t.throwsAsync(
    () => select({ out: join(dir, 'y.jsonl'), scores }),
    failure('ERR_TAMIS_RANGE', /scores\.parquet exists/),
  )
})

test('a folder that tamis did not make is never replaced', async (t) => {
  const { dir, select } = await setUp(t)
  const out = join(dir, 'home')
  await mkdir(out)
  await writeFile(join(out, 'thesis.txt'), 'years of work')
  for (const force of [false, true]) {
    await t.throwsAsync(
      () => select({ out, force }),
      failure('ERR_TAMIS_RANGE', force ? /is not an output of tamis/ : /exists/),
    )
  }
  await writeFile(join(out, 'manifest.json'), '{"name":"an app"}')
  await t.throwsAsync(
    () => select({ out, force: true }),
    failure('ERR_TAMIS_RANGE', /is not an output of tamis/),
  )
  t.is(await readFile(join(out, 'thesis.txt'), 'utf8'), 'years of work')
})

test('an output never replaces an input', async (t) => {
  const { dir, raw, select } = await setUp(t)
  const before = await readFile(raw)
  await t.throwsAsync(
    () => select({ out: raw, force: true }),
    failure('ERR_TAMIS_RANGE', /would replace the input/),
  )
  await select({ out: join(dir, 'out') })
  const kept = join(dir, 'out', 'raw.jsonl')
  await t.throwsAsync(
    () => select({ out: join(dir, 'out'), count: 2, minTokens: 0, force: true }, [kept]),
    failure('ERR_TAMIS_RANGE', /would replace the input/),
  )
  await symlink(raw, join(dir, 'link.jsonl'))
  await t.throwsAsync(
    () => select({ out: join(dir, 'link.jsonl'), force: true }),
    failure('ERR_TAMIS_RANGE', /would replace the input/),
  )
  t.deepEqual(await readFile(raw), before)
})

test('a dry run works everything out and writes nothing', async (t) => {
  const { dir, select } = await setUp(t)
  const dry = await select({
    out: join(dir, 'kept.jsonl'),
    scores: join(dir, 'scores.parquet'),
    dryRun: true,
  })
  t.deepEqual((await readdir(dir)).sort(), ['raw.jsonl', 'target.jsonl'])
  t.deepEqual([dry.files, dry.manifest], [[], undefined])
  const wet = await select({ out: join(dir, 'kept.jsonl') })
  t.deepEqual(
    [dry.kept, dry.klReduction, dry.tokens, dry.bytes, dry.candidates],
    [wet.kept, wet.klReduction, wet.tokens, wet.bytes, wet.candidates],
  )
  t.deepEqual(dry.report.examples, wet.report.examples)
  await t.notThrowsAsync(() => select({ dryRun: true }))
})

test('outDir is a folder even with an ending, out says what it wants', async (t) => {
  const { dir, select } = await setUp(t)
  const { files } = await select({ outDir: join(dir, 'kept.jsonl') })
  t.deepEqual(files, [join(dir, 'kept.jsonl', 'raw.jsonl')])
  await t.throwsAsync(() => select({ out: 'a', outDir: 'b' }), failure('ERR_TAMIS_RANGE', /out and outDir/))
  await t.throwsAsync(() => select({}), failure('ERR_TAMIS_RANGE', /out must say/))
  await t.throwsAsync(
    () => select({ out: join(dir, 'kept.txt') }),
    failure('ERR_TAMIS_RANGE', /no lines of text/),
  )
  await t.throwsAsync(
    () => corpus.readScores(join(dir, 'raw.jsonl')),
    failure('ERR_TAMIS_FORMAT', /raw\.jsonl/),
  )
  await t.throwsAsync(
    () => select({ out: join(dir, 'x.jsonl'), scores: 'scores.csv' }),
    failure('ERR_TAMIS_RANGE', /scores must end in \.parquet/),
  )
  const inside = { out: join(dir, 'out'), scores: join(dir, 'out', 'scores.parquet') }
  await t.throwsAsync(() => select(inside), failure('ERR_TAMIS_RANGE', /scores must lie outside the output/))
  const error = (await t.throwsAsync(() => select({ outt: 'x' }))) as TamisError
  t.regex(error.message, /unknown option "outt"/)
})

test('two inputs of one name keep apart in a folder', async (t) => {
  const { dir, target } = await setUp(t)
  const raw: string[] = []
  for (const [i, part] of split(RAW, 2).entries()) {
    await mkdir(join(dir, `crawl-${i}`))
    raw.push(await write(join(dir, `crawl-${i}`, 'part.jsonl'), part))
  }
  const twice = [raw[0] as string, raw[0] as string]
  const { files } = await corpus.selectFilesByImportance(twice, [target], {
    ...OPTIONS,
    out: join(dir, 'out'),
  })
  t.deepEqual(files, [join(dir, 'out', 'part.jsonl'), join(dir, 'out', 'part-2.jsonl')])
  const apart = await corpus.selectFilesByImportance(raw, [target], { ...OPTIONS, out: join(dir, 'out2') })
  t.deepEqual(apart.files, [
    join(dir, 'out2', 'crawl-0', 'part.jsonl'),
    join(dir, 'out2', 'crawl-1', 'part.jsonl'),
  ])
})
