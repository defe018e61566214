/**
 * Weights of linear layers: their checks, and their rows and columns taken out.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkCount, checkOptions, show } from '../options.js'
import { checkMask, checkNumbers } from '../rows.js'
import { atOnce } from '../run.js'
import { checkTensor, FLOAT_TYPES, type Tensor, type TensorType, viewAs, viewBytes } from '../tensor.js'
import { partOf } from './state-dict.js'

/** A tensor of a float type and two axes; its numbers are checked by who reads them. */
export function checkWeight<T extends TensorType>(
  name: string,
  weight: Tensor<T>,
): { tensor: Tensor<T>; out: number; columns: number } {
  const tensor = checkTensor(name, weight, { types: FLOAT_TYPES }) as Tensor as Tensor<T>
  const [out, columns] = tensor.dims
  if (tensor.dims.length === 2) return { tensor, out: out as number, columns: columns as number }
  throw new TamisError(
    'ERR_TAMIS_SHAPE',
    `${name} must be 2-d, [out, in], got dims [${tensor.dims.join(', ')}]`,
  )
}

/** Numbers of which there must be one a channel. */
export function checkLength<T extends { length: number }>(name: string, values: T, length: number): T {
  if (values.length === length) return values
  throw new TamisError(
    'ERR_TAMIS_SHAPE',
    `${name} must have ${length} items, one a channel, got ${values.length}`,
  )
}

/** A share that goes, which cannot be all. */
export function checkShare(name: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value < 1) return value
  throw new TamisError(
    typeof value === 'number' ? 'ERR_TAMIS_RANGE' : 'ERR_TAMIS_TYPE',
    `${name} must be between 0 and 1, and below 1, got ${show(value)}`,
  )
}

/** Squares: one a channel, finite, none negative. */
export function checkSquaredNorm(value: unknown, length: number): Float64Array {
  const squares = checkLength('squaredNorm', checkNumbers('squaredNorm', value), length)
  const place = squares.findIndex((x) => !(x >= 0 && x < Infinity))
  if (place < 0) return squares
  throw new TamisError(
    'ERR_TAMIS_RANGE',
    `squaredNorm must hold finite numbers >= 0, got ${squares[place]} for channel ${place}`,
  )
}

/** A bias or means, as float64: one a channel, finite. */
function checkChannels(name: string, value: unknown, length: number): Float64Array | undefined {
  if (value === undefined) return undefined
  const values = checkLength(name, checkNumbers(name, value), length)
  const place = values.findIndex((x) => !Number.isFinite(x))
  if (place < 0) return values
  throw new TamisError(
    'ERR_TAMIS_RANGE',
    `${name} is not finite: it holds ${values[place]} for channel ${place}`,
  )
}

/** A linear layer that is narrower. */
export interface PrunedLinear<T extends TensorType = TensorType> {
  /** Of the weight's type. */
  weight: Tensor<T>
  /** If one was given, or means that make one: float32. */
  bias?: Float32Array
}

/** What {@link pruneInputs} does besides. */
export interface PruneInputsOptions {
  /** Mean of each input channel, [in]: what the dropped ones gave on average goes into the bias. */
  mean?: Float32Array | Tensor | undefined
  /** [out]; default 0 where `mean` is given. */
  bias?: Float32Array | Tensor | undefined
}

/** What {@link pruneOutputs} does besides. */
export interface PruneOutputsOptions {
  /** [out]; it loses the same entries. */
  bias?: Float32Array | Tensor | undefined
  /** Rows of a mask entry, such as the channels of a head. Default 1. */
  groupSize?: number | undefined
}

/**
 * Drops input channels: `W` keeps its columns where the mask is 1, and with `mean` the bias becomes
 * `bias_i + sum over dropped j of W_ij mean_j`, a float64 sum. O(out in), in parallel.
 * @param weight - a float type, [out, in], finite
 * @param mask - [in], 1 for a channel that stays; without any the weight is [out, 0]
 * @throws TamisError `weight must be 2-d`, `mask`, `mean`, `bias`, `not finite`
 * @example
 * import { tensor, weights } from 'tamis'
 * const weight = tensor('float32', [2, 3], [1, 2, 3, 4, 5, 6])
 * const pruned = weights.pruneInputs(weight, Uint8Array.of(1, 0, 1), { mean: Float32Array.of(9, 0.5, 9) })
 * console.log(pruned.weight.data, pruned.bias) // Float32Array(4) [ 1, 3, 4, 6 ] Float32Array(2) [ 1, 2.5 ]
 */
