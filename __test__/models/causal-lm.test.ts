import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { models, setThreads } from 'tamis'
import { smolLm } from '../../scripts/models.js'

const found = smolLm()
const file = 'path' in found ? found.path : ''
const withModel = 'path' in found ? test : test.skip
if ('missing' in found) console.log(`# skipped: ${found.missing}`)

interface Reference {
  texts: string[]
  tokens: number[][]
  losses: number[][]
  logits: { text: string; ids: number[]; values: number[] }
  greedy: { text: string; following: number[] }
  hidden: { text: string; layers: { layers: number; channels: number[] }[] }
  chats: { messages: models.Message[]; text: string; tokens: number[]; addGenerationPrompt: boolean }[]
}
const reference: Reference = JSON.parse(readFileSync(new URL('losses.json', import.meta.url), 'utf8'))

const model = 'path' in found ? await models.CausalLM.load(file) : (undefined as unknown as models.CausalLM)

/** How far losses are from those of an independent run. */
function furthest(losses: Float32Array[]): number {
  let most = 0
  for (const [i, want] of reference.losses.entries()) {
    for (const [j, loss] of want.entries()) {
      most = Math.max(most, Math.abs((losses[i]?.[j + 1] as number) - loss))
    }
  }
  return most
}

withModel('tokens and losses are those of an independent run on the dequantised weights', async (t) => {
  const tokens = await model.encode(reference.texts)
  t.deepEqual(
    tokens.map((list) => [...list]),
    reference.tokens,
  )
  const losses = await model.losses(reference.texts)
  t.true(losses.every((list, i) => list.length === tokens[i]?.length))
  t.true(losses.every((list) => list.length === 0 || Number.isNaN(list[0])))
  t.true(furthest(losses) < 1e-3, `${furthest(losses)}`)
  t.true(furthest(await model.losses(tokens)) < 1e-3)
})

withModel('threads do not show', async (t) => {
  t.teardown(() => setThreads(0))
  setThreads(1)
  const want = await model.losses(reference.texts)
  for (const threads of [2, 7]) {
    setThreads(threads)
    t.deepEqual(await model.losses(reference.texts), want)
  }
})

withModel('logits and states are those of the same run', async (t) => {
  const { text, ids, values } = reference.logits
  const { data, dims } = await model.logits(text)
  const last = data.subarray(data.length - (dims[1] as number))
  const best = Array.from(last.keys()).sort((a, b) => (last[b] as number) - (last[a] as number))
  t.deepEqual(best.slice(0, ids.length), ids)
  for (const [i, id] of ids.entries()) t.true(Math.abs((last[id] as number) - (values[i] as number)) < 1e-2)
  const layers = reference.hidden.layers.map((one) => one.layers)
  const states = await model.hiddenStates(reference.hidden.text, layers)
  const [, tokens, width] = states.dims as [number, number, number]
  for (const [i, { channels }] of reference.hidden.layers.entries()) {
    const row = states.data.subarray((i * tokens + tokens - 1) * width)
    for (const [j, want] of channels.entries()) {
      t.true(Math.abs((row[j] as number) - want) < 1e-3 * Math.max(1, Math.abs(want)), `${i} ${j}`)
    }
  }
})

withModel('continuations are those of the same run, and stop at an end', async (t) => {
  const { text, following } = reference.greedy
  const { tokens, text: continued } = await model.generate(text, { maxTokens: following.length })
  t.deepEqual([...tokens], following)
  t.is(continued, model.decode(tokens))
  const prompt = model.renderChat([{ role: 'user', content: 'Say hi.' }])
  const answer = await model.generate(prompt, { maxTokens: 60 })
  t.true(answer.tokens.length < 60, answer.text)
})

withModel('conversations are as the template has them', async (t) => {
  for (const { messages, text, tokens, addGenerationPrompt } of reference.chats) {
    t.is(model.renderChat(messages, { answer: addGenerationPrompt }), text)
    t.deepEqual([...((await model.encode([text]))[0] as Uint32Array)], tokens)
  }
  t.throws(() => model.renderChat([{ role: 'user' } as models.Message]), { message: /^messages must be/ })
})

withModel('windows of a long text', async (t) => {
  const [tokens] = (await model.encode([reference.texts.join('\n')])) as [Uint32Array]
  const [whole] = (await model.losses([tokens])) as [Float32Array]
  t.is(whole.filter(Number.isNaN).length, 1)
  const [cut] = (await model.losses([tokens], { maxTokens: 50 })) as [Float32Array]
  t.deepEqual(
    Array.from(cut.keys()).filter((i) => Number.isNaN(cut[i])),
    Array.from({ length: Math.ceil(tokens.length / 50) }, (_, i) => 50 * i),
  )
  const [slid] = (await model.losses([tokens], { maxTokens: 50, stride: 10 })) as [Float32Array]
  t.is(slid.filter(Number.isNaN).length, 1)
  const mean = (losses: Float32Array) => {
    const there = losses.filter((loss) => !Number.isNaN(loss))
    return there.reduce((a, b) => a + b, 0) / there.length
  }
  // What comes before helps.
  t.true(mean(whole) < mean(slid) && mean(slid) < mean(cut), `${[whole, slid, cut].map(mean)}`)
  const { losses, counts } = await model.sequenceLosses([tokens, tokens.subarray(0, 1), new Uint32Array(0)])
  t.true(Math.abs((losses.data[0] as number) - mean(whole)) < 1e-5)
  t.deepEqual([...counts], [tokens.length - 1, 0, 0])
  t.true(Number.isNaN(losses.data[1]) && Number.isNaN(losses.data[2]))
})

