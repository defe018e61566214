/**
 * Convolution (cross-correlation, as networks have it) over one, two or three axes.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkInteger, checkOneOf, checkOptions, show } from '../options.js'
import { type Cancellable, now, type Operation, promised } from '../run.js'
import { asFloat64, checkTensor, type Tensor, viewAs, viewBytes } from '../tensor.js'

type Real = 'float32' | 'float64'

/** How a kernel goes over its input. */
export interface ConvolveOptions {
  /** [O]: added to each output channel. Default: none. */
  bias?: Tensor | undefined
  /** A number, or one for each axis. Default 1. */
  stride?: number | readonly number[] | undefined
  /**
   * At both ends: a number, or one for each axis; 'same' keeps the sides (stride 1; the smaller half comes first).
   * Default 0.
   */
  padding?: number | readonly number[] | 'same' | undefined
  /** What the padding holds; 'reflect' does not repeat the edge. Default `zero`. */
  padMode?: 'zero' | 'reflect' | 'replicate' | undefined
  /** A number, or one for each axis. Default 1. */
  dilation?: number | readonly number[] | undefined
  /** Output channels of a group see the input channels of that group. Default 1. */
  groups?: number | undefined
}

const REAL = ['float32', 'float64'] as const
const LARGEST = 2 ** 31 - 1

