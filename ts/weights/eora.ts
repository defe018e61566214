/**
 * EoRA (Liu, Khadkevich, Fung, Sakr, Yang, Wang, Muralidharan, Keller, Kautz, Molchanov, Chen, "EoRA: Fine-tuning-free
 * Compensation for Compressed LLM with Eigenspace Low-Rank Approximation", arXiv 2410.21271): a LoRA pair beside a
 * pruned or quantised weight that takes back most of what the compression did to the layer's real inputs.
 *
 * A layer at a time: in a whole model the inputs of a layer are those that come out of the layers before it as already
 * compensated. Sums are plain here (the authors' running mean weighs later sequences up to e times more), and no
 * eigenvalue of the inputs is divided by, so that fewer inputs than features do no harm.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkMemory, checkOptions, checkPositiveInteger } from '../options.js'
import { type Cancellable, promised } from '../run.js'
import { checkTensor, FLOAT_TYPES, type Tensor } from '../tensor.js'
import { partOf } from './state-dict.js'

/** How many directions to give back, and what matters to them. */
export interface CompensateOptions {
  /** Of the pair, an integer >= 1; clipped to min(out, in). Default 128. */
  rank?: number | undefined
  /** Inputs of the layer, a float type, [..., in]: each row of the last axis is a token. Default: all directions matter alike. */
  inputs?: Tensor | undefined
  /** Instead of `inputs`: their {@link gram}, [in, in], or any positive multiple of it. */
  gram?: Tensor | undefined
}

/** A LoRA pair of scaling 1: `y = x C^T + (x A^T) B^T`. */
export interface Compensation {
  /** A, [rank, in]: PEFT's `lora_A.weight`. */
  loraA: Tensor<'float32'>
  /** B, [out, rank]: PEFT's `lora_B.weight`. In each column the entry of largest magnitude is positive. */
  loraB: Tensor<'float32'>
  /** `||(W - C) X^T||`: how far the compressed layer's outputs are off, as a Frobenius norm over all tokens. */
  before: number
  /** The same with the pair: no other pair of this rank has less. */
  after: number
}

function mismatch(what: string, want: string, dims: readonly number[]): TamisError {
  return new TamisError(
    'ERR_TAMIS_SHAPE',
    `shape mismatch: ${what} must have dims ${want}, got [${dims.join(', ')}]`,
  )
}

function checkFloats(name: string, value: unknown): Tensor {
  return checkTensor(name, value, { types: FLOAT_TYPES })
}

/** Rows of `width` items, in one list or in several axes. */
function checkRows(value: unknown, width: number): Tensor {
  const inputs = checkFloats('inputs', value)
  if (inputs.dims.length > 0 && inputs.dims.at(-1) === width) return inputs
  throw mismatch('inputs', `[..., ${width}]`, inputs.dims)
}

function checkSquare(name: string, value: unknown, width: number): Tensor {
  const square = checkFloats(name, value)
  const { dims } = square
  if (dims.length === 2 && dims[0] === width && dims[1] === width) return square
  throw mismatch(name, `[${width}, ${width}]`, dims)
}

/**
 * The low-rank pair that compensates a compressed weight best: of `weight - compressed` the part of rank `rank` that
 * changes the layer's outputs most. In float64, results in float32. O(out in (out + in)) in products, in parallel, and
 * an eigendecomposition of the smaller side, O(min(out, in)^3) (of `in` too if out is larger). Tensors are copied before
 * the call returns.
 * @param weight - the original, a float type, [out, in]
 * @param compressed - the pruned or dequantised one, of the same dims
 * @throws TamisError `shape mismatch`, `weight must be 2-d`, `inputs and gram exclude each other`,
 * `rank must be a positive integer`, `inputs are all zero`, `not finite`; `gram must be symmetric`
 * @example
 * import { tensor, weights } from 'tamis'
 * const weight = tensor('float32', [2, 2], [1, 0.5, 0.5, 1])
 * const pruned = tensor('float32', [2, 2], [1, 0, 0, 1])
 * const inputs = tensor('float32', [3, 2], [4, 0, 5, 1, 6, 0])
 * const { loraA, loraB, before, after } = await weights.compensateLowRank(weight, pruned, { rank: 1, inputs })
 * console.log(loraA.dims, loraB.dims, before > 5 * after) // [ 1, 2 ] [ 2, 1 ] true
 */
