/**
 * Parameter-efficient sparsity (Li, Luo, Tan, Wang, Huang, Li, Bai, "Parameter-Efficient Sparsity for Large Language
 * Models Fine-Tuning", IJCAI 2022, arXiv 2205.11005): prune a linear layer while it is fine-tuned, training only a
 * low-rank update of its weight and a low-rank, row and column score of what matters.
 *
 * With W' = W + weightBeta U V the score is `|W'| + maskAlpha1 A B + maskAlpha2 (R + C)`; the lowest `floor(size * sparsity
 * + 1e-6)` entries are masked, of equal ones the higher index first. Slopes pass through the mask as if it were the
 * score, and through |W'| as well, as in the authors' code (the paper writes |W|). All in float32.
 * @module
 */
import { TamisError } from '../errors.js'
import { normalSync } from '../kernels/index.js'
import { native } from '../native.js'
import type { NativeFactor } from '../native-masked.js'
import { checkMemory, checkNumber, checkOptions, parseSeed, type Seed, show } from '../options.js'
import { checkReals, convertReals } from '../rows.js'
import { atOnce } from '../run.js'
import { checkTensor, FLOAT_TYPES, type Tensor, viewBytes } from '../tensor.js'
import { refuse } from '../ternary.js'

/** A sparse linear layer, named as in the authors' state dict. Float tensors, computed in float32. */
export interface PstWeights {
  /** [out, in], frozen. */
  weight: Tensor
  /** [out], frozen. */
  bias?: Tensor | undefined
  /** [out, rank] */
  weight_U: Tensor
  /** [rank, in] */
  weight_V: Tensor
  /** [out, rank], of another rank. */
  mask_scores_A: Tensor
  /** [rank, in] */
  mask_scores_B: Tensor
  /** [out] */
  mask_scores_R: Tensor
  /** [in] */
  mask_scores_C: Tensor
}

/** What of {@link PstWeights} is trained. */
export type PstTrainable = Record<(typeof TRAINABLE)[number], Tensor<'float32'>>

/** How many entries are pruned, and by what. */
export interface PstOptions {
  /** The share that is pruned, in [0, 1). Default 0.9. */
  sparsity?: number | undefined
  /** Of the low-rank update. Default 1. */
  weightBeta?: number | undefined
  /** Of the low-rank score. Default 1. */
  maskAlpha1?: number | undefined
  /** Of the score of rows and columns. Default 1. */
  maskAlpha2?: number | undefined
}

/** The output of a layer, and the slopes of a loss. */
export interface PstLinear {
  /** [..., out] */
  output: Tensor<'float32'>
  /** By the input and by what is trained, each of its tensor's dims; there with `gradOutput`. */
  grads?: PstTrainable & { input: Tensor<'float32'> }
}

const TRAINABLE = [
  'weight_U',
  'weight_V',
  'mask_scores_A',
  'mask_scores_B',
  'mask_scores_R',
  'mask_scores_C',
] as const
const KEYS = ['sparsity', 'weightBeta', 'maskAlpha1', 'maskAlpha2'] as const

/** A layer taken apart. */
interface Layer {
  out: number
  width: number
  bias: Float32Array | undefined
  u: NativeFactor
  v: NativeFactor
  a: NativeFactor
  b: NativeFactor
  beta: number
  alpha1: number
  alpha2: number
  /** W' */
  updated: Float32Array
  mask: Uint8Array
  /** W' under the mask. */
  merged: Float32Array
}

/**
 * The sparse weight with its update merged in, and its mask: what is kept when training is over. O(out in (r1 + r2)) for
 * the products and O(out in) for the selection, in parallel.
 * @throws TamisError `weight must be a matrix`, `mask_scores_a must have shape [out, rank]` and alike,
 * `sparsity must be in [0, 1)`, `finite`
 * @example
 * import { tensor, training } from 'tamis'
 * const weight = tensor('float32', [2, 2], [4, -1, 2, -3])
 * const layer = { weight, ...training.pstInit(weight, { weightRank: 1, maskRank: 1 }) }
 * const { mask } = training.pstMergeWeight(layer, { sparsity: 0.5 })
 * console.log(mask.data) // Uint8Array(4) [ 1, 0, 0, 1 ]
 */
export function pstMergeWeight(
  weights: PstWeights,
  options?: PstOptions,
): { weight: Tensor<'float32'>; mask: Tensor<'uint8'> } {
  const { out, width, merged, mask } = layerOf(weights, checkOptions('options', options, KEYS))
  const dims = [out, width]
  return { weight: { type: 'float32', dims, data: merged }, mask: { type: 'uint8', dims, data: mask } }
}

