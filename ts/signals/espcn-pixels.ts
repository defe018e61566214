/**
 * Pixels: channels as the cells of a finer grid, and images of another size.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkInteger, checkMemory, checkOneOf, checkOptions } from '../options.js'
import { checkReals } from '../rows.js'
import { atOnce, type Cancellable, promised } from '../run.js'
import { checkTensor, type Tensor, type TensorType, viewAs, viewBytes } from '../tensor.js'
import { checkSome, type Real, realsOf, shapeError } from './network.js'

/** Which channels are the cells of a pixel. */
export interface ShuffleOptions {
  /** Cells along a side, an integer >= 1. */
  factor: number
  /**
   * `crd`: the cells of a channel are neighbouring channels (PyTorch's pixel shuffle); `dcr`: they are apart by the number
   * of channels (the paper's, depth-to-space of ONNX and TensorFlow; images only). Default `crd`.
   */
  order?: 'crd' | 'dcr' | undefined
}

/** @hidden */
export function checkFactor(factor: unknown): number {
  return checkInteger('factor', factor, 1, 2 ** 16 - 1)
}

/** @hidden */
export function checkOrder(order: unknown): 'crd' | 'dcr' {
  return checkOneOf('order', order ?? 'crd', ['crd', 'dcr'])
}

function shuffled<T extends TensorType>(x: Tensor<T>, options: ShuffleOptions, back: boolean): Tensor<T> {
  const tensor = checkTensor<T>('x', x, { ranks: [4, 5] })
  const o = checkOptions('options', options, ['factor', 'order'])
  const [factor, order] = [checkFactor(o.factor), checkOrder(o.order)]
  const [batch = 0, channels = 0, ...sides] = tensor.dims
  const axes = sides.length as 2 | 3
  if (order === 'dcr' && axes === 3) {
    throw new TamisError('ERR_TAMIS_RANGE', `order must be 'crd' for volumes, got 'dcr'`)
  }
  const cell = factor ** axes
  if (!back && channels % cell !== 0) {
    throw shapeError(
      `x must have channels divisible by ${cell} (factor ${factor}), got dims [${tensor.dims.join(', ')}]`,
    )
  }
  if (back && sides.some((side) => side % factor !== 0)) {
    throw shapeError(`x must have sides divisible by ${factor}, got dims [${tensor.dims.join(', ')}]`)
  }
  checkMemory('x', 2 * tensor.data.byteLength)
  const small = back ? sides.map((side) => side / factor) : sides
  const few = back ? channels : channels / cell
  const shape = {
    batch,
    channels: few,
    sides: axes === 2 ? [1, ...small] : small,
    factor,
    axes,
    apart: order === 'dcr',
    back,
  }
  const dims = back ? [batch, channels * cell, ...small] : [batch, few, ...sides.map((side) => side * factor)]
  const bytes = atOnce(() => native.shuffleCells(tensor.type, viewBytes(tensor), shape))
  return { type: tensor.type, dims, data: viewAs(tensor, bytes) }
}

/**
 * Channels become pixels: of `factor^2` channels (`factor^3` in a volume) each becomes one cell of a finer grid. No
 * arithmetic: any type, every bit as it was. At once; one pass, in parallel.
 * @param x - [N, C factor^2, H, W] or [N, C factor^3, D, H, W]
 * @returns [N, C, factor H, factor W] or [N, C, factor D, factor H, factor W]
 * @throws TamisError `divisible`, `factor`, `rank`, `order`
 * @example
 * import { signals, tensor } from 'tamis'
 * const x = tensor('float32', [1, 4, 1, 1], [1, 2, 3, 4])
 * console.log(signals.pixelShuffle(x, { factor: 2 }).dims) // [ 1, 1, 2, 2 ]
 */
export function pixelShuffle<T extends TensorType>(x: Tensor<T>, options: ShuffleOptions): Tensor<T> {
  return shuffled(x, options, false)
}

/**
 * The inverse of {@link pixelShuffle}: pixels become channels.
 * @param x - [N, C, H, W] or [N, C, D, H, W], sides multiples of `factor`
 * @returns [N, C factor^2, H / factor, W / factor] or [N, C factor^3, D / factor, H / factor, W / factor]
 * @throws TamisError `divisible`, `factor`, `rank`, `order`
 * @example
 * import { signals, tensor } from 'tamis'
 * const x = tensor('uint8', [1, 1, 2, 2], [1, 2, 3, 4])
 * console.log(signals.pixelUnshuffle(x, { factor: 2 }).dims) // [ 1, 4, 1, 1 ]
 */
export function pixelUnshuffle<T extends TensorType>(x: Tensor<T>, options: ShuffleOptions): Tensor<T> {
  return shuffled(x, options, true)
}

/** To which size, and how. */
export interface ResizeOptions {
  /** >= 1 */
  height: number
  /** >= 1 */
  width: number
  /**
   * `bicubic`: cubic convolution (a = -0.5) between half-pixel centres, over a wider support where it shrinks, so that
   * nothing aliases; borders are made of the pixels that there are. `nearest`: the pixel at `floor(i in / out)`. Default
   * `bicubic`.
   */
  mode?: 'bicubic' | 'nearest' | undefined
}

/**
 * Images of another size, as Pillow's and torch's antialiased bicubic. In float64, rounded to the type of the image. A
 * few multiply-adds a pixel and axis (4, or 4 in / out where it shrinks), in parallel; the image is copied before the
 * call returns. NaN stays in the pixels that it reaches.
 * @param image - a float type, [N, C, H, W]
 * @returns [N, C, height, width]; float64 if the image is, else float32
 * @throws TamisError `rank`, `empty`, `height`, `width`, `mode`
 * @example
 * import { signals, tensor } from 'tamis'
 * const image = tensor('float32', [1, 1, 2, 2], [0, 1, 0, 1])
 * const { dims } = await signals.resize(image, { height: 4, width: 6 })
 * console.log(dims) // [ 1, 1, 4, 6 ]
 */
export async function resize(image: Tensor, options: ResizeOptions & Cancellable): Promise<Tensor<Real>> {
  return promised(options, (given: ResizeOptions | undefined) => {
    const x = checkReals('image', image, [4])
    const o = checkOptions('options', given, ['height', 'width', 'mode'])
    const to = [checkInteger('height', o.height, 1, 2 ** 31), checkInteger('width', o.width, 1, 2 ** 31)]
    const mode = checkOneOf('mode', o.mode ?? 'bicubic', ['bicubic', 'nearest'])
    checkSome('image', x)
    const [batch = 0, channels = 0, ...from] = x.dims
    const dims = [batch, channels, ...to]
    checkMemory('the resized image', 24 * dims.reduce((a, b) => a * b, 1))
    const wide = x.type === 'float64'
    return {
      call: (job) => native.resizePlanes(wide, viewBytes(x), from, to, mode === 'nearest', job),
      finish: (bytes) => realsOf(wide, dims, bytes),
    }
  })
}