export async function compensateLowRank(
  weight: Tensor,
  compressed: Tensor,
  options?: CompensateOptions & Cancellable,
): Promise<Compensation> {
  return promised(options, (given: CompensateOptions | undefined) => {
    const o = checkOptions('options', given, ['rank', 'inputs', 'gram'])
    const [w, c] = [checkFloats('weight', weight), checkFloats('compressed', compressed)]
    if (w.dims.length !== 2) {
      throw new TamisError('ERR_TAMIS_SHAPE', `weight must be 2-d, got dims [${w.dims.join(', ')}]`)
    }
    const [rows, columns] = w.dims as [number, number]
    if (c.dims.length !== 2 || c.dims[0] !== rows || c.dims[1] !== columns) {
      throw mismatch('compressed', `[${rows}, ${columns}] as weight`, c.dims)
    }
    const rank = Math.min(checkPositiveInteger('rank', o.rank ?? 128), rows, columns)
    if (o.inputs !== undefined && o.gram !== undefined) {
      throw new TamisError('ERR_TAMIS_TYPE', 'inputs and gram exclude each other: give one of them')
    }
    const inputs = o.inputs === undefined ? undefined : checkRows(o.inputs, columns)
    const square = o.gram === undefined ? undefined : checkSquare('gram', o.gram, columns)
    checkMemory('weight', 40 * rows * columns + 32 * columns ** 2)
    const about = inputs ?? square
    const told = [partOf(w), partOf(c), rows, columns, about && partOf(about)] as const
    return {
      call: (job) => native.lowRank(...told, square !== undefined, rank, job),
      finish: ({ a, b, before, after }) => ({
        loraA: { type: 'float32' as const, dims: [rank, columns], data: a },
        loraB: { type: 'float32' as const, dims: [rows, rank], data: b },
        before,
        after,
      }),
    }
  })
}

/**
 * X^T X, the second moments of a layer's inputs, for {@link compensateLowRank}: batch by batch where the inputs of all
 * do not fit into memory. Summed in float64 within a call, in parallel, and rounded to float32. O(tokens in^2);
 * the tensors are copied before the call returns.
 * @param inputs - a float type, [..., in]: each row of the last axis is a token
 * @param into - what earlier calls gave, [in, in]: it is added, and not changed
 * @returns [in, in]
 * @throws TamisError `shape mismatch`, `not finite`
 * @example
 * import { tensor, weights } from 'tamis'
 * const first = await weights.gram(tensor('float32', [1, 2], [1, 2]))
 * const both = await weights.gram(tensor('float32', [1, 2], [3, 0]), first)
 * console.log(both.data) // Float32Array(4) [ 10, 2, 2, 4 ]
 */
export async function gram(inputs: Tensor, into?: Tensor, options?: Cancellable): Promise<Tensor<'float32'>> {
  return promised(options, (given: object | undefined) => {
    checkOptions('options', given, [])
    const { dims } = checkFloats('inputs', inputs)
    const width = dims.at(-1)
    if (width === undefined) throw mismatch('inputs', '[..., in]', dims)
    const x = checkRows(inputs, width)
    const sum = into === undefined ? undefined : checkSquare('into', into, width)
    checkMemory('inputs', 24 * width ** 2)
    return {
      call: (job) => native.gram(partOf(x), width, sum && partOf(sum), job),
      finish: (data) => ({ type: 'float32' as const, dims: [width, width], data }),
    }
  })
}