/**
 * The output of the sparse layer, and with `gradOutput` the slopes of the input and of the six tensors that are trained.
 * What {@link pstMergeWeight} costs, and a product forward and two back; memory for a few matrices of the weight's size.
 * @param input - a float type, [..., in]
 * @param options - `gradOutput`: the slope of the loss by the output, [..., out]
 * @throws TamisError as {@link pstMergeWeight}; `input must have in features`, `gradoutput must have the output's shape`
 * @example
 * import { tensor, training } from 'tamis'
 * const weight = tensor('float32', [1, 2], [4, -1])
 * const layer = { weight, ...training.pstInit(weight, { weightRank: 1, maskRank: 1 }) }
 * const input = tensor('float32', [1, 2], [1, 1])
 * const gradOutput = tensor('float32', [1, 1], [1])
 * const { output, grads } = training.pstLinear(input, layer, { sparsity: 0.5, gradOutput })
 * console.log(output.data, grads?.mask_scores_C.data) // Float32Array(1) [ 4 ] Float32Array(2) [ 4, -1 ]
 */
export function pstLinear(
  input: Tensor,
  weights: PstWeights,
  options?: PstOptions & { gradOutput?: Tensor | undefined },
): PstLinear {
  const o = checkOptions('options', options, [...KEYS, 'gradOutput'])
  const layer = layerOf(weights, o)
  const { out, width, merged } = layer
  const x = float32('input', input)
  if (x.dims.at(-1) !== width) {
    const got = `got dims [${x.dims.join(', ')}] for ${width}`
    throw new TamisError('ERR_TAMIS_SHAPE', `input must have in features, ${got}`)
  }
  const batch = x.dims.slice(0, -1)
  const rows = batch.reduce((product, n) => product * n, 1)
  const dims = [...batch, out]
  const slope = o.gradOutput === undefined ? undefined : gradOutputOf(o.gradOutput, dims)
  const [inputs, kept] = [matrix(x.data, rows, width), matrix(merged, out, width)]
  const base = layer.bias && repeated(layer.bias, rows)
  const output: Tensor<'float32'> = {
    type: 'float32',
    dims,
    data: multiply(inputs, transposed(kept), 1, base),
  }
  if (slope === undefined) return { output }

  const bySlope = matrix(slope, rows, out)
  const { updated, mask, u, v, a, b, beta, alpha1, alpha2 } = layer
  const gradient = multiply(transposed(bySlope), inputs)
  const slopes = atOnce(() => native.maskSlopes(gradient, updated, mask, width))
  const [byWeight, byScores] = [matrix(slopes.weight, out, width), matrix(slopes.scores, out, width)]
  const shaped = (of: Float32Array, ...shape: number[]): Tensor<'float32'> => ({
    type: 'float32',
    dims: shape,
    data: of,
  })
  const grads = {
    input: shaped(multiply(bySlope, kept), ...x.dims),
    weight_U: shaped(multiply(byWeight, transposed(v), beta), out, u.columns),
    weight_V: shaped(multiply(transposed(u), byWeight, beta), u.columns, width),
    mask_scores_A: shaped(multiply(byScores, transposed(b), alpha1), out, a.columns),
    mask_scores_B: shaped(multiply(transposed(a), byScores, alpha1), a.columns, width),
    mask_scores_R: shaped(times(slopes.rows, alpha2), out),
    mask_scores_C: shaped(times(slopes.columns, alpha2), width),
  }
  return { output, grads }
}

/**
 * The six tensors that are trained, as training starts: U (stream 0 of the seed) and A (stream 1) are standard normal, the
 * others 0, so that the layer starts as its weight, ranked by magnitude. O(out (weightRank + maskRank) + in).
 * @param weight - [out, in]
 * @param options - `weightRank` and `maskRank`: default 8; `seed`: default 0
 * @throws TamisError `weight must be a matrix`, `rank must be a positive integer`, `seed`
 * @example
 * import { tensor, training } from 'tamis'
 * const weight = tensor('float32', [2, 3], [1, 2, 3, 4, 5, 6])
 * const layer = { weight, ...training.pstInit(weight, { weightRank: 4, seed: 1 }) }
 * console.log(layer.weight_U.dims, layer.mask_scores_B.dims) // [ 2, 4 ] [ 8, 3 ]
 */
export function pstInit(
  weight: Tensor,
  options?: { weightRank?: number | undefined; maskRank?: number | undefined; seed?: Seed | undefined },
): PstTrainable {
  const [out, width] = weightOf(weight).dims
  const o = checkOptions('options', options, ['weightRank', 'maskRank', 'seed'])
  const [r1, r2] = [checkRank(o.weightRank ?? 8), checkRank(o.maskRank ?? 8)]
  const seed = parseSeed(o.seed)
  checkMemory('weightRank', 4 * r1 * (out + width))
  checkMemory('maskRank', 4 * r2 * (out + width))
  const normal = (stream: number, rank: number): Tensor<'float32'> => {
    const { data } = normalSync(out * rank, { seed, stream })
    return { type: 'float32', dims: [out, rank], data: data as Float32Array }
  }
  const zeros = (...dims: number[]): Tensor<'float32'> => ({
    type: 'float32',
    dims,
    data: new Float32Array(dims.reduce((product, n) => product * n, 1)),
  })
  return {
    weight_U: normal(0, r1),
    weight_V: zeros(r1, width),
    mask_scores_A: normal(1, r2),
    mask_scores_B: zeros(r2, width),
    mask_scores_R: zeros(out),
    mask_scores_C: zeros(width),
  }
}

