/**
 * CFSP (Wang et al., "CFSP: An Efficient Structured Pruning Framework for LLMs with Coarse-to-Fine Activation
 * Information", COLING 2025, arXiv 2409.13199): neurons of the feed-forward layers go, fewer in
 * blocks that turn the hidden state a lot, and of each block those of the smallest activations. One forward pass; attention
 * is left alone.
 *
 * A block's importance is the sum of the angles by which it turns its tokens: `SimilarityStats` with `residual: false`,
 * `metric: 'angular'`, `reduce: 'sum'`; the norms are those of `ActivationStats`; `pruneOutputs` and `pruneInputs` drop
 * what {@link selectNeurons} does not keep. In the authors' released score the weights cancel out, and so they do in
 * {@link scoreFfn}; `scoreChannels` with `metric: 'wifn'` lets them count.
 * @module
 */
import { TamisError } from '../errors.js'
import { topKSync } from '../kernels/index.js'
import { native } from '../native.js'
import { checkNumber, checkOptions, checkPositiveInteger, show } from '../options.js'
import { checkNumbers, checkReals } from '../rows.js'
import { atOnce } from '../run.js'
import type { Tensor } from '../tensor.js'
import { checkShare, checkSquaredNorm, checkWeight } from './matrix.js'
import { partOf } from './state-dict.js'

/** How importances become shares. */
export interface SpreadOptions {
  /** How much more important blocks get, >= 0; 0 treats all alike. Default 1. */
  temperature?: number | undefined
  /** Differences of importances are over this, > 0; they grow with the calibration tokens. Default 1e4. */
  scale?: number | undefined
}

/** {@link SpreadOptions}, and how much goes in all. */
export interface AllocateSparsityOptions extends SpreadOptions {
  /** The part of all neurons that goes, in [0, 1). */
  ratio: number
}

/**
 * The share of each block's neurons to keep; the mean of the shares is `1 - ratio`. With `s_l` the logistic function of
 * `temperature (importance_l - mean) / scale` it is in proportion to `s_l`, drawn towards the mean where a block would
 * keep more than all it has. O(L), float64.
 * @param importances - [L], L >= 1
 * @throws TamisError `ratio must be between 0 and 1`, `importances` (none, not finite), `temperature`, `scale`
 * @example
 * import { weights } from 'tamis'
 * const keep = weights.allocateSparsity(Float64Array.of(1, 2, 3), { ratio: 0.5, scale: 1 })
 * console.log(Array.from(keep, (share) => share.toFixed(2)).join(' ')) // 0.27 0.50 0.73
 */
export function allocateSparsity(
  importances: Float64Array | Tensor,
  options: AllocateSparsityOptions,
): Float64Array {
  const list = checkImportances(importances)
  const { ratio, ...o } = checkOptions('options', options, ['ratio', 'temperature', 'scale'])
  const q = 1 - checkShare('ratio', ratio)
  let s = squashed(list, o)
  const most = s.reduce((a, b) => Math.max(a, b))
  if (s.every((x) => x === most)) return s.fill(q)
  let average = mean(s)
  if ((most / average) * q >= 1) {
    // The published slack below a share of 1.
    const factor = (average * (1 / q - 1)) / (most - average) / 1.05
    s = s.map((x) => average + (x - average) * factor)
    average = mean(s)
  }
  return s.map((x) => (x / average) * q)
}

/**
 * Ranks of recovery adapters in proportion to importance: `max(1, floor(rank L s_l / sum(s) + 1/2 + 1e-6))`, with `s` as
 * in {@link allocateSparsity} before it is drawn towards the mean. Not in the authors' code: inferred from the paper's
 * description. O(L).
 * @param importances - [L], L >= 1
 * @param options - `rank`: the mean, > 0
 * @throws TamisError `importances`, `rank`, `temperature`, `scale`
 * @example
 * import { weights } from 'tamis'
 * console.log(weights.allocateRanks(Float64Array.of(1, 2, 3), { rank: 8, scale: 1 })) // Uint32Array(3) [ 4, 8, 12 ]
 */
export function allocateRanks(
  importances: Float64Array | Tensor,
  options: { rank: number } & SpreadOptions,
): Uint32Array {
  const list = checkImportances(importances)
  const { rank, ...o } = checkOptions('options', options, ['rank', 'temperature', 'scale'])
  const whole = checkNumber('rank', rank, { above: 0, max: 2 ** 32 / (list.length + 1) }) * list.length
  const s = squashed(list, o)
  const sum = mean(s) * s.length
  return Uint32Array.from(s, (x) => Math.max(1, Math.floor((whole * x) / sum + 0.5 + 1e-6)))
}

function checkImportances(value: unknown): Float64Array {
  const list = checkNumbers('importances', value)
  if (list.length > 0 && list.every(Number.isFinite)) return list
  const got = list.length === 0 ? 'none' : show(list.find((x) => !Number.isFinite(x)))
  throw new TamisError('ERR_TAMIS_RANGE', `importances must be finite numbers, at least one, got ${got}`)
}

function squashed(list: Float64Array, o: SpreadOptions): Float64Array {
  const temperature = checkNumber('temperature', o.temperature ?? 1, { min: 0 })
  const scale = checkNumber('scale', o.scale ?? 1e4, { above: 0 })
  const middle = mean(list)
  return list.map((x) => 1 / (1 + Math.exp((-temperature * (x - middle)) / scale)))
}