function checkAxes(name: string, value: unknown, axes: number, least: number): number[] {
  const list = Array.isArray(value) ? value : Array.from({ length: axes }, () => value)
  if (list.length !== axes) {
    const want = `${name} must be a number or one for each of ${axes} axes`
    throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got ${show(value)}`)
  }
  return list.map((item, axis) =>
    checkInteger(Array.isArray(value) ? `${name}[${axis}]` : name, item, least, LARGEST),
  )
}

function shapeError(message: string): TamisError {
  return new TamisError('ERR_TAMIS_SHAPE', message)
}

function correlate(
  x: Tensor,
  weight: Tensor,
  options: ConvolveOptions | undefined,
): Operation<Uint8Array, Tensor<Real>> {
  const known = ['bias', 'stride', 'padding', 'padMode', 'dilation', 'groups'] as const
  const o = checkOptions('options', options, known)
  const input = checkTensor('x', x, { types: REAL, ranks: [3, 4, 5] })
  const kernel = checkTensor('weight', weight, { types: REAL, ranks: [input.dims.length] })
  const [batch, channels, ...sides] = input.dims as [number, number, ...number[]]
  const [outputs, width, ...taps] = kernel.dims as [number, number, ...number[]]
  const groups = checkInteger('groups', o.groups ?? 1, 1, LARGEST)
  if (channels % groups !== 0 || outputs % groups !== 0) {
    throw shapeError(
      `groups must divide the channels of x and of the output, got ${groups} for ${channels} and ${outputs}`,
    )
  }
  if (width !== channels / groups) {
    throw shapeError(
      `channels: weight must have ${channels / groups} (those of x over groups), got dims [${kernel.dims.join(', ')}]`,
    )
  }
  const bias =
    o.bias === undefined ? undefined : checkTensor('bias', o.bias, { types: REAL, dims: [outputs] })
  const axes = sides.length
  const stride = checkAxes('stride', o.stride ?? 1, axes, 1)
  const dilation = checkAxes('dilation', o.dilation ?? 1, axes, 1)
  const padMode = checkOneOf('padMode', o.padMode ?? 'zero', ['zero', 'reflect', 'replicate'])
  const reach = taps.map((k, axis) => (dilation[axis] as number) * (k - 1))
  const { before, after } = paddings(o.padding ?? 0, reach, stride)
  const output = sides.map((n, axis) => {
    const pads = [before[axis] as number, after[axis] as number] as const
    if (padMode !== 'zero') checkPads(padMode, n, Math.max(...pads))
    const room = n + pads[0] + pads[1] - (reach[axis] as number) - 1
    if ((taps[axis] as number) < 1 || room < 0) {
      const got = `got ${taps[axis]} (dilation ${dilation[axis]}) for ${n + pads[0] + pads[1]}`
      throw shapeError(`kernel: weight must fit into the padded x on each axis, ${got}`)
    }
    return Math.floor(room / (stride[axis] as number)) + 1
  })
  const three = (list: readonly number[], fill: number) => [...Array(3 - axes).fill(fill), ...list]
  const shape = {
    batch,
    channels,
    outputs,
    groups,
    input: three(sides, 1),
    kernel: three(taps, 1),
    stride: three(stride, 1),
    dilation: three(dilation, 1),
    before: three(before, 0),
    after: three(after, 0),
    padding: padMode,
  }
  const wide = [input, kernel, bias].some((tensor) => tensor?.type === 'float64')
  const bytes = (tensor: Tensor) => viewBytes(wide ? { data: asFloat64(tensor) } : tensor)
  const type: Real = wide ? 'float64' : 'float32'
  const like: Tensor<Real> = { type, dims: [0], data: wide ? new Float64Array(0) : new Float32Array(0) }
  return {
    call: (job) => native.convolve(wide, bytes(input), bytes(kernel), bias && bytes(bias), shape, job),
    finish: (data) => ({ type, dims: [batch, outputs, ...output], data: viewAs(like, data) }),
  }
}

function paddings(
  padding: unknown,
  reach: readonly number[],
  stride: readonly number[],
): { before: number[]; after: number[] } {
  if (padding !== 'same') {
    if (typeof padding === 'string') checkOneOf('padding', padding, ['same'])
    const both = checkAxes('padding', padding, reach.length, 0)
    return { before: both, after: both }
  }
  if (stride.some((step) => step > 1)) {
    throw new TamisError('ERR_TAMIS_RANGE', `stride must be 1 with padding 'same', got ${show(stride)}`)
  }
  const before = reach.map((n) => Math.max(0, Math.floor(n / 2)))
  return { before, after: reach.map((n, axis) => Math.max(0, n) - (before[axis] as number)) }
}

function checkPads(mode: 'reflect' | 'replicate', side: number, pad: number): void {
  if (pad === 0 || (mode === 'reflect' ? pad < side : side > 0)) return
  const want = mode === 'reflect' ? "less than the side with padMode 'reflect'" : '0 on a side of 0'
  throw new TamisError('ERR_TAMIS_RANGE', `padding must be ${want}, got ${pad} for a side of ${side}`)
}

/**
 * Cross-correlation over the last one, two or three axes: `out = bias + sum of weight * x[stride o + dilation k - pad]`,
 * a side of `floor((n + pads - dilation (k-1) - 1) / stride) + 1`. Products and sums in the type of the input (float32,
 * or float64 if one of the tensors is), the same bits for any number of threads. O(outputs * (C / groups) * kernel)
 * for each output channel.
 * @param x - [N, C, ...sides]
 * @param weight - [O, C / groups, ...kernel]
 * @returns [N, O, ...sides of the output]
 * @throws TamisError `groups`, `channels`, `bias`, `stride` ('same' with more than 1), `kernel` (larger than the padded
 * input), `padding`, `dilation`, `rank`, `dims`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const x = tensor('float32', [1, 1, 4], [1, 2, 3, 4])
 * const y = await kernels.convolve(x, tensor('float32', [1, 1, 2], [1, 1]))
 * console.log(y.data) // Float32Array(3) [ 3, 5, 7 ]
 */
export async function convolve(
  x: Tensor,
  weight: Tensor,
  options?: ConvolveOptions & Cancellable,
): Promise<Tensor<Real>> {
  return promised(options, (o) => correlate(x, weight, o))
}

/** {@link convolve}, at once. */
export function convolveSync(x: Tensor, weight: Tensor, options?: ConvolveOptions): Tensor<Real> {
  return now(correlate(x, weight, options))
}
