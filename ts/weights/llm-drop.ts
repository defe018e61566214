/**
 * LLM-Drop (He, Sun, Shen, Li, "What Matters in Transformers? Not All Attention is Needed", 2024, arXiv 2406.15786):
 * attention and MLP layers that hardly turn the hidden state do hardly anything, and are dropped whole, with the
 * key-value cache that dropped attention had.
 *
 * Where the authors' code looks up the similarity over n + 1 blocks to drop n, a run of n is judged here by what it does
 * itself; a mean is over all tokens, however they are batched.
 * @module
 */
import { TamisError } from '../errors.js'
import { topKSync } from '../kernels/index.js'
import { native } from '../native.js'
import type { NativePairedStats } from '../native-channels.js'
import { checkBoolean, checkCount, checkMemory, checkOneOf, checkOptions, show } from '../options.js'
import { checkNumbers, checkReals } from '../rows.js'
import { atOnce } from '../run.js'
import { checkTensor, FLOAT_TYPES, type Tensor } from '../tensor.js'
import { partOf } from './state-dict.js'

/** What {@link SimilarityStats} measures of a layer's input x and output y, token by token. */
export interface SimilarityOptions {
  /** The `output` that is given is added to the input, as a sub-layer's is. Default `true`. */
  residual?: boolean | undefined
  /**
   * `cosine` `x.y / (max(|x|, 1e-8) max(|y|, 1e-8))`; `angular` `arccos(cosine) / pi`; `mse` and `mae` the mean of
   * `(x - y)^2` and of `|x - y|` over the features. Default `cosine`.
   */
  metric?: 'cosine' | 'angular' | 'mse' | 'mae' | undefined
  /** Over all tokens. Default `mean`. */
  reduce?: 'mean' | 'sum' | undefined
}

/**
 * Streams how alike the inputs and outputs of layers are, over any number of tokens: O(tokens d) a layer, in parallel,
 * float64 sums; memory O(layers). How the tokens are cut into calls does not show.
 * @throws TamisError `layers`, `layer`, `shape` (input and output differ), `not finite`
 * @example
 * import { tensor, weights } from 'tamis'
 * const stats = new weights.SimilarityStats(2)
 * const hidden = tensor('float32', [1, 2], [3, 4])
 * stats.add(0, hidden, tensor('float32', [1, 2], [6, 8])) // what the sub-layer adds to it
 * stats.add(1, hidden, tensor('float32', [1, 2], [-7, -1]))
 * console.log(stats.result()) // Float64Array(2) [ 1, 0 ]
 */
export class SimilarityStats {
  readonly #layers: number
  readonly #stats: NativePairedStats
  readonly #reduce: 'mean' | 'sum'