const mean = (list: Float64Array): number => native.sum(list) / list.length

/** A gated feed-forward layer of hidden size d and N neurons. */
export interface FfnWeights {
  /** A float type, [d, N], finite. */
  down: Tensor
  /** [N, d] */
  up?: Tensor | undefined
  /** [N, d] */
  gate?: Tensor | undefined
}

/**
 * One score a neuron, larger for more worth keeping: float32 [N]. With `X_j = sqrt(squaredNorm_j)` it is
 * `n_j / d X_j^power`, where `n_j` counts which of neuron j's weights in `up` and `gate`, and in `down` times `X_j`, are
 * not all zero: what the authors' sum of three normalised matrices comes to. O(d N), in parallel.
 * @param squaredNorm - of the input of `down`, [N] ({@link ActivationStats})
 * @param options - `power`: >= 0, default 1
 * @throws TamisError `down must be 2-d`, `up`, `gate`, `squaredNorm`, `power`, `not finite`
 * @example
 * import { tensor, weights } from 'tamis'
 * const down = tensor('float32', [2, 3], [1, 0, 2, 0, 0, 1])
 * console.log(weights.scoreFfn({ down }, Float32Array.of(4, 4, 16))) // Float32Array(3) [ 1, 0, 2 ]
 */
export function scoreFfn(
  ffn: FfnWeights,
  squaredNorm: Float32Array | Tensor,
  options?: { power?: number | undefined },
): Float32Array {
  const given = checkOptions('ffn', ffn, ['down', 'up', 'gate'])
  const { tensor: down, out: d, columns: n } = checkWeight('down', given.down)
  const norms = checkSquaredNorm(squaredNorm, n).map(Math.sqrt)
  const { power = 1 } = checkOptions('options', options, ['power'])
  checkNumber('power', power, { min: 0 })
  const counts = new Float64Array(n)
  const own = atOnce(() => native.columnSums('down', partOf(down), n, false))
  for (const [j, sum] of own.entries()) counts[j] = sum > 0 && (norms[j] as number) > 0 ? 1 : 0
  for (const name of ['up', 'gate'] as const) {
    if (given[name] === undefined) continue
    const { tensor, out, columns } = checkWeight(name, given[name])
    if (out !== n || columns !== d) {
      const want = `${name} must have dims [${n}, ${d}], the turned ones of down`
      throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got [${out}, ${columns}]`)
    }
    const sums = atOnce(() => native.rowMagnitudes(name, partOf(tensor), d))
    for (const [j, sum] of sums.entries()) if (sum > 0) counts[j] = (counts[j] as number) + 1
  }
  return Float32Array.from(counts, (count, j) => (count / Math.max(1, d)) * (norms[j] as number) ** power)
}

/**
 * Which neurons of each block to keep: those of the highest scores (equal ones: the lower index), as many as the block's
 * share comes to, rounded to a multiple (`floor((N keep + multiple / 2) / multiple + 1e-6) multiple`), at least one
 * multiple and at most all. O(L N), in parallel.
 * @param scores - a float type, [L, N]; no NaN
 * @param keep - [L], shares such as {@link allocateSparsity} gives; above 1 for all
 * @param options - `multiple`: what a processor likes, default 128; 1 rounds to the nearest neuron
 * @throws TamisError `scores`, `rank`, `keep`, `multiple`
 * @example
 * import { tensor, weights } from 'tamis'
 * const scores = tensor('float32', [2, 3], [1, 4, 3, 8, 5, 6])
 * const mask = weights.selectNeurons(scores, Float64Array.of(0.4, 0.6), { multiple: 1 })
 * console.log(mask.data) // Uint8Array(6) [ 0, 1, 0, 1, 0, 1 ]
 */
export function selectNeurons(
  scores: Tensor,
  keep: Float64Array | Tensor,
  options?: { multiple?: number | undefined },
): Tensor<'uint8'> {
  const { type, dims, data } = checkReals('scores', scores, [2])
  const [layers, n] = dims as [number, number]
  if (data.some(Number.isNaN)) throw new TamisError('ERR_TAMIS_RANGE', 'scores must not hold NaN')
  const shares = checkNumbers('keep', keep)
  if (shares.length !== layers || !shares.every(Number.isFinite)) {
    const got = shares.length === layers ? show(shares.find((x) => !Number.isFinite(x))) : shares.length
    throw new TamisError(
      shares.length === layers ? 'ERR_TAMIS_RANGE' : 'ERR_TAMIS_SHAPE',
      `keep must be ${layers} finite numbers, one a block, got ${got}`,
    )
  }
  const o = checkOptions('options', options, ['multiple'])
  const multiple = checkPositiveInteger('multiple', o.multiple ?? 128)
  const mask = new Uint8Array(layers * n)
  for (const [layer, share] of shares.entries()) {
    const whole = Math.floor((n * share + multiple / 2) / multiple + 1e-6) * multiple
    const k = Math.min(n, Math.max(Math.min(multiple, n), whole))
    const row = { type, dims: [n], data: data.subarray(layer * n, (layer + 1) * n) }
    const best = topKSync(row, { k, sorted: false }).indices.data
    for (const j of best) mask[layer * n + j] = 1
  }
  return { type: 'uint8', dims: [layers, n], data: mask }
}
