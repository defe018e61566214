import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { corpus, setThreads } from 'tamis'
import { inProcess } from './run.js'
import {
  type Document,
  documents,
  type Ending,
  folder,
  ids,
  jsonl,
  oneLine,
  parquet,
  read,
  split,
  texts,
  write,
  zstd,
} from './support.js'

const RAW = documents(600, 1)
const TARGET = documents(80, 2, 1)
const OPTIONS = { count: 50, minTokens: 60, seed: 7, buckets: 1000 } as const

/** The ids that the selection in memory keeps. */
async function inMemory(options = {}, raw = RAW, target = TARGET): Promise<number[]> {
  const { indices } = await corpus.selectByImportance(texts(raw), texts(target), { ...OPTIONS, ...options })
  return Array.from(indices.data as Uint32Array, (i) => (raw[i] as Document).id)
}

async function idsOf(files: string[]): Promise<number[]> {
  return (await Promise.all(files.map(ids))).flat()
}

for (const ending of ['jsonl', 'jsonl.gz', 'jsonl.zst', 'parquet', 'txt'] satisfies Ending[]) {
  test(`a folder of .${ending} keeps what the selection in memory keeps`, async (t) => {
    const dir = await folder(t)
    await mkdir(join(dir, 'raw', 'deep'), { recursive: true })
    const parts = split(RAW, 3)
    const names = ['a', 'b', join('deep', 'c')]
    for (const [i, name] of names.entries()) {
      await write(join(dir, 'raw', `${name}.${ending}`), parts[i] as Document[])
    }
    const target = await write(join(dir, `target.${ending}`), TARGET)
    const out = join(dir, 'out')
    const selection = await corpus.selectFilesByImportance([join(dir, 'raw')], [target], { ...OPTIONS, out })
    const want = await inMemory()
    t.deepEqual(
      selection.files,
      names.map((name) => join(out, `${name}.${ending}`)),
    )
    if (ending === 'txt') {
      const kept = (await Promise.all(selection.files.map(read))).flat().map((record) => record.text)
      t.deepEqual(
        kept,
        want.map((id) => oneLine((RAW[id] as Document).text)),
      )
    } else {
      t.deepEqual(await idsOf(selection.files), want)
    }
    t.is(selection.records, 600)
    t.is(selection.kept, 50)
    t.is(selection.skipped, 0)
    t.is(
      selection.candidates,
      RAW.filter((r) => (r.text.match(/[\p{L}\p{N}_]+|[^\p{L}\p{N}_\s]+/gu) ?? []).length >= 60).length,
    )
  })
}

test('files of all formats at once, in the order of the arguments', async (t) => {
  const dir = await folder(t)
  const endings: Ending[] = ['jsonl', 'parquet', 'jsonl.gz', 'jsonl.zst', 'jsonl']
  const parts = split(RAW, endings.length)
  const raw: string[] = []
  for (const [i, ending] of endings.entries())
    raw.push(await write(join(dir, `z${9 - i}.${ending}`), parts[i] as Document[]))
  const target = await write(join(dir, 'target.jsonl'), TARGET)
  const selection = await corpus.selectFilesByImportance(raw, [target], { ...OPTIONS, out: join(dir, 'out') })
  t.deepEqual(await idsOf(selection.files), await inMemory())
})

test('globs, in the order of their matches', async (t) => {
  const dir = await folder(t)
  for (const [i, part] of split(RAW, 4).entries()) await write(join(dir, `part-${i}.jsonl`), part)
  await write(join(dir, 'target.jsonl'), TARGET)
  const { files } = await corpus.selectFilesByImportance(
    [join(dir, 'part-[01].jsonl'), join(dir, 'part-{2,3}.*')],
    [join(dir, 'target.jsonl')],
    { ...OPTIONS, out: join(dir, 'kept.jsonl') },
  )
  t.deepEqual(await idsOf(files), await inMemory())
})

test('the text may lie in a nested field, in JSON and in Parquet', async (t) => {
  const dir = await folder(t)
  const nested = RAW.map(({ id, text }) => ({ id, body: { parts: { text } } }))
  const { writeFile } = await import('node:fs/promises')
  await writeFile(join(dir, 'raw.jsonl'), jsonl(nested))
  await writeFile(join(dir, 'target.jsonl'), jsonl(TARGET.map(({ text }) => ({ body: { parts: { text } } }))))
  const options = { ...OPTIONS, textField: 'body.parts.text' }
  const targets = [join(dir, 'target.jsonl')]
  const first = await corpus.selectFilesByImportance([join(dir, 'raw.jsonl')], targets, {
    ...options,
    count: 400,
    minTokens: 0,
    out: join(dir, 'all.parquet'),
  })
  t.is(first.kept, 400)
  const pool = (await read(join(dir, 'all.parquet'))) as unknown as {
    id: number
    body: { parts: { text: string } }
  }[]
  t.is(typeof pool[0]?.body.parts.text, 'string')
  const second = await corpus.selectFilesByImportance([join(dir, 'all.parquet')], targets, {
    ...options,
    out: join(dir, 'kept.jsonl'),
  })
  const want = await inMemory(
    {},
    pool.map((record) => ({
      id: Number(record.id),
      text: record.body.parts.text,
      meta: { lang: '', score: 0 },
    })),
  )
  t.deepEqual(await ids(second.files[0] as string), want)
})

