/**
 * Models on disk for the workloads of weights: the shape of a small Llama, filled with draws.
 *
 *   tsx bench/engines/models.ts FOLDER LAYERS MODELS
 *
 * Writes FOLDER/base and FOLDER/model-0, ..., each with a `config.json`.
 * @module
 */
import { closeSync, mkdirSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs'
import { argv } from 'node:process'
import { kernels } from 'tamis'

const [HIDDEN, INNER, VOCABULARY] = [1024, 2816, 32_000]

/** Name and dims of each tensor. */
function tensors(layers: number): [string, number, number][] {
  const list: [string, number, number][] = [
    ['model.embed_tokens.weight', VOCABULARY, HIDDEN],
    ['lm_head.weight', VOCABULARY, HIDDEN],
    ['model.norm.weight', 1, HIDDEN],
  ]
  for (let layer = 0; layer < layers; layer++) {
    const at = `model.layers.${layer}`
    for (const side of 'qkvo') list.push([`${at}.self_attn.${side}_proj.weight`, HIDDEN, HIDDEN])
    list.push([`${at}.mlp.gate_proj.weight`, INNER, HIDDEN], [`${at}.mlp.up_proj.weight`, INNER, HIDDEN])
    list.push([`${at}.mlp.down_proj.weight`, HIDDEN, INNER])
    list.push(
      [`${at}.input_layernorm.weight`, 1, HIDDEN],
      [`${at}.post_attention_layernorm.weight`, 1, HIDDEN],
    )
  }
  return list
}

function write(folder: string, layers: number, model: number | undefined): void {
  mkdirSync(folder, { recursive: true })
  const list = tensors(layers)
  let at = 0
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  for (const [name, rows, columns] of list) {
    const bytes = 4 * rows * columns
    header[name] = {
      dtype: 'F32',
      shape: rows === 1 ? [columns] : [rows, columns],
      data_offsets: [at, at + bytes],
    }
    at += bytes
  }
  const json = Buffer.from(JSON.stringify(header))
  const file = openSync(`${folder}/model.safetensors.part`, 'w')
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  writeSync(file, length)
  writeSync(file, json)
  for (const [stream, [, rows, columns]] of list.entries()) {
    const draw = (seed: number) => kernels.normalSync(rows * columns, { seed, stream }).data as Float32Array
    const items = draw(0)
    for (let i = 0; i < items.length; i++) items[i] = 0.02 * (items[i] as number)
    if (model !== undefined) {
      const moved = draw(1 + model)
      for (let i = 0; i < items.length; i++) items[i] = (items[i] as number) + 0.002 * (moved[i] as number)
    }
    writeSync(file, new Uint8Array(items.buffer, items.byteOffset, items.byteLength))
  }
  closeSync(file)
  const config = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: HIDDEN,
    intermediate_size: INNER,
    num_attention_heads: 16,
    num_key_value_heads: 16,
    num_hidden_layers: layers,
    vocab_size: VOCABULARY,
    tie_word_embeddings: false,
    torch_dtype: 'float32',
  }
  writeFileSync(`${folder}/config.json`, JSON.stringify(config))
  renameSync(`${folder}/model.safetensors.part`, `${folder}/model.safetensors`)
}

const [folder = '', layers, models] = argv.slice(2)
write(`${folder}/base`, Number(layers), undefined)
for (let model = 0; model < Number(models); model++) write(`${folder}/model-${model}`, Number(layers), model)