  /** @param layers - how many, 1..2^32-1 */
  constructor(layers: number, options?: SimilarityOptions) {
    this.#layers = checkCount('layers', layers, 1)
    checkMemory('layers', 256 * this.#layers)
    const o = checkOptions('options', options, ['residual', 'metric', 'reduce'])
    const metric = checkOneOf('metric', o.metric ?? 'cosine', ['cosine', 'angular', 'mse', 'mae'])
    this.#reduce = checkOneOf('reduce', o.reduce ?? 'mean', ['mean', 'sum'])
    const residual = checkBoolean('residual', o.residual, true)
    this.#stats = atOnce(() => new native.PairedStats(this.#layers, metric, residual))
  }

  /**
   * Adds a layer's tokens. For an attention or MLP layer give the hidden state before its norm and what the layer adds
   * to it; for a block, with `residual: false`, what goes in and what comes out.
   * @param layer - 0..layers-1
   * @param input - a float type, [T, d] or [B, T, d]
   * @param output - of the same dims
   */
  add(layer: number, input: Tensor, output: Tensor): void {
    const place = checkCount('layer', layer)
    if (place >= this.#layers) {
      throw new TamisError('ERR_TAMIS_RANGE', `layer must be below ${this.#layers}, got ${place}`)
    }
    const x = checkTensor('input', input, { types: FLOAT_TYPES, ranks: [2, 3] })
    const y = checkTensor('output', output, { types: FLOAT_TYPES, dims: x.dims })
    const width = checkWidth('input', x)
    atOnce(() => this.#stats.add('input or output', place, partOf(x), partOf(y), width))
  }

  /** By layer: the mean, or the sum, over its tokens. NaN for a layer that was never fed. */
  result(): Float64Array {
    const { sums, rows } = atOnce(() => this.#stats.result())
    return sums.map((sum, layer) => {
      const count = rows[layer] as number
      if (count === 0) return Number.NaN
      return this.#reduce === 'mean' ? sum / count : sum
    })
  }
}

function checkWidth(name: string, { dims }: Tensor): number {
  const width = dims.at(-1) as number
  if (width > 0) return width
  throw new TamisError(
    'ERR_TAMIS_SHAPE',
    `shape: ${name} must have at least one feature, got dims [${dims.join(', ')}]`,
  )
}

/** Similarities by layer, such as {@link SimilarityStats} gives; -Infinity marks a layer that is dropped already. */
export interface LayerSimilarities {
  attention?: Float64Array | Tensor | undefined
  mlp?: Float64Array | Tensor | undefined
}

/** Layers by kind, ascending: what goes into a model's config as `drop_attn_list` and `drop_mlp_list`. */
export interface DroppedLayers {
  attention: Uint32Array
  mlp: Uint32Array
}

/**
 * Which layers to drop: those most alike to doing nothing. With both kinds given they are ranked together. Of equal ones
 * attention goes before MLP, and the lower index first. O(layers).
 * @param similarities - float types, [layers] each, larger for more alike; no NaN
 * @param options - `drop`: how many, at most the layers that are not dropped already
 * @throws TamisError `similarities`, `nan`, `drop`
 * @example
 * import { weights } from 'tamis'
 * const attention = Float64Array.of(0.7, 0.99, 0.95)
 * const mlp = Float64Array.of(0.5, 0.8, 0.97)
 * console.log(weights.dropLayers({ attention, mlp }, { drop: 2 }).mlp) // Uint32Array(1) [ 2 ]
 */
export function dropLayers(similarities: LayerSimilarities, options: { drop: number }): DroppedLayers {
  const given = checkOptions('similarities', similarities, ['attention', 'mlp'])
  if (given.attention === undefined && given.mlp === undefined) {
    throw new TamisError('ERR_TAMIS_TYPE', 'similarities must have attention, mlp or both, got neither')
  }
  const list = (name: 'attention' | 'mlp'): Float64Array => {
    if (given[name] === undefined) return new Float64Array(0)
    const values = checkNumbers(name, given[name])
    const place = values.findIndex(Number.isNaN)
    if (place < 0) return values
    throw new TamisError('ERR_TAMIS_RANGE', `${name} must not hold NaN, got one for layer ${place}`)
  }
  const [attention, mlp] = [list('attention'), list('mlp')]
  const data = new Float64Array(attention.length + mlp.length)
  data.set(attention)
  data.set(mlp, attention.length)
  const drop = checkDrop(options, data.filter((x) => x > -Infinity).length)
  const best = topKSync({ type: 'float64', dims: [data.length], data }, { k: drop, sorted: false }).indices
    .data
  return {
    attention: best.filter((i) => i < attention.length),
    mlp: best.filter((i) => i >= attention.length).map((i) => i - attention.length),
  }
}

function checkDrop(options: { drop: number }, most: number): number {
  const { drop } = checkOptions('options', options, ['drop'])
  if (Number.isSafeInteger(drop) && drop >= 0 && drop <= most) return drop
  throw new TamisError(
    typeof drop === 'number' ? 'ERR_TAMIS_RANGE' : 'ERR_TAMIS_TYPE',
    `drop must be an integer from 0 to ${most}, the layers that are left, got ${show(drop)}`,
  )
}

/** A run of blocks. */
export interface BlockRun {
  /** Consecutive, ascending. */
  blocks: Uint32Array
  /** Mean cosine of the hidden states before and behind it. */
  similarity: number
}

/**
 * Which run of consecutive blocks to drop: the one whose input and output are most alike, by the mean cosine over the
 * tokens; of equal ones the lower. O(L T d), in parallel.
 * @param hidden - a float type, [L + 1, T, d]: the input of each block, then the output of the last
 * @param options - `drop`: how many blocks, 0..L
 * @throws TamisError `hidden` (fewer than two states, no tokens, no features), `drop`, `rank`, `not finite`
 * @example
 * import { tensor, weights } from 'tamis'
 * const hidden = tensor('float32', [4, 1, 2], [1, 0, 0, 1, 0, 2, 3, 3])
 * const { blocks, similarity } = weights.dropBlockRun(hidden, { drop: 1 })
 * console.log(blocks, similarity) // Uint32Array(1) [ 1 ] 1
 */
export function dropBlockRun(hidden: Tensor, options: { drop: number }): BlockRun {
  const states = checkReals('hidden', hidden, [3])
  const [count, tokens, width] = states.dims as [number, number, number]
  if (count < 2 || tokens === 0 || width === 0) {
    const want = 'hidden must hold at least two states of at least one token and feature'
    throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got dims [${states.dims.join(', ')}]`)
  }
  const drop = checkDrop(options, count - 1)
  const stats = atOnce(() => new native.PairedStats(count - drop, 'cosine', false))
  const state = (i: number) => {
    const data = states.data.subarray(i * tokens * width, (i + 1) * tokens * width)
    return partOf({ type: states.type, dims: [tokens, width], data })
  }
  for (let i = 0; i + drop < count; i++) {
    atOnce(() => stats.add('hidden', i, state(i), state(i + drop), width))
  }
  const similarities = atOnce(() => stats.result()).sums.map((sum) => sum / tokens)
  const first = similarities.reduce((best, x, i) => (x > (similarities[best] as number) ? i : best), 0)
  return {
    blocks: Uint32Array.from({ length: drop }, (_, i) => first + i),
    similarity: similarities[first] as number,
  }
}

/** The parts of a layer's names that go with its attention, and with its MLP. */
const PARTS = {
  attention: ['self_attn', 'input_layernorm'],
  mlp: ['mlp', 'post_attention_layernorm'],
} as const

/**
 * The names of a state dict that stay: with the attention of layer l the tensors `*.layers.l.self_attn.*` and
 * `*.layers.l.input_layernorm.*` go, with its MLP `*.layers.l.mlp.*` and `*.layers.l.post_attention_layernorm.*`. In
 * their order; layers keep their numbers.
 * @param names - of tensors
 * @param dropped - numbers of layers, such as {@link dropLayers} gives
 * @throws TamisError `names`, `dropped`, `attention`, `mlp`
 * @example
 * import { weights } from 'tamis'
 * const names = ['model.layers.0.mlp.up_proj.weight', 'model.layers.1.mlp.up_proj.weight', 'lm_head.weight']
 * const kept = weights.namesWithoutLayers(names, { attention: [], mlp: [0] })
 * console.log(kept.join(' ')) // model.layers.1.mlp.up_proj.weight lm_head.weight
 */
export function namesWithoutLayers(
  names: string[],
  dropped: { attention: ArrayLike<number> | Tensor; mlp: ArrayLike<number> | Tensor },
): string[] {
  if (!Array.isArray(names) || !Array.from(names).every((name) => typeof name === 'string')) {
    throw new TamisError('ERR_TAMIS_TYPE', `names must be a list of strings, got ${show(names)}`)
  }
  if (typeof dropped !== 'object' || dropped === null) {
    throw new TamisError(
      'ERR_TAMIS_TYPE',
      `dropped must be an object of layers by kind, got ${show(dropped)}`,
    )
  }
  const gone = new Set(
    (['attention', 'mlp'] as const).flatMap((kind) =>
      layersOf(kind, dropped[kind]).flatMap((layer) => PARTS[kind].map((part) => `${layer}.${part}`)),
    ),
  )
  const part = /(?:^|\.)layers\.(\d+\.(?:self_attn|input_layernorm|mlp|post_attention_layernorm))(?=\.)/g
  return names.filter((name) => [...name.matchAll(part)].every(([, found]) => !gone.has(found as string)))
}

function layersOf(kind: string, value: unknown): number[] {
  const items = value === undefined ? [] : checkNumbers(kind, value)
  const wrong = items.findIndex((layer) => !(Number.isSafeInteger(layer) && layer >= 0))
  if (wrong < 0) return [...items]
  throw new TamisError('ERR_TAMIS_RANGE', `${kind} must hold numbers of layers, got ${show(items[wrong])}`)
}
