/** What is wrong with files, and what is said about it: the file, the record, the remedy. */
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { corpus } from 'tamis'
import { needFailpoints, withFailpoint } from './run.js'
import { documents, folder, ids, jsonl, lines, parquet, texts, write, zstd } from './support.js'

const RAW = documents(200, 8)
const TARGET = documents(50, 9, 1)
const OPTIONS = { count: 20, minTokens: 40, buckets: 300 } as const

async function setUp(t: ExecutionContext) {
  const dir = await folder(t)
  const target = await write(join(dir, 'target.jsonl'), TARGET)
  const select = (raw: string, options: object = {}) =>
    corpus.selectFilesByImportance([raw], [target], {
      ...OPTIONS,
      out: join(dir, 'kept.jsonl'),
      force: true,
      ...options,
    })
  /** Refused when bad records throw; nothing of an output is left. */
  const refuses = async (raw: string, code: string, message: RegExp, options: object = {}) => {
    const error = await t.throwsAsync(() => select(raw, options), { name: 'TamisError', code, message })
    const left = (await readdir(dir)).filter((name) => name.includes('kept'))
    t.deepEqual(left, [])
    return error
  }
  return { dir, target, select, refuses }
}

const LINES = lines(RAW)

/** The selection of all records but the one at `at`. */
async function without(at: number): Promise<number[]> {
  const rest = RAW.filter((_, i) => i !== at)
  const { indices } = await corpus.selectByImportance(texts(rest), texts(TARGET), OPTIONS)
  return Array.from(indices.data as Uint32Array, (i) => rest[i]?.id as number)
}

