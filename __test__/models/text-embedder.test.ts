import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { models, setThreads } from 'tamis'
import { miniLm } from '../../scripts/models.js'

const found = miniLm()
const folder = 'path' in found ? found.path : ''
const withModel = 'path' in found ? test : test.skip
if ('missing' in found) console.log(`# skipped: ${found.missing}`)

interface Reference {
  texts: string[]
  tokens: number[][]
  embeddings: number[][]
  cls: { text: number; embedding: number[] }[]
}
const reference: Reference = JSON.parse(readFileSync(new URL('embeddings.json', import.meta.url), 'utf8'))

function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] as number))), 0)
}

/** A folder of the model's files, to be spoilt. */
function copied(t: { teardown(clean: () => void): void }): string {
  const copy = mkdtempSync(join(tmpdir(), 'tamis-model-'))
  t.teardown(() => rmSync(copy, { recursive: true, force: true }))
  cpSync(folder, copy, { recursive: true })
  return copy
}

function edit(path: string, change: (json: Record<string, unknown>) => void): void {
  const json = JSON.parse(readFileSync(path, 'utf8'))
  change(json)
  writeFileSync(path, JSON.stringify(json))
}

withModel('tokens and vectors are those of the model elsewhere', async (t) => {
  const embedder = await models.TextEmbedder.load(folder)
  t.deepEqual(
    [embedder.dimensions, embedder.maxTokens, embedder.pooling, embedder.normalize],
    [384, 256, 'mean', true],
  )
  const tokens = await embedder.encode(reference.texts)
  t.deepEqual(
    tokens.map((list) => [...list]),
    reference.tokens,
  )
  // The model's own limit rules over the 128 tokens and the padding of its tokenizer's file.
  t.true(tokens.some((list) => list.length > 128))
  const { data, dims } = await embedder.embed(reference.texts)
  t.deepEqual(dims, [reference.texts.length, 384])
  for (const [i, want] of reference.embeddings.entries()) {
    const row = data.subarray(i * 384, (i + 1) * 384)
    t.true(largestDifference(row, want) < 1e-4, `${i}: ${largestDifference(row, want)}`)
  }
})

withModel('the first token makes the vector where it is asked for', async (t) => {
  const embedder = await models.TextEmbedder.load(folder, { pooling: 'cls' })
  for (const { text, embedding } of reference.cls) {
    const { data } = await embedder.embed([reference.texts[text] as string])
    t.true(largestDifference(data, embedding) < 1e-4)
  }
})

withModel('threads and company do not show', async (t) => {
  t.teardown(() => setThreads(0))
  const embedder = await models.TextEmbedder.load(folder)
  const texts = Array.from({ length: 60 }, (_, i) => reference.texts[i % reference.texts.length] as string)
  setThreads(1)
  const { data: want } = await embedder.embed(texts)
  for (const threads of [2, 7]) {
    setThreads(threads)
    t.deepEqual((await embedder.embed(texts)).data, want, `${threads} threads`)
  }
  const [first] = texts as [string]
  t.true(largestDifference((await embedder.embed([first])).data, want.subarray(0, 384)) < 1e-5)
  t.is((await embedder.embed([])).data.length, 0)
})

withModel('a text of megabytes is cut like a short one', async (t) => {
  const embedder = await models.TextEmbedder.load(folder)
  const text = 'The miller keeps what is fine. '.repeat(100_000)
  const [long, short] = await embedder.encode([text, text.slice(0, 20_000)])
  t.is(long?.length, 256)
  t.deepEqual(long, short)
})

withModel('options rule over the files', async (t) => {
  const embedder = await models.TextEmbedder.load(folder, { maxTokens: 8, normalize: false })
  const [tokens] = await embedder.encode([reference.texts[3] as string])
  t.is(tokens?.length, 8)
  const { data } = await embedder.embed(['sieve'])
  t.true(Math.abs(Math.hypot(...data) - 1) > 1e-3)
  const options = [
    [{ maxTokens: 513 }, /^maxTokens must be at most 512, the positions of the model, got 513/],
    [{ maxTokens: 2 }, /^maxTokens must be an integer/],
    [{ pooling: 'max' as 'cls' }, /^pooling must be/],
    [{ normalise: true } as object, /normalise/],
  ] as const
  for (const [option, message] of options) {
    await t.throwsAsync(models.TextEmbedder.load(folder, option), { message })
  }
})