withModel('perplexity is of whole windows without overlap, or of all in sliding ones', async (t) => {
  const [tokens] = (await model.encode([reference.texts.join('\n')])) as [Uint32Array]
  const windows = Math.floor(tokens.length / 64)
  const found = await model.perplexity([tokens], { length: 64 })
  t.deepEqual([found.windows, found.tokens], [windows, windows * 63])
  const each = await model.losses(
    Array.from({ length: windows }, (_, i) => tokens.slice(64 * i, 64 * (i + 1))),
  )
  const means = each.map((losses) => losses.subarray(1).reduce((a, b) => a + b, 0) / 63)
  const want = means.reduce((a, b) => a + b, 0) / windows
  t.true(Math.abs(found.logPerplexity - want) < 1e-5)
  t.is(found.perplexity, Math.exp(found.logPerplexity))
  const slid = await model.perplexity([tokens], { length: 64, stride: 16 })
  t.is(slid.tokens, tokens.length - 1)
  t.true(slid.perplexity < found.perplexity)
  await t.throwsAsync(model.perplexity(['Hello'], { length: 64 }), {
    message: /^texts must have at least 64 tokens/,
  })
  await t.throwsAsync(model.perplexity(['Hello'], { length: 1 }), { message: /^length must be/ })
  await t.throwsAsync(model.perplexity(['Hello'], { length: 8, stride: 9 }), { message: /^stride must be/ })
})

withModel('bad input is refused by its name', async (t) => {
  await t.throwsAsync(model.losses('text' as unknown as string[]), { message: /^texts must be an array/ })
  await t.throwsAsync(model.losses([Uint32Array.of(1, 49152)]), {
    code: 'ERR_TAMIS_RANGE',
    message: 'tokens[0][1] must be below 49152, the size of the vocabulary, got 49152',
  })
  await t.throwsAsync(model.losses(['a'], { maxTokens: 8193 }), { message: /^maxTokens must be/ })
  await t.throwsAsync(model.logits(''), { message: /^text must have 1 to 8192 tokens/ })
  await t.throwsAsync(model.generate(''), { message: /^prompt must have 1 to 8192 tokens/ })
  await t.throwsAsync(model.generate('a', { maxTokens: 8192 }), {
    message: /must fit the model's 8192 positions/,
  })
  await t.throwsAsync(model.hiddenStates('a', [31]), { message: /^layers\[0\] must be/ })
  await t.throwsAsync(models.CausalLM.load('/nowhere/at/all.gguf'), { code: 'ERR_TAMIS_IO' })
  await t.throwsAsync(model.losses(['a'], { signal: AbortSignal.abort() }), { code: 'ERR_TAMIS_ABORTED' })
})

withModel('a converted file gives the same losses, and refuses to replace a folder', async (t) => {
  const parent = mkdtempSync(join(tmpdir(), 'tamis-convert-'))
  t.teardown(() => rmSync(parent, { recursive: true, force: true }))
  const folder = join(parent, 'smollm2')
  const { tensors, parameters } = await models.convertGguf(file, folder)
  t.deepEqual([tensors, parameters], [272, 134_515_008])
  const converted = await models.CausalLM.load(folder)
  const [want, got] = [await model.losses(reference.texts), await converted.losses(reference.texts)]
  t.deepEqual(got, want)
  const { messages } = reference.chats[0] as Reference['chats'][number]
  t.is(converted.renderChat(messages), model.renderChat(messages))
  t.deepEqual(await converted.encode(reference.texts), await model.encode(reference.texts))
  converted.dispose()
  await t.throwsAsync(models.convertGguf(file, folder), { message: /smollm2/ })
  const config = join(folder, 'config.json')
  const whole = JSON.parse(readFileSync(config, 'utf8'))
  t.true(whole.tie_word_embeddings)
  const spoilt: [object, RegExp][] = [
    [{ model_type: 'gemma' }, /model_type is "gemma"/],
    [{ attention_bias: true }, /attention_bias is true/],
    [{ rope_scaling: { rope_type: 'yarn', factor: 4 } }, /positions are scaled by "yarn"/],
    [{ sliding_window: 4096 }, /sliding_window is 4096/],
    [{ num_key_value_heads: 4 }, /must divide/],
    [{ hidden_act: 'gelu' }, /hidden_act is "gelu"/],
    [{ num_attention_heads: 1152, head_dim: null }, /even number of channels from 2 on, got 0 of 1152/],
    [
      {
        rope_scaling: {
          rope_type: 'llama3',
          factor: 8,
          low_freq_factor: 4,
          high_freq_factor: 4,
          original_max_position_embeddings: 512,
        },
      },
      /high_freq_factor must be above low_freq_factor: 4, 4/,
    ],
  ]
  for (const [change, message] of spoilt) {
    writeFileSync(config, JSON.stringify({ ...whole, ...change }))
    await t.throwsAsync(models.CausalLM.load(folder), { code: 'ERR_TAMIS_FORMAT', message })
  }
})

withModel('a file that is cut off or no model is refused', async (t) => {
  const parent = mkdtempSync(join(tmpdir(), 'tamis-gguf-'))
  t.teardown(() => rmSync(parent, { recursive: true, force: true }))
  const cut = join(parent, 'cut.gguf')
  writeFileSync(cut, readFileSync(file).subarray(0, 5_000_000))
  await t.throwsAsync(models.CausalLM.load(cut), { code: 'ERR_TAMIS_FORMAT', message: /cut\.gguf/ })
  writeFileSync(cut, 'no model')
  await t.throwsAsync(models.CausalLM.load(cut), { code: 'ERR_TAMIS_FORMAT' })
})