test('a text file can be one document', async (t) => {
  const dir = await folder(t)
  const { writeFile } = await import('node:fs/promises')
  await mkdir(join(dir, 'raw'))
  for (const { id, text } of RAW.slice(0, 60))
    await writeFile(join(dir, 'raw', `${String(id).padStart(3, '0')}.txt`), text)
  const target = await write(join(dir, 'target.jsonl'), TARGET)
  const { files } = await corpus.selectFilesByImportance([join(dir, 'raw')], [target], {
    ...OPTIONS,
    count: 7,
    textUnit: 'file',
    out: join(dir, 'kept.jsonl'),
  })
  const kept = (await read(files[0] as string)).map((record) => record.text)
  const want = await inMemory({ count: 7 }, RAW.slice(0, 60))
  t.deepEqual(
    kept,
    want.map((id) => RAW[id]?.text),
  )
})

for (const [form, bytes] of [
  ['JSON lines', Buffer.from(jsonl(RAW))],
  ['Zstandard', zstd(Buffer.from(jsonl(RAW)))],
  ['Parquet', parquet(RAW)],
] as const) {
  test(`standard input: ${form}`, async (t) => {
    const dir = await folder(t)
    const target = await write(join(dir, 'target.jsonl'), TARGET)
    const out = join(dir, 'kept.jsonl')
    const { code, result } = await inProcess(
      { args: [['-'], [target], { ...OPTIONS, out }] },
      { input: bytes, env: { TMPDIR: dir } },
    )
    t.is(code, 0, JSON.stringify(result))
    t.deepEqual(await ids(out), await inMemory())
    const { readdir } = await import('node:fs/promises')
    t.deepEqual((await readdir(dir)).sort(), ['kept.jsonl', 'kept.jsonl.manifest.json', 'target.jsonl'])
  })
}

test.serial('the same bytes for any number of threads and files', async (t) => {
  t.teardown(() => setThreads(0))
  setThreads(7)
  const dir = await folder(t)
  const target = await write(join(dir, 'target.jsonl'), TARGET)
  const seen = new Set<string>()
  for (const shards of [1, 3, 16]) {
    const raw: string[] = []
    for (const [i, part] of split(RAW, shards).entries()) {
      raw.push(await write(join(dir, `raw-${shards}-${String(i).padStart(2, '0')}.jsonl`), part))
    }
    for (const threads of [1, 2, 7]) {
      const out = join(dir, `kept-${shards}-${threads}.jsonl`)
      const { klReduction } = await corpus.selectFilesByImportance(raw, [target], {
        ...OPTIONS,
        threads,
        out,
      })
      seen.add(`${klReduction} ${await readFile(out, 'hex')}`)
    }
  }
  t.is(seen.size, 1)
  t.deepEqual(await ids(join(dir, 'kept-16-7.jsonl')), await inMemory())
})

test('a limited fit cuts each file at its document, whatever the threads', async (t) => {
  const dir = await folder(t)
  const raw = await write(join(dir, 'raw.jsonl'), RAW)
  const target = await write(join(dir, 'target.jsonl'), TARGET)
  const fitNgrams = 5000
  for (const threads of [1, 2]) {
    const { files } = await corpus.selectFilesByImportance([raw], [target], {
      ...OPTIONS,
      fitNgrams,
      threads,
      force: true,
      out: join(dir, 'kept.jsonl'),
    })
    t.deepEqual(await ids(files[0] as string), await inMemory({ fitNgrams }))
  }
})

test('topK takes the highest weights, and every option reaches the method', async (t) => {
  const dir = await folder(t)
  const raw = await write(join(dir, 'raw.jsonl'), RAW)
  const target = await write(join(dir, 'target.jsonl'), TARGET)
  const out = join(dir, 'kept.jsonl')
  for (const options of [
    { method: 'topK' },
    { seed: 8n },
    { smoothing: 1 },
    { ngrams: 1 },
    { buckets: 77 },
    { minTokens: 0 },
  ] as const) {
    await corpus.selectFilesByImportance([raw], [target], { ...OPTIONS, ...options, out, force: true })
    t.deepEqual(
      await ids(out),
      await inMemory(options),
      JSON.stringify(options, (_, v) => String(v)),
    )
  }
})
