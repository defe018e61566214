/** Small corpora in every format, and how to read them back. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import type { ExecutionContext } from 'ava'
import { decompress as unzstd } from 'fzstd'
import { parquetReadObjects } from 'hyparquet'
import { compressors } from 'hyparquet-compressors'
import { parquetWriteBuffer } from 'hyparquet-writer'

export interface Document {
  id: number
  text: string
  meta: { lang: string; score: number }
}

/** A folder that goes with the test. */
export async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'tamis-test-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

const WORDS: Record<'garden' | 'ledger', string[]> = {
  garden: 'the soil needs water when seeds sprout in spring and roots grow under leaves of green herbs'.split(
    ' ',
  ),
  ledger:
    'the bank sums interest on loans each quarter and books profit against debt in the annual report'.split(
      ' ',
    ),
}

/** Numbers that look random and are the same everywhere. */
export function lcg(seed: number): () => number {
  let state = (seed * 2654435761 + 12345) >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** Documents of 20 to 180 words, `share` of them about gardens, the others about ledgers. */
export function documents(n: number, seed: number, share = 0.5): Document[] {
  const next = lcg(seed)
  return Array.from({ length: n }, (_, id) => {
    const topic = next() < share ? WORDS.garden : WORDS.ledger
    const length = 20 + Math.floor(next() * 160)
    const words = Array.from({ length }, () => {
      const from = next() < 0.8 ? topic : next() < 0.5 ? WORDS.garden : WORDS.ledger
      const word = from[Math.floor(next() * from.length)] as string
      return next() < 0.05 ? `${word}${Math.floor(next() * 50)}` : word
    })
    const text = `${words.join(' ')} — “№ ${id}” é\n\t\\"`
    return { id, text, meta: { lang: id % 3 === 0 ? 'de' : 'en', score: id / 8 } }
  })
}

export const texts = (records: readonly Document[]): string[] => records.map((record) => record.text)

/** One line a record, with spaces in every third. */
export function lines(records: readonly object[]): string[] {
  return records.map((record) =>
    JSON.stringify(record, null, Number('id' in record && record.id) % 3 === 0 ? 1 : 0).replaceAll('\n', ' '),
  )
}

export const jsonl = (records: readonly object[]): string =>
  lines(records)
    .map((line) => `${line}\n`)
    .join('')

/** Bytes as a Zstandard frame of blocks that are not compressed. */
export function zstd(bytes: Buffer): Buffer {
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0])
  header.writeUInt32LE(bytes.length, 5)
  const blocks: Buffer[] = [header]
  const size = 100_000
  for (let start = 0; start === 0 || start < bytes.length; start += size) {
    const block = bytes.subarray(start, start + size)
    const last = start + size >= bytes.length ? 1 : 0
    const head = Buffer.alloc(3)
    head.writeUIntLE((block.length << 3) | last, 0, 3)
    blocks.push(head, block)
  }
  return Buffer.concat(blocks)
}

export function parquet(records: readonly Document[], rowGroupSize = 64): Buffer {
  const data = (of: (record: Document) => unknown) => records.map(of)
  const bytes = parquetWriteBuffer({
    columnData: [
      { name: 'id', data: data((r) => r.id), type: 'INT32', nullable: false },
      { name: 'text', data: data((r) => r.text), type: 'STRING' },
      { name: 'lang', data: data((r) => r.meta.lang), type: 'STRING' },
    ],
    rowGroupSize,
  })
  return Buffer.from(bytes)
}

export type Ending = 'jsonl' | 'jsonl.gz' | 'jsonl.zst' | 'parquet' | 'txt'

/** Writes records in the form of the file's ending; as text, their lines without breaks. */
export async function write(path: string, records: readonly Document[]): Promise<string> {
  const text = Buffer.from(jsonl(records))
  if (path.endsWith('.parquet')) await writeFile(path, parquet(records))
  else if (path.endsWith('.gz')) await writeFile(path, gzipSync(text))
  else if (path.endsWith('.zst')) await writeFile(path, zstd(text))
  else if (path.endsWith('.txt')) await writeFile(path, records.map((r) => `${oneLine(r.text)}\n`).join(''))
  else await writeFile(path, text)
  return path
}

export const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim()

/** The records of a file, whatever its form. */
export async function read(path: string): Promise<Record<string, unknown>[]> {
  const bytes = await readFile(path)
  if (path.endsWith('.parquet')) {
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength)
    return parquetReadObjects({ file, compressors })
  }
  const text = path.endsWith('.gz')
    ? gunzipSync(bytes).toString()
    : path.endsWith('.zst')
      ? Buffer.from(unzstd(bytes)).toString()
      : bytes.toString()
  const all = text.split('\n')
  if (all.pop() !== '') throw new Error(`${path} does not end in a line break`)
  return all.map((line) => (path.endsWith('.txt') ? { text: line } : JSON.parse(line)))
}

/** The `id` fields of a file's records. */
export async function ids(path: string): Promise<number[]> {
  return (await read(path)).map((record) => Number(record.id))
}

/** Cuts a list into `n` runs. */
export function split<T>(list: readonly T[], n: number): T[][] {
  return Array.from({ length: n }, (_, i) =>
    list.slice(Math.floor((i * list.length) / n), Math.floor(((i + 1) * list.length) / n)),
  )
}