export function pruneInputs<T extends TensorType>(
  weight: Tensor<T>,
  mask: Uint8Array | Tensor,
  options?: PruneInputsOptions,
): PrunedLinear<T> {
  const { tensor, out, columns } = checkWeight('weight', weight)
  const keep = maskOf(mask, columns)
  const o = checkOptions('options', options, ['mean', 'bias'])
  const mean = checkChannels('mean', o.mean, columns)
  const bias = checkChannels('bias', o.bias, out)
  const part = partOf(tensor)
  atOnce(() => native.checkFinite('weight', part))
  const kept = keep.reduce((sum, one) => sum + (one === 0 ? 0 : 1), 0)
  const data = viewAs(
    tensor,
    atOnce(() => native.keepColumns(part, keep)),
  )
  const pruned: PrunedLinear<T> = { weight: { type: tensor.type, dims: [out, kept], data } }
  if (mean === undefined && bias === undefined) return pruned
  const sums = bias ?? new Float64Array(out)
  if (mean === undefined || columns === 0) return { ...pruned, bias: Float32Array.from(sums) }
  const dropped = mean.map((x, j) => (keep[j] === 0 ? x : 0))
  const gone = atOnce(() => native.weightedRowSums('weight', part, dropped))
  return { ...pruned, bias: Float32Array.from(sums, (x, i) => x + (gone[i] as number)) }
}

/**
 * Drops output channels: rows of `W`, and entries of the bias, where the mask is 0. O(out in).
 * @param weight - a float type, [out, in], finite
 * @param mask - [out / groupSize], 1 for what stays
 * @throws TamisError `weight must be 2-d`, `mask`, `bias`, `groupSize`, `not finite`
 * @example
 * import { tensor, weights } from 'tamis'
 * const weight = tensor('float32', [4, 1], [1, 2, 3, 4])
 * const heads = weights.pruneOutputs(weight, Uint8Array.of(0, 1), { groupSize: 2 })
 * console.log(heads.weight.data) // Float32Array(2) [ 3, 4 ]
 */
export function pruneOutputs<T extends TensorType>(
  weight: Tensor<T>,
  mask: Uint8Array | Tensor,
  options?: PruneOutputsOptions,
): PrunedLinear<T> {
  const { tensor, out, columns } = checkWeight('weight', weight)
  const o = checkOptions('options', options, ['bias', 'groupSize'])
  const size = checkCount('groupSize', o.groupSize ?? 1, 1)
  if (out % size !== 0) {
    throw new TamisError(
      'ERR_TAMIS_SHAPE',
      `groupSize must divide the ${out} rows that mask is for, got ${size}`,
    )
  }
  const keep = maskOf(mask, out / size)
  const bias = checkChannels('bias', o.bias, out)
  atOnce(() => native.checkFinite('weight', partOf(tensor)))
  const groups = Array.from(keep.keys()).filter((g) => keep[g] !== 0)
  const bytes = viewBytes(tensor)
  const step = bytes.length / Math.max(1, keep.length)
  const kept = new Uint8Array(groups.length * step)
  for (const [i, g] of groups.entries()) kept.set(bytes.subarray(g * step, (g + 1) * step), i * step)
  const dims = [groups.length * size, columns]
  const pruned: PrunedLinear<T> = { weight: { type: tensor.type, dims, data: viewAs(tensor, kept) } }
  if (bias === undefined) return pruned
  const rows = groups.flatMap((g) => [...bias.subarray(g * size, (g + 1) * size)])
  return { ...pruned, bias: Float32Array.from(rows) }
}

function maskOf(mask: unknown, length: number): Uint8Array {
  const checked = checkMask('mask', mask, length)
  if (checked !== undefined) return checked
  throw new TamisError('ERR_TAMIS_TYPE', 'mask must be a Uint8Array or a tensor, got undefined')
}
