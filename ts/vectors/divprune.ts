/**
 * DivPrune (Alvar, Singh, Akbari, Zhang, "DivPrune: Diversity-based Visual Token Pruning for Large Multimodal Models",
 * CVPR 2025, arXiv 2503.02175).
 *
 * Of the visual tokens of an image it keeps those that are farthest apart, before the language model sees them: no
 * training, no attention maps. The first token is the one whose nearest neighbour is farthest, the others follow by
 * Max-Min ({@link kernels.farthestFirst}).
 * @module
 */
import { TamisError } from '../errors.js'
import { farthestFirstSync } from '../kernels/index.js'
import { checkCount, checkNumber, checkOptions } from '../options.js'
import { checkMask, checkReals } from '../rows.js'
import type { Tensor } from '../tensor.js'

/** How many tokens to keep, and of which. */
export interface PruneTokensOptions {
  /** The share of the tokens (of the candidates, with a mask), in (0, 1]. Default 0.098; 0.1 is used for video. */
  ratio?: number | undefined
  /** How many to keep, in place of a share: an integer >= 0. */
  count?: number | undefined
  /** [n], 1 for a candidate; for a batch [n] or [b, n]. Tokens masked out are never read. Default: all. */
  mask?: Uint8Array | Tensor | undefined
}

/** What is kept of one image. */
export interface PrunedTokens {
  /** Ascending: the order in which the language model must see them, at the positions that they had. */
  kept: Uint32Array
  /** The same in the order of selection. */
  order: Uint32Array
  /** How far each was from those before it, in the order of selection. */
  distances: Float32Array
}

/** What is kept of each image of a batch: [b, count]. */
export interface PrunedBatch {
  kept: Tensor<'uint32'>
  order: Tensor<'uint32'>
  distances: Tensor<'float32'>
}

/** The published share of visual tokens that is kept. */
const RATIO = 0.098

/**
 * Keeps the tokens that are farthest apart by the cosine: `count` of them, or `ratio` times the number of candidates,
 * rounded with halves to even. Synchronous: it works inside a request. At most O(n^2 d), in parallel.
 * @param tokens - a float type, [n, d], or [b, n, d]: each item of a batch alone; results gain a leading b
 * @throws TamisError `ratio must be`, `count`, `mask`, `rank`; `row N is zero`, `row N is not finite`
 * @example
 * import { tensor, vectors } from 'tamis'
 * const tokens = tensor('float32', [4, 2], [1, 0, 0.9, 0.1, 0, 1, -1, 0.2])
 * const { kept } = vectors.pruneTokens(tokens, { count: 2 })
 * console.log(kept) // Uint32Array(2) [ 0, 2 ]
 */
export function pruneTokens(tokens: BatchOfTokens, options?: PruneTokensOptions): PrunedBatch
export function pruneTokens(tokens: Tensor, options?: PruneTokensOptions): PrunedTokens
export function pruneTokens(tokens: Tensor, options?: PruneTokensOptions): PrunedTokens | PrunedBatch {
  const x = checkReals('tokens', tokens, [2, 3])
  const o = checkOptions('options', options, ['ratio', 'count', 'mask'])
  const ratio = checkRatio(o.ratio ?? RATIO)
  const count = o.count === undefined ? undefined : checkCount('count', o.count)
  const [n = 0, width = 0] = x.dims.slice(-2)
  if (x.dims.length === 2) return prune(x, checkMask('mask', o.mask, n), ratio, count)
  const items = x.dims[0] ?? 0
  const masks = checkMasks(o.mask, items, n)
  const pruned = masks.map((mask, item) => {
    const data = x.data.subarray(item * n * width, (item + 1) * n * width)
    return prune({ type: x.type, dims: [n, width], data }, mask, ratio, count)
  })
  return stack(pruned)
}

/** Tokens whose type says that they are a batch. */
export type BatchOfTokens = Tensor & { readonly dims: readonly [number, number, number] }

function checkRatio(ratio: unknown): number {
  if (typeof ratio === 'number' && ratio > 0 && ratio <= 1) return ratio
  return checkNumber('ratio', ratio, { above: 0, max: 1 })
}

function prune(
  x: Tensor<'float32' | 'float64'>,
  mask: Uint8Array | undefined,
  ratio: number,
  count: number | undefined,
): PrunedTokens {
  const candidates = mask ? mask.reduce((sum, one) => sum + (one === 0 ? 0 : 1), 0) : (x.dims[0] ?? 0)
  const k = count ?? roundHalfEven(ratio * candidates)
  const { indices, distances } = farthestFirstSync(x, { k, metric: 'cosine', start: 'isolated', mask })
  return { kept: indices.slice().sort(), order: indices, distances }
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x)
  const rest = x - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}

/** A mask for each item of a batch: one for all, or [b, n]. */
function checkMasks(value: unknown, items: number, n: number): (Uint8Array | undefined)[] {
  const dims = (value as Tensor | undefined)?.dims
  if (!Array.isArray(dims) || dims.length !== 2) {
    const mask = checkMask('mask', value, n)
    return Array.from({ length: items }, () => mask)
  }
  if (dims[0] !== items || dims[1] !== n) {
    throw new TamisError('ERR_TAMIS_SHAPE', `mask must have dims [${items}, ${n}], got [${dims.join(', ')}]`)
  }
  const all = checkMask('mask', { ...(value as Tensor), dims: [items * n] }, items * n) as Uint8Array
  return Array.from({ length: items }, (_, item) => all.subarray(item * n, (item + 1) * n))
}

function stack(pruned: readonly PrunedTokens[]): PrunedBatch {
  const count = pruned[0]?.kept.length ?? 0
  const other = pruned.findIndex(({ kept }) => kept.length !== count)
  if (other >= 0) {
    const got = `${count} of item 0 and ${pruned[other]?.kept.length} of item ${other}`
    throw new TamisError(
      'ERR_TAMIS_SHAPE',
      `mask must let the items of a batch keep equally many, got ${got}`,
    )
  }
  const dims = [pruned.length, count]
  const [kept, order] = [new Uint32Array(pruned.length * count), new Uint32Array(pruned.length * count)]
  const distances = new Float32Array(pruned.length * count)
  for (const [item, one] of pruned.entries()) {
    kept.set(one.kept, item * count)
    order.set(one.order, item * count)
    distances.set(one.distances, item * count)
  }
  return {
    kept: { type: 'uint32', dims, data: kept },
    order: { type: 'uint32', dims, data: order },
    distances: { type: 'float32', dims, data: distances },
  }
}
