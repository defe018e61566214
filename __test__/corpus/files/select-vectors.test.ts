import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { corpus, kernels, type Tensor } from 'tamis'
import { type Document, documents, folder, ids, jsonl, texts, write } from './support.js'

const N = 240
const WIDTH = 6
const RAW = documents(N, 1)
const DATA = kernels.normalSync(N * WIDTH, { seed: 5 }).data as Float32Array
const X: Tensor<'float32'> = { type: 'float32', dims: [N, WIDTH], data: DATA }
const row = (i: number) => Array.from(DATA.subarray(i * WIDTH, (i + 1) * WIDTH))
const quality = (i: number) => ((i * 7) % 11) / 4
const records = RAW.map((record, i) => ({ ...record, deep: { vector: row(i) }, quality: quality(i) }))

function npy(data: Float32Array, rows: number): Buffer {
  const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${data.length / rows}), }`
  const header = `${dict.padEnd(117)}\n`
  const head = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length, 0])
  return Buffer.concat([
    head,
    Buffer.from(header),
    Buffer.from(data.buffer, data.byteOffset, data.byteLength),
  ])
}

function safetensors(): Buffer {
  const entry = { dtype: 'F32', shape: [N, WIDTH], data_offsets: [0, DATA.byteLength] }
  const header = Buffer.from(JSON.stringify({ emb: entry }))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([length, header, Buffer.from(DATA.buffer, DATA.byteOffset, DATA.byteLength)])
}

function table(): Buffer {
  const rows = Array.from({ length: N }, (_, i) => row(i))
  const schema = [
    { name: 'root', num_children: 3 },
    { name: 'id', type: 'INT32', repetition_type: 'REQUIRED' },
    { name: 'text', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
    { name: 'vector', repetition_type: 'OPTIONAL', num_children: 1, converted_type: 'LIST' },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', type: 'FLOAT', repetition_type: 'OPTIONAL' },
  ]
  const columnData = [
    { name: 'id', data: RAW.map((r) => r.id) },
    { name: 'text', data: texts(RAW) },
    { name: 'vector', data: rows },
  ]
  return Buffer.from(parquetWriteBuffer({ columnData, schema, rowGroupSize: 50 } as never))
}

/** The pool in two files, with vectors inside and in every form beside them. */
async function pool(t: ExecutionContext): Promise<string> {
  const dir = await folder(t)
  await mkdir(join(dir, 'raw'))
  await writeFile(join(dir, 'raw/a.jsonl'), jsonl(records.slice(0, 100)))
  await writeFile(join(dir, 'raw/b.jsonl.gz'), gzipSync(jsonl(records.slice(100))))
  await writeFile(join(dir, 'x.npy'), npy(DATA, N))
  await writeFile(join(dir, 'x1.npy'), npy(DATA.slice(0, 33 * WIDTH), 33))
  await writeFile(join(dir, 'x2.npy'), npy(DATA.slice(33 * WIDTH), N - 33))
  await writeFile(join(dir, 'x.safetensors'), safetensors())
  await writeFile(join(dir, 'x.parquet'), table())
  return dir
}

async function kept(files: string[]): Promise<number[]> {
  return (await Promise.all(files.map(ids))).flat()
}

const indices = (t: Tensor): number[] => Array.from(t.data as Uint32Array, (i) => (RAW[i] as Document).id)

test('vectors are the same from every file', async (t) => {
  const dir = await pool(t)
  for (const name of ['x.npy', 'x.safetensors', 'x.parquet']) {
    t.deepEqual(await corpus.readVectors(join(dir, name)), X, name)
  }
  t.deepEqual(await corpus.readVectors([join(dir, 'x1.npy'), join(dir, 'x2.npy')]), X)
  t.deepEqual(
    await corpus.readVectors([join(dir, 'raw/a.jsonl'), join(dir, 'raw/b.jsonl.gz')], {
      name: 'deep.vector',
    }),
    X,
  )
  await t.throwsAsync(corpus.readVectors(join(dir, 'raw/a.jsonl')), {
    code: 'ERR_TAMIS_FORMAT',
    message: /a\.jsonl:1: no array of numbers in the field "embedding" \(no such field\)/,
  })
  await t.throwsAsync(corpus.readVectors(join(dir, 'none.npy')), { code: 'ERR_TAMIS_IO' })
  await t.throwsAsync(corpus.readVectors([]), { code: 'ERR_TAMIS_TYPE' })
})

test('what is kept of files is what is kept of their vectors in memory', async (t) => {
  const dir = await pool(t)
  const raw = [join(dir, 'raw')]
  const sources = [
    { embeddings: 'deep.vector' },
    { vectors: join(dir, 'x.npy') },
    { vectors: [join(dir, 'x1.npy'), join(dir, 'x2.npy')] },
    { vectors: join(dir, 'x.safetensors'), vectorsName: 'emb' },
  ]
  const diverse = indices((await corpus.selectDiverse(X, { count: 30, clusters: 6, seed: 4 })).indices)
  const { scores } = await corpus.prototypeScores(X, { clusters: 7, seed: 4 })
  const hard = indices((await corpus.pruneByScore(scores, { ratio: 0.25 })).indices)
  const far = (await kernels.farthestFirst(X, { k: 12, seed: 4 })).indices
  for (const [i, source] of sources.entries()) {
    const out = join(dir, `out${i}`)
    const options = { ...source, out, force: true, seed: 4, threads: 1 + (i % 2) }
    const kmq = await corpus.selectFilesByClusters(raw, { ...options, count: 30, clusters: 6 })
    t.deepEqual(await kept(kmq.files), diverse)
    t.is(kmq.report.method, 'kmq')
    t.is(kmq.candidates, N)
    const prototypes = await corpus.selectFilesByPrototypes(raw, { ...options, fraction: 0.25, clusters: 7 })
    t.deepEqual(await kept(prototypes.files), hard)
    const maxmin = await corpus.selectFilesByDistance(raw, { ...options, count: 12 })
    t.deepEqual(await kept(maxmin.files), indices({ type: 'uint32', dims: [12], data: far.slice().sort() }))
    const manifest = JSON.parse(await readFile(maxmin.manifest as string, 'utf8'))
    t.is(manifest.totals.kept, 12)
    t.is(manifest.inputs[0].sha256.length, 64)
  }
  const ofTable = await corpus.selectFilesByClusters([join(dir, 'x.parquet')], {
    embeddings: 'vector',
    out: join(dir, 'kept.parquet'),
    count: 30,
    clusters: 6,
    seed: 4,
  })
  t.deepEqual(await kept(ofTable.files), diverse)
})

test('quality comes from a field, scores go to a file, vectors can be normalised', async (t) => {
  const dir = await pool(t)
  const raw = [join(dir, 'raw')]
  const base = { embeddings: 'deep.vector', out: join(dir, 'out.jsonl'), force: true }
  const worth: Tensor = {
    type: 'float64',
    dims: [N],
    data: Float64Array.from({ length: N }, (_, i) => quality(i)),
  }
  const want = await corpus.selectDiverse(X, { count: 20, clusters: 4, quality: worth })
  const scores = join(dir, 'scores.parquet')
  const got = await corpus.selectFilesByClusters(raw, {
    ...base,
    count: 20,
    clusters: 4,
    quality: 'quality',
    scores,
  })
  t.deepEqual(await kept(got.files), indices(want.indices))
  t.deepEqual((await corpus.readScores(scores)).logWeights.data, worth.data)
  const unit = Float32Array.from(DATA, (x, i) => x / Math.hypot(...row(Math.floor(i / WIDTH))))
  const normal = await corpus.selectDiverse({ ...X, data: unit }, { count: 20, clusters: 4 })
  const options = { ...base, count: 20, clusters: 4, normalize: true }
  t.deepEqual(await kept((await corpus.selectFilesByClusters(raw, options)).files), indices(normal.indices))
  const easy = await corpus.selectFilesByPrototypes(raw, {
    ...base,
    tokens: 2000,
    keep: 'easy',
    addScores: true,
  })
  t.true(easy.tokens <= 2000 && easy.tokens > 1000)
  const line = JSON.parse((await readFile(easy.files[0] as string, 'utf8')).split('\n')[0] as string)
  t.true(line.tamis.log_weight >= 0 && line.tamis.log_weight <= 2)
})

test('what does not fit is refused before anything is written', async (t) => {
  const dir = await pool(t)
  const raw = [join(dir, 'raw')]
  const out = join(dir, 'out')
  const clusters = (o: object) =>
    corpus.selectFilesByClusters(raw, { out, count: 5, embeddings: 'deep.vector', ...o })
  const range = (message: RegExp) => ({ code: 'ERR_TAMIS_RANGE', message })
  await t.throwsAsync(
    clusters({ count: undefined, tokens: 50 }),
    range(/tokens: the method kmq keeps a number/),
  )
  await t.throwsAsync(clusters({ scores: join(dir, 's.parquet') }), range(/scores: the method kmq/))
  await t.throwsAsync(clusters({ vectors: join(dir, 'x.npy') }), range(/embeddings and vectors/))
  await t.throwsAsync(clusters({ vectorsName: 'x' }), range(/vectorsName needs vectors/))
  await t.throwsAsync(clusters({ count: 241 }), range(/count exceeds the 240 records/))
  await t.throwsAsync(clusters({ embeddings: 'meta' }), {
    code: 'ERR_TAMIS_FORMAT',
    message: /a\.jsonl:1: no array of numbers in the field "meta" \(it is an object\)/,
  })
  await t.throwsAsync(clusters({ embeddings: undefined, vectors: join(dir, 'x1.npy') }), {
    code: 'ERR_TAMIS_SHAPE',
    message: /vectors must have a row for each of the 240 records, got 33/,
  })
  await t.throwsAsync(clusters({ quality: 'id2' }), { message: /no finite number in the field "id2"/ })
  await t.throwsAsync(clusters({ signal: AbortSignal.abort() }), { code: 'ERR_TAMIS_ABORTED' })
  const bad = join(dir, 'bad.jsonl')
  await writeFile(bad, `${jsonl(records.slice(0, 30))}{"text":"no vector"}\n`)
  const skip = {
    embeddings: 'deep.vector',
    count: 4,
    out: join(dir, 'good.jsonl'),
    onBadRecord: 'skip' as const,
  }
  const good = await corpus.selectFilesByDistance([bad], skip)
  t.deepEqual([good.records, good.skipped, good.kept], [30, 1, 4])
  t.deepEqual(
    (await readdir(dir)).filter((name) => name.startsWith('out') || name.startsWith('.')),
    [],
  )
})

test('a random sample is that of the noise, whatever the threads and the cut', async (t) => {
  const dir = await folder(t)
  const one = await write(join(dir, 'all.jsonl'), RAW)
  const two = [
    await write(join(dir, 'a.parquet'), RAW.slice(0, 99)),
    await write(join(dir, 'b.jsonl'), RAW.slice(99)),
  ]
  const noise = kernels.gumbelTopKSync(
    { type: 'float64', dims: [N], data: new Float64Array(N) },
    { k: 24, seed: 9 },
  )
  const want = Array.from(noise.indices.data).sort((a, b) => a - b)
  const out = join(dir, 'kept.jsonl')
  for (const [raw, threads] of [
    [[one], 1],
    [two, 2],
  ] as const) {
    const options = { fraction: 0.1, seed: 9, out, force: true, threads }
    const sample = await corpus.selectFilesAtRandom(raw, options)
    t.deepEqual(await kept(sample.files), want)
    t.false('klReduction' in sample)
  }
  const { kept: n } = await corpus.selectFilesAtRandom([one], { count: 7, dryRun: true })
  t.is(n, 7)
  await t.throwsAsync(corpus.selectFilesAtRandom([one], { count: 7, minTokens: 10_000, dryRun: true }), {
    message: /count exceeds the 0 documents/,
  })
})

test('what compression keeps of files is what it keeps in memory', async (t) => {
  const dir = await folder(t)
  const raw = [
    await write(join(dir, 'a.jsonl.gz'), RAW.slice(0, 70)),
    await write(join(dir, 'b.parquet'), RAW.slice(70)),
  ]
  const targets = documents(6, 8, 1)
  const target = [await write(join(dir, 'target.jsonl'), targets)]
  const want = await corpus.selectByCompression(texts(RAW), texts(targets), { count: 25, level: 9 })
  const scores = join(dir, 'scores.parquet')
  const out = join(dir, 'kept.jsonl')
  for (const threads of [1, 2]) {
    const options = { count: 25, level: 9, out, scores, threads, force: true }
    const found = await corpus.selectFilesByCompression(raw, target, options)
    t.deepEqual(await kept(found.files), indices(want.indices))
    t.deepEqual((await corpus.readScores(scores)).logWeights.data, want.scores.data)
    t.deepEqual([found.report.score, found.report.targets[0]?.records], ['Alignment', 6])
  }
  const range = (message: RegExp) => ({ code: 'ERR_TAMIS_RANGE', message })
  const of = (o: object) => corpus.selectFilesByCompression(raw, target, { count: 5, dryRun: true, ...o })
  await t.throwsAsync(of({ level: 0 }), range(/level must be an integer from 1 to 9/))
  await writeFile(target[0] as string, '')
  await t.throwsAsync(of({}), range(/targets must not be empty/))
})