for (const [what, line, why] of [
  [
    'a line that is not JSON',
    '{"id":17,"text":"the soil',
    /raw\.jsonl:18: not a record with a string field "text" \(.+\): mend it.*--on-bad-record skip/,
  ],
  [
    'a record without the text field',
    '{"id":17,"body":"the soil"}',
    /raw\.jsonl:18: not a record with a string field "text" \(.+--text-field/,
  ],
  [
    'a text that is no string',
    '{"id":17,"text":17}',
    /raw\.jsonl:18: not a record with a string field "text"/,
  ],
  ['a line that is no object', '"the soil"', /raw\.jsonl:18: not a record with a string field "text"/],
  [
    'invalid UTF-8',
    Buffer.from([...Buffer.from('{"id":17,"text":"the '), 0xff, ...Buffer.from('soil"}')]),
    /raw\.jsonl:18: not a record with a string field "text" \(invalid UTF-8/,
  ],
] as const) {
  test(`${what} is named, or skipped and counted`, async (t) => {
    const { dir, select, refuses } = await setUp(t)
    const raw = join(dir, 'raw.jsonl')
    const bytes = LINES.map((good, i) =>
      Buffer.concat([Buffer.from(i === 17 ? line : good), Buffer.from('\n')]),
    )
    await writeFile(raw, Buffer.concat(bytes))
    await refuses(raw, 'ERR_TAMIS_FORMAT', why)
    const { skipped, bad, records, files, report } = await select(raw, { onBadRecord: 'skip' })
    t.deepEqual([skipped, records], [1, 199])
    t.is(bad.length, 1)
    t.regex(bad[0] as string, /raw\.jsonl:18: not a record/)
    t.regex(report.warnings.join(), /1 bad record was skipped/)
    t.deepEqual(await ids(files[0] as string), await without(17))
  })
}

test('a bad record of a target is named too', async (t) => {
  const { dir, refuses, target } = await setUp(t)
  const raw = await write(join(dir, 'raw.jsonl'), RAW)
  await writeFile(target, '{"text":"fine"}\n[]\n')
  await refuses(raw, 'ERR_TAMIS_FORMAT', /target\.jsonl:2: not a record/)
})

test('a null in a Parquet text column is a bad record, a missing column is said with those that are there', async (t) => {
  const { dir, select, refuses } = await setUp(t)
  const raw = join(dir, 'raw.parquet')
  await writeFile(raw, parquet(RAW.map((r) => (r.id === 70 ? { ...r, text: null as unknown as string } : r))))
  await refuses(raw, 'ERR_TAMIS_FORMAT', /raw\.parquet:71: not a record with a string field "text"/)
  await refuses(raw, 'ERR_TAMIS_FORMAT', /raw\.parquet: no string column "body".*textField.*text, lang/, {
    textField: 'body',
  })
  const { skipped, files } = await select(raw, { onBadRecord: 'skip' })
  t.is(skipped, 1)
  t.deepEqual(await ids(files[0] as string), await without(70))
})

test.serial('a line of 200 MB is refused, or skipped without being held in memory', async (t) => {
  const { dir, select, refuses } = await setUp(t)
  const raw = join(dir, 'raw.jsonl')
  const out = createWriteStream(raw)
  out.write(
    LINES.slice(0, 17)
      .map((line) => `${line}\n`)
      .join(''),
  )
  out.write('{"id":17,"text":"')
  const piece = Buffer.alloc(2 ** 20, 'soil ')
  for (let i = 0; i < 200; i++) if (!out.write(piece)) await once(out, 'drain')
  out.write('"}\n')
  out.end(
    LINES.slice(18)
      .map((line) => `${line}\n`)
      .join(''),
  )
  await finished(out)
  await refuses(
    raw,
    'ERR_TAMIS_FORMAT',
    /raw\.jsonl:18: record of more than 67108864 bytes: raise --max-record/,
  )
  const before = process.memoryUsage().rss
  const { skipped, files, records } = await select(raw, { onBadRecord: 'skip' })
  t.deepEqual([skipped, records], [1, 199])
  t.deepEqual(await ids(files[0] as string), await without(17))
  // A held line would show: word tables and blocks take less.
  t.true(process.memoryUsage().rss - before < 190 * 2 ** 20)
  const held = await select(raw, { maxRecord: 2 ** 28 })
  t.is(held.records, 200)
})

test('a gzip that ends early, or is none', async (t) => {
  const { dir, refuses } = await setUp(t)
  const bytes = gzipSync(jsonl(RAW))
  const raw = join(dir, 'raw.jsonl.gz')
  await writeFile(raw, bytes.subarray(0, bytes.length / 2))
  for (const onBadRecord of ['throw', 'skip']) {
    await refuses(
      raw,
      'ERR_TAMIS_FORMAT',
      /raw\.jsonl\.gz: the gzip file ends early.*fetch or write it again/,
      { onBadRecord },
    )
  }
  await writeFile(raw, jsonl(RAW))
  await refuses(raw, 'ERR_TAMIS_FORMAT', /raw\.jsonl\.gz: damaged gzip data/)
})

test('a Zstandard file that ends early', async (t) => {
  const { dir, refuses } = await setUp(t)
  const bytes = zstd(Buffer.from(jsonl(RAW)))
  const raw = join(dir, 'raw.jsonl.zst')
  await writeFile(raw, bytes.subarray(0, bytes.length / 2))
  await refuses(raw, 'ERR_TAMIS_FORMAT', /raw\.jsonl\.zst: the zstd file ends early/)
})

test('a Parquet file cut in half, or with bytes overwritten', async (t) => {
  const { dir, refuses } = await setUp(t)
  const bytes = parquet(RAW)
  const raw = join(dir, 'raw.parquet')
  await writeFile(raw, bytes.subarray(0, bytes.length / 2))
  await refuses(
    raw,
    'ERR_TAMIS_FORMAT',
    /raw\.parquet: .*damaged or no Parquet file.*fetch or write it again/,
  )
  const broken = Buffer.from(bytes)
  broken.fill(0xaa, 4, bytes.length / 2)
  await writeFile(raw, broken)
  await refuses(raw, 'ERR_TAMIS_FORMAT', /raw\.parquet: .*fetch or write it again/)
})

test('an empty file has no n-grams; beside others it is nothing', async (t) => {
  const { dir, target, refuses } = await setUp(t)
  const raw = await write(join(dir, 'raw.jsonl'), RAW)
  for (const name of ['empty.jsonl', 'blank.jsonl', 'empty.txt']) {
    const empty = join(dir, name)
    await writeFile(empty, name === 'blank.jsonl' ? '\n \n\r\n' : '')
    await refuses(empty, 'ERR_TAMIS_RANGE', /raw has no n-grams/)
    const out = join(dir, `out-${name}`)
    const { files } = await corpus.selectFilesByImportance([empty, raw], [target], {
      ...OPTIONS,
      outDir: out,
    })
    t.deepEqual(files, [join(out, name), join(out, 'raw.jsonl')])
    t.is((await readFile(join(out, name))).length, 0)
    t.is((await ids(join(out, 'raw.jsonl'))).length, 20)
    await t.throwsAsync(() => corpus.selectFilesByImportance([raw], [empty], { ...OPTIONS, dryRun: true }), {
      code: 'ERR_TAMIS_RANGE',
      message: /target has no n-grams/,
    })
    await t.throwsAsync(
      () => corpus.selectFilesByImportance([raw], [[target], [empty]], { ...OPTIONS, dryRun: true }),
      { code: 'ERR_TAMIS_RANGE', message: /target has no n-grams.*1/ },
    )
  }
  const gz = join(dir, 'empty.jsonl.gz')
  await writeFile(gz, gzipSync(''))
  await refuses(gz, 'ERR_TAMIS_RANGE', /raw has no n-grams/)
})

test('files that are not there, not known, or cannot be read', async (t) => {
  const { dir, refuses } = await setUp(t)
  await refuses(join(dir, 'none.jsonl'), 'ERR_TAMIS_IO', /none\.jsonl: cannot read: .*\(check the path\)/)
  await refuses(join(dir, 'none-*.jsonl'), 'ERR_TAMIS_FORMAT', /none-\*\.jsonl: no file matches/)
  await writeFile(join(dir, 'notes.md'), 'x')
  await refuses(join(dir, 'notes.md'), 'ERR_TAMIS_FORMAT', /notes\.md: unknown ending: name it \.jsonl/)
  await symlink('loop.jsonl', join(dir, 'loop.jsonl'))
  await refuses(join(dir, 'loop.jsonl'), 'ERR_TAMIS_IO', /loop\.jsonl: cannot read/)
})

test('outputs that cannot be written', async (t) => {
  const { dir, select } = await setUp(t)
  const raw = await write(join(dir, 'raw.jsonl'), RAW)
  await writeFile(join(dir, 'file'), '')
  await t.throwsAsync(() => select(raw, { out: join(dir, 'file', 'kept.jsonl') }), {
    code: 'ERR_TAMIS_IO',
    message: /file.*: cannot create: Not a directory/,
  })
  await t.throwsAsync(() => select(raw, { out: '/proc/kept.jsonl' }), {
    name: 'TamisError',
    code: 'ERR_TAMIS_IO',
  })
})

test('a disk without room for the kept n-grams costs their second hashing, no more', async (t) => {
  needFailpoints()
  const dir = await folder(t)
  const target = await write(join(dir, 'target.jsonl'), TARGET)
  const raw = await write(join(dir, 'raw.jsonl'), RAW)
  const args = (name: string) => [[raw], [target], { ...OPTIONS, out: join(dir, name) }]
  const whole = await withFailpoint(args('whole.jsonl'), undefined)
  t.is(whole.code, 0, JSON.stringify(whole.result))
  for (const failpoint of ['features.create=eio', 'features.write=enospc', 'features.write:2=enospc']) {
    const name = `${failpoint.replace(/[^a-z2]/g, '-')}.jsonl`
    const { code, result } = await withFailpoint(args(name), failpoint)
    t.is(code, 0, JSON.stringify(result))
    t.true((result.bytesRead as number) > (whole.result.bytesRead as number))
    t.deepEqual(await readFile(join(dir, name)), await readFile(join(dir, 'whole.jsonl')))
  }
  t.deepEqual(
    (await readdir(dir)).filter((name) => name.startsWith('.')),
    [],
  )
})

test('a full or broken disk fails the run, leaves the earlier output, and is gone on from', async (t) => {
  needFailpoints()
  const dir = await folder(t)
  const target = await write(join(dir, 'target.jsonl'), TARGET)
  const raw = await write(join(dir, 'raw.jsonl'), RAW)
  for (const out of [join(dir, 'kept.jsonl'), join(dir, 'kept')]) {
    const folderly = out.endsWith('kept')
    const args = (options: object = {}) => [[raw], [target], { ...OPTIONS, out, ...options }]
    const earlier = await withFailpoint(args({ count: 3 }), undefined)
    t.is(earlier.code, 0, JSON.stringify(earlier.result))
    const file = folderly ? join(out, 'raw.jsonl') : out
    const before = await readFile(file)
    for (const failpoint of [
      `${folderly ? 'folder' : 'output'}.write=enospc`,
      `${folderly ? 'folder' : 'output'}.sync=eio`,
      'state.write=enospc',
      `${folderly ? 'folder' : 'output'}.create=enospc`,
    ]) {
      const { code, result } = await withFailpoint(args({ force: true }), failpoint)
      t.is(code, 1, failpoint)
      t.is(result.code, 'ERR_TAMIS_IO', failpoint)
      const wants = failpoint.includes('enospc')
        ? /cannot .*: No space left on device.*\(free some space/
        : /cannot .*: Input\/output error/
      t.regex(result.message as string, wants, failpoint)
      t.deepEqual(await readFile(file), before)
    }
    const resumed = await withFailpoint(args({ force: true, resume: true }), undefined)
    t.is(resumed.code, 0, JSON.stringify(resumed.result))
    t.is((await ids(file)).length, 20)
    t.deepEqual(
      (await readdir(dir)).filter((name) => name.startsWith('.')),
      [],
    )
  }
})