function checkRank(rank: unknown): number {
  if (typeof rank === 'number' && Number.isInteger(rank) && rank >= 1 && rank < 2 ** 31) return rank
  return refuse('rank must be a positive integer', rank)
}

/** Checks a layer, and makes its mask. */
function layerOf(weights: unknown, o: PstOptions): Layer {
  const isRecord = typeof weights === 'object' && weights !== null && !ArrayBuffer.isView(weights)
  if (!isRecord || Array.isArray(weights)) {
    throw new TamisError(
      'ERR_TAMIS_TYPE',
      `weights must be an object of tensors by name, got ${show(weights)}`,
    )
  }
  const w = weights as PstWeights
  const { dims, data } = weightOf(w.weight)
  const [out, width] = dims
  const bias = w.bias === undefined ? undefined : shapedOf('bias', w.bias, '[out]', [out])
  const pair = (left: 'weight_U' | 'mask_scores_A', right: 'weight_V' | 'mask_scores_B') => {
    const rank = rankOf(w[left])
    const first = shapedOf(left, w[left], '[out, rank]', [out, rank])
    return [
      matrix(first, out, rank),
      matrix(shapedOf(right, w[right], '[rank, in]', [rank, width]), rank, width),
    ] as const
  }
  const [u, v] = pair('weight_U', 'weight_V')
  const [a, b] = pair('mask_scores_A', 'mask_scores_B')
  const r = shapedOf('mask_scores_R', w.mask_scores_R, '[out]', [out])
  const c = shapedOf('mask_scores_C', w.mask_scores_C, '[in]', [width])
  const { sparsity = 0.9 } = o
  if (typeof sparsity !== 'number' || !(sparsity >= 0 && sparsity < 1)) {
    refuse('sparsity must be in [0, 1)', sparsity)
  }
  const beta = checkNumber('weightBeta', o.weightBeta ?? 1)
  const alpha1 = checkNumber('maskAlpha1', o.maskAlpha1 ?? 1)
  const alpha2 = checkNumber('maskAlpha2', o.maskAlpha2 ?? 1)

  const updated = multiply(u, v, beta, data)
  const scores = atOnce(() => native.maskScores(updated, multiply(a, b), alpha1, r, c, alpha2))
  const n = out * width
  const keep = n - Math.floor(n * sparsity + 1e-6)
  const part = { type: 'float32', data: viewBytes({ data: scores }) }
  const found = atOnce(
    () =>
      native.sparsify('float32', viewBytes({ data: updated }), part, n, keep) as {
        values: Uint8Array
        mask: Uint8Array
      },
  )
  const merged = new Float32Array(found.values.buffer, found.values.byteOffset, n)
  return { out, width, bias, u, v, a, b, beta, alpha1, alpha2, updated, mask: found.mask, merged }
}

function float32(name: string, value: unknown): Tensor<'float32'> {
  const { dims } = checkTensor(name, value, { types: FLOAT_TYPES })
  return convertReals(checkReals(name, value, [dims.length]), 'float32')
}

function weightOf(weight: unknown): { dims: [number, number]; data: Float32Array } {
  const { dims, data } = float32('weight', weight)
  if (dims.length === 2) return { dims: dims as [number, number], data }
  const got = `got dims [${dims.join(', ')}]`
  throw new TamisError('ERR_TAMIS_SHAPE', `weight must be a matrix [out, in], ${got}`)
}

/** The second axis, if there is one. */
function rankOf(value: unknown): number {
  const dims = (value as Tensor | undefined)?.dims
  return Array.isArray(dims) && Number.isSafeInteger(dims[1]) ? (dims[1] as number) : 0
}

function shapedOf(name: string, value: unknown, shape: string, wanted: readonly number[]): Float32Array {
  const { dims, data } = float32(name, value)
  if (dims.length === wanted.length && dims.every((n, axis) => n === wanted[axis])) return data
  const want = `${name.toLowerCase()} must have shape ${shape}, here [${wanted.join(', ')}]`
  throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got [${dims.join(', ')}]`)
}

function gradOutputOf(value: unknown, wanted: readonly number[]): Float32Array {
  const { dims, data } = float32('gradOutput', value)
  if (dims.length === wanted.length && dims.every((n, axis) => n === wanted[axis])) return data
  const got = `got dims [${dims.join(', ')}], not [${wanted.join(', ')}]`
  throw new TamisError('ERR_TAMIS_SHAPE', `gradoutput must have the output's shape, ${got}`)
}

function matrix(data: Float32Array, rows: number, columns: number): NativeFactor {
  return { data, rows, columns, transposed: false }
}

function transposed(factor: NativeFactor): NativeFactor {
  return { ...factor, transposed: !factor.transposed }
}

function multiply(a: NativeFactor, b: NativeFactor, factor = 1, base?: Float32Array): Float32Array {
  return atOnce(() => native.multiply(a, b, factor, base))
}

/** `rows` times the same row. */
function repeated(row: Float32Array, rows: number): Float32Array {
  const all = new Float32Array(rows * row.length)
  for (let i = 0; i < rows; i++) all.set(row, i * row.length)
  return all
}

function times(x: Float32Array, factor: number): Float32Array {
  return x.map((item) => item * factor)
}