withModel('what is not read is refused by its name', async (t) => {
  const copy = copied(t)
  const config = join(copy, 'config.json')
  const whole = readFileSync(config)
  const spoilt: [string, (json: Record<string, unknown>) => void, RegExp][] = [
    [
      'config.json',
      (json) => Object.assign(json, { model_type: 'mpnet' }),
      /config\.json: model_type is "mpnet": .*bert/,
    ],
    ['config.json', (json) => Object.assign(json, { hidden_act: 'swish' }), /hidden_act is "swish"/],
    [
      'config.json',
      (json) => Object.assign(json, { hidden_size: 380 }),
      /num_attention_heads must divide hidden_size: 12, 380/,
    ],
    [
      'config.json',
      (json) => Object.assign(json, { num_hidden_layers: 7 }),
      /the tensor "encoder\.layer\.6\..*" is missing/,
    ],
    [
      'config.json',
      (json) => Object.assign(json, { intermediate_size: 1535 }),
      /has the shape \[1536, 384\], the configuration wants \[1535, 384\]/,
    ],
    ['config.json', (json) => Reflect.deleteProperty(json, 'vocab_size'), /vocab_size is missing/],
    [
      'config.json',
      (json) => Object.assign(json, { vocab_size: '30522' }),
      /vocab_size must be a whole number .*got "30522"/,
    ],
    [
      'config.json',
      (json) => Object.assign(json, { position_embedding_type: 'relative_key' }),
      /position_embedding_type is "relative_key"/,
    ],
  ]
  for (const [file, change, message] of spoilt) {
    edit(join(copy, file), change)
    await t.throwsAsync(models.TextEmbedder.load(copy), { code: 'ERR_TAMIS_FORMAT', message })
    writeFileSync(config, whole)
  }
  edit(join(copy, '1_Pooling', 'config.json'), (json) =>
    Object.assign(json, { pooling_mode_max_tokens: true }),
  )
  await t.throwsAsync(models.TextEmbedder.load(copy), {
    code: 'ERR_TAMIS_FORMAT',
    message: /pools by \[pooling_mode_mean_tokens, pooling_mode_max_tokens\]/,
  })
  writeFileSync(join(copy, 'modules.json'), JSON.stringify([{ type: 'x.Dense', path: '2_Dense' }]))
  await t.throwsAsync(models.TextEmbedder.load(copy), { message: /module 0 is "x\.Dense"/ })
  writeFileSync(join(copy, 'modules.json'), JSON.stringify([{ type: 'x.Pooling', path: '../1_Pooling' }]))
  await t.throwsAsync(models.TextEmbedder.load(copy), { message: /no folder in this one/ })
  rmSync(join(copy, 'modules.json'))
  writeFileSync(join(copy, 'tokenizer.json'), '{"version": "1.0"}')
  await t.throwsAsync(models.TextEmbedder.load(copy), {
    code: 'ERR_TAMIS_FORMAT',
    message: /tokenizer\.json: is no tokenizer/,
  })
  rmSync(join(copy, 'tokenizer.json'))
  await t.throwsAsync(models.TextEmbedder.load(copy), { code: 'ERR_TAMIS_IO', message: /tokenizer\.json/ })
})

test('a folder that is none is refused', async (t) => {
  await t.throwsAsync(models.TextEmbedder.load('/nowhere/at/all'), { code: 'ERR_TAMIS_IO' })
  await t.throwsAsync(models.TextEmbedder.load(7 as unknown as string), {
    code: 'ERR_TAMIS_TYPE',
    message: 'folder must be a path, got 7',
  })
  await t.throwsAsync(models.TextEmbedder.load(''), { code: 'ERR_TAMIS_RANGE' })
})

withModel('a call can be stopped, tells how far it is, and a model can be let go of', async (t) => {
  const embedder = await models.TextEmbedder.load(folder)
  const texts = Array.from({ length: 400 }, (_, i) => `${i} ${reference.texts[3]}`)
  await t.throwsAsync(embedder.embed(texts, { signal: AbortSignal.abort() }), { code: 'ERR_TAMIS_ABORTED' })
  const stop = new AbortController()
  const stopped = embedder.embed(texts, { signal: stop.signal })
  stop.abort()
  await t.throwsAsync(stopped, { code: 'ERR_TAMIS_ABORTED' })
  const told: models.ModelProgress[] = []
  await embedder.embed(texts, { onProgress: (progress) => told.push(progress) })
  t.deepEqual(told.at(-1), { done: 400, total: 400 })
  await t.throwsAsync(embedder.embed(['a', 7 as unknown as string]), {
    code: 'ERR_TAMIS_TYPE',
    message: 'texts[1] must be a string, got Number',
  })
  const running = embedder.embed(['sieve'])
  embedder.dispose()
  embedder.dispose()
  t.is((await running).data.length, 384)
  await t.throwsAsync(embedder.embed(['sieve']), { message: /the model was closed/ })
})
