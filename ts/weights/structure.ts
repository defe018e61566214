/**
 * FLAP's search over all layers: which heads and neurons are worth their parameters.
 * @module
 */
import { TamisError } from '../errors.js'
import { topKSync } from '../kernels/index.js'
import { native } from '../native.js'
import { checkCount, checkNumber, checkOneOf, checkOptions } from '../options.js'
import { checkReals } from '../rows.js'
import { atOnce } from '../run.js'
import type { Tensor } from '../tensor.js'
import { checkShare } from './matrix.js'
import { partOf } from './state-dict.js'

/** Channel scores of all layers, as of {@link scoreChannels}. */
export interface StructureScores {
  /** Of the inputs of the attention's output projections: a float type, [L, H headDim]. */
  attention: Tensor
  /** Of the inputs of the MLPs' down projections: a float type, [L, N]. */
  mlp: Tensor
}

/** What is searched. */
export interface SearchStructureOptions {
  /** Channels of a head. */
  headDim: number
  /** The part of the parameters to remove, in [0, 1). */
  ratio: number
  /** `AL-AM`: all layers are searched together; `UL-UM`: each gives the same share. Default `AL-AM`. */
  structure?: 'AL-AM' | 'UL-UM' | undefined
  /** Parameters of a head over those of a neuron, > 0. Default `4 headDim / 3`, of four projections and of three. */
  headCost?: number | undefined
}

/** 1 for what stays. */
export interface Structure {
  /** [L, H] */
  heads: Tensor<'uint8'>
  /** [L, N] */
  neurons: Tensor<'uint8'>
}

/**
 * Which heads and neurons to keep. Attention scores are squared. `AL-AM`: scores are standardised within each layer (0
 * where all are equal), a head's is the mean of its channels', and of all sorted by score so many stay that their cost
 * comes nearest to `1 - ratio` of the whole; what ties with the last one goes with it. `UL-UM`: in each layer the
 * `floor(ratio n + 1e-6)` lowest go, and what ties with the lowest that stays stays. O(L (H headDim + N)), float64.
 * @throws TamisError `rank`, `shape` (numbers of layers), `headDim`, `ratio must be between 0 and 1`, `structure`,
 * `headCost`, `not finite`
 * @example
 * import { tensor, weights } from 'tamis'
 * const attention = tensor('float32', [1, 4], [1, 2, 3, 4])
 * const mlp = tensor('float32', [1, 4], [5, 1, 3, 8])
 * const { heads, neurons } = weights.searchStructure({ attention, mlp }, { headDim: 2, ratio: 0.5 })
 * console.log(heads.data, neurons.data) // Uint8Array(2) [ 0, 1 ] Uint8Array(4) [ 0, 0, 0, 1 ]
 */
export function searchStructure(scores: StructureScores, options: SearchStructureOptions): Structure {
  const given = checkOptions('scores', scores, ['attention', 'mlp'])
  const attention = checkFinite('attention', given.attention)
  const mlp = checkFinite('mlp', given.mlp)
  const o = checkOptions('options', options, ['headDim', 'ratio', 'structure', 'headCost'])
  const [layers, channels] = attention.dims as [number, number]
  const [others, neurons] = mlp.dims as [number, number]
  if (others !== layers) {
    const got = `got ${layers} of attention and ${others} of mlp`
    throw new TamisError('ERR_TAMIS_SHAPE', `shape: scores must be of the same layers, ${got}`)
  }
  const headDim = checkCount('headDim', o.headDim, 1)
  if (channels % headDim !== 0) {
    const want = `headDim must divide the ${channels} channels of attention`
    throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got ${headDim}`)
  }
  const ratio = checkShare('ratio', o.ratio)
  const structure = checkOneOf('structure', o.structure ?? 'AL-AM', ['AL-AM', 'UL-UM'])
  const headCost = checkNumber('headCost', o.headCost ?? (4 * headDim) / 3, { above: 0 })

  const squares = Float64Array.from(attention.data, (x) => x * x)
  if (!squares.every(Number.isFinite)) {
    throw new TamisError('ERR_TAMIS_RANGE', 'attention is not finite where it is squared')
  }
  const plain = Float64Array.from(mlp.data)
  const heads = channels / headDim
  if (structure === 'UL-UM') {
    return {
      heads: keepShare(headSums(squares, headDim), [layers, heads], ratio),
      neurons: keepShare(plain, [layers, neurons], ratio),
    }
  }
  const headScores = headSums(standardised(squares, layers), headDim).map((sum) => sum / headDim)
  const all = new Float64Array(layers * (heads + neurons))
  all.set(headScores)
  all.set(standardised(plain, layers), headScores.length)
  const kept = keepWorth(all, headScores.length, headCost, ratio)
  const masks = (dims: number[], data: Uint8Array): Tensor<'uint8'> => ({ type: 'uint8', dims, data })
  return {
    heads: masks([layers, heads], kept.slice(0, headScores.length)),
    neurons: masks([layers, neurons], kept.slice(headScores.length)),
  }
}

function checkFinite(name: string, value: unknown): Tensor<'float32' | 'float64'> {
  const scores = checkReals(name, value, [2])
  atOnce(() => native.checkFinite(name, partOf(scores)))
  return scores
}

function headSums(x: Float64Array, headDim: number): Float64Array {
  const sums = new Float64Array(x.length / headDim)
  for (const [i, value] of x.entries()) {
    const head = Math.floor(i / headDim)
    sums[head] = (sums[head] as number) + value
  }
  return sums
}

/** Each row less its mean, over its standard deviation (of n - 1). */
function standardised(x: Float64Array, rows: number): Float64Array {
  const width = x.length / Math.max(1, rows)
  const out = new Float64Array(x.length)
  for (let start = 0; start < x.length; start += width) {
    const row = x.subarray(start, start + width)
    // By the items themselves: their mean may be rounded.
    if (row.every((value) => value === row[0])) continue
    const mean = native.sum(row) / width
    const std = Math.sqrt(native.sum(row.map((value) => (value - mean) ** 2)) / (width - 1))
    // The squares of differences may be less than any number.
    if (std > 0) for (const [j, value] of row.entries()) out[start + j] = (value - mean) / std
  }
  return out
}

/** 1 where an item of the first `heads` (of that cost) or of the others (of cost 1) is above the threshold. */
function keepWorth(scores: Float64Array, heads: number, headCost: number, ratio: number): Uint8Array {
  const n = scores.length
  const order = topKSync({ type: 'float64', dims: [n], data: scores }, { k: n }).indices.data
  const costs = new Float64Array(n)
  let total = 0
  for (const [place, i] of order.entries()) costs[place] = total += i < heads ? headCost : 1
  const target = (1 - ratio) * total
  let last = 0
  for (const [place, cost] of costs.entries()) {
    if (Math.abs(cost - target) < Math.abs((costs[last] as number) - target)) last = place
  }
  const threshold = scores[order[last] as number] as number
  return Uint8Array.from(scores, (score) => (score > threshold ? 1 : 0))
}

/** 1 where an item of a row is at least as high as the lowest that stays when that share of the row goes. */
function keepShare(data: Float64Array, dims: [number, number], ratio: number): Tensor<'uint8'> {
  const width = dims[1]
  const k = width - Math.floor(ratio * width + 1e-6)
  const lowest = topKSync({ type: 'float64', dims, data }, { k }).values.data
  const kept = Uint8Array.from(data, (score, i) => {
    const row = Math.floor(i / width)
    return k > 0 && score >= (lowest[(row + 1) * k - 1] as number) ? 1 : 0
  })
  return { type: 'uint8', dims, data: kept }
}
