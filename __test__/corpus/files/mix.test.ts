import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { corpus } from 'tamis'
import { documents, folder, ids, oneLine, read, write } from './support.js'

const WEB = documents(90, 1)
const BOOKS = documents(40, 2).map((record) => ({ ...record, id: record.id + 1000 }))

async function sources(t: ExecutionContext): Promise<{ dir: string; web: string[]; books: string[] }> {
  const dir = await folder(t)
  const web = [
    await write(join(dir, 'a.jsonl.gz'), WEB.slice(0, 31)),
    await write(join(dir, 'b.jsonl'), WEB.slice(31)),
  ]
  return { dir, web, books: [await write(join(dir, 'c.parquet'), BOOKS)] }
}

for (const name of ['mix.jsonl', 'mix.jsonl.gz', 'mix.jsonl.zst', 'mix.parquet']) {
  test(`${name} has the records of the mixture in memory, in its order`, async (t) => {
    const { dir, web, books } = await sources(t)
    const { source, index, epochs } = await corpus.mixSources([90, 40], { weights: [0.5, 2.25], seed: 3 })
    const all = [WEB, BOOKS]
    const want = Array.from(source, (s, i) => all[s]?.[index[i] as number]?.id)
    for (const threads of [1, 2]) {
      const out = join(dir, name)
      const options = { epochs: [0.5, 2.25], seed: 3, out, threads, force: true }
      const mixed = await corpus.mixFiles({ web, books }, options)
      t.deepEqual(await ids(out), want as number[])
      t.is(mixed.records, want.length)
      t.deepEqual(
        mixed.sources.map(({ name, records, epochs }) => ({ name, records, epochs })),
        [
          { name: 'web', records: 90, epochs: epochs[0] },
          { name: 'books', records: 40, epochs: epochs[1] },
        ],
      )
      const manifest = JSON.parse(await readFile(mixed.manifest as string, 'utf8'))
      t.is(manifest.method, 'mix')
      t.is(manifest.sources[1].mixed, mixed.sources[1]?.mixed)
    }
    const left = (await readdir(dir)).filter((file) => file.includes('tamis'))
    t.deepEqual(left, [])
  })
}

test('proportions are of records or of tokens; text stays text', async (t) => {
  const { dir, web, books } = await sources(t)
  const out = join(dir, 'mix.jsonl')
  const plain = await corpus.mixFiles([web, books], { proportions: [3, 1], total: 4000, out })
  t.is(plain.records, 4000)
  t.true(Math.abs((plain.sources[0]?.mixed as number) - 3000) < 150)
  const tokens = await corpus.mixFiles([web, books], { proportions: [1, 1], by: 'tokens', dryRun: true })
  t.deepEqual([tokens.files, tokens.manifest, tokens.records], [[], undefined, 130])
  const texts = await write(join(dir, 't.txt'), WEB)
  const file = join(dir, 'mix.txt')
  await corpus.mixFiles([texts], { epochs: [2], out: file })
  const lines = (await read(file)).map((record) => record.text as string)
  t.deepEqual(lines.sort(), [...WEB, ...WEB].map((record) => oneLine(record.text)).sort())
})

test('what does not fit is refused, and nothing stays', async (t) => {
  const { dir, web, books } = await sources(t)
  const out = join(dir, 'mix.jsonl')
  const of = (o: object, s: never = [web, books] as never) => corpus.mixFiles(s, { out, ...o })
  const range = (message: RegExp) => ({ code: 'ERR_TAMIS_RANGE', message })
  await t.throwsAsync(of({ out: join(dir, 'folder') }), range(/out must be one file/))
  await t.throwsAsync(of({ out: undefined }), range(/out must say/))
  await t.throwsAsync(of({ out: join(dir, 'mix.txt') }), range(/no lines of text/))
  await t.throwsAsync(of({ epochs: [1, 1], proportions: [1, 1] }), range(/must not both/))
  await t.throwsAsync(of({ epochs: [1] }), { code: 'ERR_TAMIS_SHAPE' })
  await t.throwsAsync(of({ proportions: [-1, 2] }), range(/proportions/))
  await t.throwsAsync(of({ by: 'tokens' }), range(/needs proportions/))
  await t.throwsAsync(of({}, [] as never), { code: 'ERR_TAMIS_TYPE' })
  await t.throwsAsync(of({ signal: AbortSignal.abort() }), { code: 'ERR_TAMIS_ABORTED' })
  await t.throwsAsync(of({ out: books[0] }), range(/would replace the input/))
  t.deepEqual((await readdir(dir)).sort(), ['a.jsonl.gz', 'b.jsonl', 'c.parquet'])
})
