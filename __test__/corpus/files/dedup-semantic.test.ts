/** Duplicates in files by their embeddings. */
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { corpus, type TamisError } from 'tamis'
import { folder, ids, jsonl, lcg, read } from './support.js'

interface Pointed {
  id: number
  text: string
  embedding: number[]
}

/** Every third one nearly along the one before it, the others anywhere. */
function pointed(n: number, width = 16): Pointed[] {
  const next = lcg(4)
  const all: Pointed[] = []
  for (let id = 0; id < n; id++) {
    const earlier = all[id - 1]
    const embedding =
      id % 3 === 2 && earlier
        ? earlier.embedding.map((x) => 2 * x + 0.01 * (next() - 0.5))
        : Array.from({ length: width }, () => next() - 0.5)
    all.push({ id, text: `text ${id}`, embedding })
  }
  return all
}

const POOL = pointed(120)

/** The first of each group, by comparing all pairs. */
function first(pool: Pointed[], threshold: number, same = (_a: number, _b: number) => true): number[] {
  const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * (b[i] as number), 0)
  const group = pool.map((_, i) => i)
  for (const [j, b] of pool.entries()) {
    for (const [i, a] of pool.slice(0, j).entries()) {
      const cosine =
        dot(a.embedding, b.embedding) /
        Math.sqrt(dot(a.embedding, a.embedding) * dot(b.embedding, b.embedding))
      const [from, to] = [group[j] as number, group[i] as number]
      if (cosine >= threshold && same(i, j))
        for (const k of group.keys()) if (group[k] === from) group[k] = to
    }
  }
  return pool.filter(({ id }, i) => group.indexOf(group[i] as number) === i && id >= 0).map(({ id }) => id)
}

test('one cluster finds every pair, from a field or from files of vectors', async (t) => {
  const dir = await folder(t)
  const raw = join(dir, 'raw.jsonl')
  await writeFile(raw, jsonl(POOL))
  const wanted = first(POOL, 0.95)
  t.true(wanted.length <= 80)
  const out = join(dir, 'kept.jsonl')
  const clusters = join(dir, 'clusters.jsonl')
  const done = await corpus.dedupFilesSemantic([raw], { out, clusters, k: 1 })
  t.deepEqual(await ids(out), wanted)
  t.deepEqual([done.records, done.kept, done.dropped], [120, wanted.length, 120 - wanted.length])
  for (const row of await read(clusters)) t.is(row.of_record, (row.record as number) - 1)
  const texts = join(dir, 'texts.jsonl')
  await writeFile(texts, jsonl(POOL.map(({ id, text }) => ({ id, text }))))
  await corpus.dedupFilesSemantic([texts], {
    vectors: [raw],
    vectorsName: 'embedding',
    out,
    k: 1,
    force: true,
  })
  t.deepEqual(await ids(out), wanted)
})

test('clusters keep what is alike together; sources and the threshold part it', async (t) => {
  const dir = await folder(t)
  const [a, b] = [join(dir, 'a.jsonl'), join(dir, 'b.jsonl')]
  await writeFile(a, jsonl(POOL.slice(0, 62)))
  await writeFile(b, jsonl(POOL.slice(62)))
  const out = join(dir, 'kept.jsonl')
  const options = { out, force: true }
  await corpus.dedupFilesSemantic([a, b], options)
  t.deepEqual(await ids(out), first(POOL, 0.95))
  await corpus.dedupFilesSemantic([a, b], { ...options, scope: 'local' })
  t.deepEqual(
    await ids(out),
    first(POOL, 0.95, (i, j) => i >= 62 || j < 62),
  )
  await corpus.dedupFilesSemantic([a, b], { ...options, threshold: 1 })
  t.is((await ids(out)).length, 120)
  t.deepEqual((await readdir(dir)).sort(), ['a.jsonl', 'b.jsonl', 'kept.jsonl', 'kept.jsonl.manifest.json'])
})

test('what is wrong is said', async (t) => {
  const dir = await folder(t)
  const raw = join(dir, 'raw.jsonl')
  const out = join(dir, 'kept.jsonl')
  await writeFile(raw, jsonl(POOL))
  const semantic = (options: object) => corpus.dedupFilesSemantic([raw], { out, ...options } as never)
  for (const [options, code, message] of [
    [{ threshold: 0 }, 'ERR_TAMIS_RANGE', /threshold/],
    [{ k: 0 }, 'ERR_TAMIS_RANGE', /k must be/],
    [{ k: 121 }, 'ERR_TAMIS_RANGE', /k must be at most the 120 records/],
    [{ against: [raw] }, 'ERR_TAMIS_TYPE', /unknown option "against"/],
    [{ embeddings: 'vector' }, 'ERR_TAMIS_FORMAT', /raw\.jsonl:1: no array of numbers in the field "vector"/],
    [{ embeddings: 'embedding', vectors: raw }, 'ERR_TAMIS_RANGE', /give one/],
  ] as const) {
    await t.throwsAsync(semantic(options), { name: 'TamisError', code, message }, String(message))
  }
  await writeFile(raw, jsonl([...POOL.slice(0, 3), { id: 3, text: 'x', embedding: Array(16).fill(0) }]))
  const error = (await t.throwsAsync(semantic({}))) as TamisError
  t.regex(error.message, /row 3/)
  t.deepEqual(await readdir(dir), ['raw.jsonl'])
  await writeFile(raw, '')
  t.is((await semantic({})).kept, 0)
})
