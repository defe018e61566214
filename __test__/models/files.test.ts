import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { corpus, models, setThreads } from 'tamis'
import { miniLm, smolLm } from '../../scripts/models.js'
import { tamis } from '../cli/command.js'

const [mini, smol] = [miniLm(), smolLm()]
const withMini = 'path' in mini ? test.serial : test.serial.skip
const withSmol = 'path' in smol ? test.serial : test.serial.skip
for (const found of [mini, smol]) if ('missing' in found) console.log(`# skipped: ${found.missing}`)
const embedder = 'path' in mini ? mini.path : ''
const language = 'path' in smol ? smol.path : ''

const WORDS = 'a sieve keeps what is fine and lets the rest of the flour of the mill go by'.split(' ')
const textOf = (i: number) =>
  Array.from({ length: 3 + (i % 9) }, (_, j) => WORDS[(7 * i + 3 * j) % WORDS.length]).join(' ')

/** A folder with two files of records. */
function records(t: { teardown(clean: () => void): void }, n = 40): string {
  const folder = mkdtempSync(join(tmpdir(), 'tamis-models-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const lines = Array.from({ length: n }, (_, i) => JSON.stringify({ id: i, text: textOf(i) }))
  writeFileSync(join(folder, 'a.jsonl'), `${lines.slice(0, n / 2).join('\n')}\n`)
  writeFileSync(join(folder, 'b.jsonl'), lines.slice(n / 2).join('\n'))
  return folder
}

const texts = (n: number) => Array.from({ length: n }, (_, i) => textOf(i))

withMini('vectors of files are those of their texts, in every form', async (t) => {
  const folder = records(t)
  const inputs = [join(folder, 'a.jsonl'), join(folder, 'b.jsonl')]
  const model = await models.TextEmbedder.load(embedder)
  const { data: want } = await model.embed(texts(40))
  for (const ending of ['safetensors', 'npy', 'parquet']) {
    const out = join(folder, `vectors.${ending}`)
    const done = await models.embedFiles(inputs, { model: embedder, out })
    t.deepEqual([done.records, done.dimensions, done.skipped, done.file], [40, 384, 0, out])
    const got = await corpus.readVectors([out])
    t.deepEqual(got.dims, [40, 384])
    const most = got.data.reduce((most, x, i) => Math.max(most, Math.abs(x - (want[i] as number))), 0)
    t.true(most < 1e-6, `${ending}: ${most}`)
    const manifest = JSON.parse(readFileSync(done.manifest, 'utf8'))
    t.is(manifest.method, 'embed')
    t.is(manifest.outputs[0].bytes, readFileSync(out).length)
    const { createHash } = await import('node:crypto')
    t.is(manifest.outputs[0].sha256, createHash('sha256').update(readFileSync(out)).digest('hex'))
    t.false(existsSync(join(folder, `.vectors.${ending}.tamis-state`)))
    await t.throwsAsync(models.embedFiles(inputs, { model: embedder, out }), { message: /exists/ })
  }
})

withMini('threads and an interruption do not show', async (t) => {
  t.teardown(() => setThreads(0))
  const folder = records(t, 400)
  const inputs = [join(folder, 'a.jsonl'), join(folder, 'b.jsonl')]
  const out = join(folder, 'vectors.npy')
  const how = { model: embedder, out, force: true }
  await models.embedFiles(inputs, how)
  const want = readFileSync(out)
  setThreads(1)
  await models.embedFiles(inputs, how)
  t.deepEqual(readFileSync(out), want)
  setThreads(0)
  rmSync(out)
  // The first file is a shard, and done when the second is begun.
  const stop = new AbortController()
  const onProgress = ({ records }: { records: number }) => records > 200 && stop.abort()
  const error = await t.throwsAsync(
    models.embedFiles(inputs, { model: embedder, out, signal: stop.signal, onProgress }),
    { code: 'ERR_TAMIS_ABORTED' },
  )
  t.regex(error?.message as string, /resume/)
  t.false(existsSync(out))
  await t.throwsAsync(models.embedFiles(inputs, { model: embedder, out, resume: true, maxTokens: 5 }), {
    message: /its options were others/,
  })
  const told: number[] = []
  await models.embedFiles(inputs, {
    model: embedder,
    out,
    resume: true,
    onProgress: ({ records }) => told.push(records),
  })
  t.deepEqual(readFileSync(out), want)
})

withMini('what was changed since is named', async (t) => {
  const folder = records(t, 400)
  const inputs = [join(folder, 'a.jsonl')]
  const out = join(folder, 'vectors.npy')
  const stop = new AbortController()
  const onProgress = ({ records }: { records: number }) => records > 0 && stop.abort()
  await t.throwsAsync(models.embedFiles(inputs, { model: embedder, out, signal: stop.signal, onProgress }))
  utimesSync(inputs[0] as string, 1, 1)
  await t.throwsAsync(models.embedFiles(inputs, { model: embedder, out, resume: true }), {
    message: /a\.jsonl was changed/,
  })
})

withSmol('records get their losses, and keep all else', async (t) => {
  const folder = records(t)
  writeFileSync(join(folder, 'c.jsonl'), '{"text":"","other":[1, 2]}\n{"text":"Hello"}\n')
  const inputs = ['a', 'b', 'c'].map((name) => join(folder, `${name}.jsonl`))
  const model = await models.CausalLM.load(language)
  const { losses, counts } = await model.sequenceLosses([...texts(40), '', 'Hello'])
  const out = join(folder, 'scored.jsonl')
  const done = await models.scoreFiles(inputs, { model: language, out })
  t.deepEqual([done.records, done.tokens], [42, counts.reduce((a, b) => a + b, 0)])
  const lines = readFileSync(out, 'utf8').trimEnd().split('\n')
  t.is(lines.length, 42)
  for (const [i, line] of lines.entries()) {
    const { tamis: scored, ...own } = JSON.parse(line)
    if (i < 40) t.deepEqual(own, { id: i, text: textOf(i) })
    t.is(scored.tokens, counts[i])
    const loss = losses.data[i] as number
    if (Number.isNaN(loss)) t.deepEqual([scored.loss, scored.perplexity], [null, null])
    else {
      t.true(Math.abs(scored.loss - loss) < 1e-5)
      t.true(Math.abs(scored.perplexity / Math.exp(loss) - 1) < 1e-4)
    }
  }
  t.true(lines[40]?.startsWith('{"text":"","other":[1, 2],"tamis":'))
  const parquet = join(folder, 'scored.parquet')
  const { files } = await models.scoreFiles(inputs.slice(0, 2), { model: language, out: parquet })
  t.deepEqual(files, [parquet])
  // What was scored can be chosen by.
  const kept = join(folder, 'kept.jsonl')
  await corpus.selectFilesByLossReduction([out], {
    priorLoss: 'tamis.perplexity',
    conditionalLoss: 'tamis.loss',
    count: 5,
    out: kept,
    onBadRecord: 'skip',
  })
  t.is(readFileSync(kept, 'utf8').trimEnd().split('\n').length, 5)
})

withSmol('an interrupted scoring goes on', async (t) => {
  const folder = records(t, 200)
  const inputs = [join(folder, 'a.jsonl'), join(folder, 'b.jsonl')]
  const out = join(folder, 'scored.jsonl')
  await models.scoreFiles(inputs, { model: language, out })
  const want = readFileSync(out)
  rmSync(out)
  const stop = new AbortController()
  const onProgress = ({ records }: { records: number }) => records > 100 && stop.abort()
  await t.throwsAsync(models.scoreFiles(inputs, { model: language, out, signal: stop.signal, onProgress }), {
    code: 'ERR_TAMIS_ABORTED',
  })
  await models.scoreFiles(inputs, { model: language, out, resume: true })
  t.deepEqual(readFileSync(out), want)
})

withMini('the commands say what they did', async (t) => {
  const folder = records(t)
  const out = join(folder, 'vectors.safetensors')
  const { code, stdout } = await tamis(['embed', join(folder, '*.jsonl'), '--model', embedder, '--out', out])
  t.is(code, 0)
  t.regex(stdout, /embedded +40 records/)
  const bad = await tamis(['embed', join(folder, '*.jsonl'), '--model', folder, '--out', out])
  t.is(bad.code, 1)
  t.regex(bad.stderr, /config\.json/)
  const ending = await tamis(['embed', 'x.jsonl', '--model', embedder, '--out', 'vectors.txt'])
  t.is(ending.code, 2)
  t.regex(ending.stderr, /out must end in \.safetensors, \.npy or \.parquet/)
})

withSmol('so does the other', async (t) => {
  const folder = records(t)
  const out = join(folder, 'scored.jsonl')
  const words = ['score', join(folder, '*.jsonl'), '--model', language, '--out', out, '--json']
  const { code, stdout } = await tamis(words)
  t.is(code, 0)
  t.is(JSON.parse(stdout).records, 40)
  t.is((await tamis(words)).code, 2)
  const bad = await tamis(['score', join(folder, '*.jsonl'), '--model', language])
  t.is(bad.code, 2)
  t.regex(bad.stderr, /--out/)
})
