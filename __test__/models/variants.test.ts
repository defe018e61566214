import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { models } from 'tamis'

const folder = fileURLToPath(new URL('variants/', import.meta.url))

interface Expected {
  texts: string[]
  losses: Record<string, number[][]>
  embeddings: Record<string, number[][]>
}
const expected: Expected = JSON.parse(readFileSync(`${folder}expected.json`, 'utf8'))

for (const [name, want] of Object.entries(expected.losses)) {
  test(`losses of ${name} are those of transformers`, async (t) => {
    const model = await models.CausalLM.load(`${folder}${name}`)
    const losses = await model.losses(expected.texts)
    for (const [i, list] of want.entries()) {
      t.is(losses[i]?.length, list.length + 1)
      for (const [j, loss] of list.entries()) {
        t.true(Math.abs((losses[i]?.[j + 1] as number) - loss) < 1e-4, `${i} ${j}`)
      }
    }
    // Token by token through the cache: the same as all at once.
    const [first] = expected.texts as [string]
    const { data, dims } = await model.logits(first)
    const last = data.subarray(data.length - (dims[1] as number))
    const best = last.indexOf(last.reduce((a, b) => Math.max(a, b)))
    t.is((await model.generate(first, { maxTokens: 1 })).tokens[0], best)
  })
}

for (const [name, want] of Object.entries(expected.embeddings)) {
  test(`vectors of ${name} are those of transformers`, async (t) => {
    const model = await models.TextEmbedder.load(`${folder}${name}`)
    const { data } = await model.embed(expected.texts)
    for (const [i, row] of want.entries()) {
      for (const [j, x] of row.entries()) {
        t.true(Math.abs((data[i * model.dimensions + j] as number) - x) < 1e-5, `${i} ${j}`)
      }
    }
  })
}

for (const [name, load] of [
  ['roberta', (path: string) => models.TextEmbedder.load(path)],
  ['mistral', (path: string) => models.CausalLM.load(path)],
] as const) {
  test(`a tokenizer with tokens that ${name} does not have is refused`, async (t) => {
    const copy = mkdtempSync(join(tmpdir(), 'tamis-variant-'))
    t.teardown(() => rmSync(copy, { recursive: true, force: true }))
    cpSync(`${folder}${name}`, copy, { recursive: true })
    const path = join(copy, 'tokenizer.json')
    const tokenizer = JSON.parse(readFileSync(path, 'utf8'))
    tokenizer.model.vocab.mill = 99
    writeFileSync(path, JSON.stringify(tokenizer))
    await t.throwsAsync<Error>(async () => load(copy), {
      code: 'ERR_TAMIS_FORMAT',
      message: /the token "mill" with the number 99, its embedding 24 rows/,
    } as object)
  })
}
