/**
 * ESPCN (Shi, Caballero, Huszár, Totz, Aitken, Bishop, Rueckert, Wang, "Real-Time Single Image and Video Super-Resolution
 * Using an Efficient Sub-Pixel Convolutional Neural Network", CVPR 2016, arXiv 1609.05158): enlarging images by a network
 * that works on the small grid to the end, where its last channels become the new pixels.
 *
 * Any number of layers, with the names that PyTorch's state dicts have. The output is as the paper has it, without a
 * nonlinearity and not clipped. Besides it the network of one layer, whose best filters are the solution of one linear
 * system. Colour is done as its users do: the network on luminance, `resize` on the others.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkInteger, checkNumber, checkOneOf, checkOptions } from '../options.js'
import { checkReals } from '../rows.js'
import { atOnce, type Cancellable, promised } from '../run.js'
import type { Tensor } from '../tensor.js'
import { checkFactor, checkOrder, pixelUnshuffle, type ShuffleOptions } from './espcn-pixels.js'
import { bytesOf, checkSome, NetworkPlan, type Real, realsOf, shapeError, type Weights } from './network.js'

/** How a network enlarges: {@link ShuffleOptions} and what its layers do to their outputs. */
export interface SuperResolveOptions extends ShuffleOptions {
  /** After every layer but the last. Default `tanh`. */
  activation?: 'tanh' | 'relu' | 'none' | undefined
  /** After the last. Default `none`. */
  outputActivation?: 'none' | 'sigmoid' | undefined
}

const KEYS = ['factor', 'activation', 'outputActivation', 'order'] as const

/** The layers conv1, conv2, ... one after the other, then the shuffle. */
function plan(
  image: Tensor,
  weights: Weights,
  options: SuperResolveOptions | undefined,
): { x: Tensor<Real>; network: NetworkPlan; dims: number[] } {
  const x = checkReals('image', image, [4])
  const o = checkOptions('options', options, KEYS)
  const [factor, order] = [checkFactor(o.factor), checkOrder(o.order)]
  const activation = checkOneOf('activation', o.activation ?? 'tanh', ['tanh', 'relu', 'none'])
  const output = checkOneOf('outputActivation', o.outputActivation ?? 'none', ['none', 'sigmoid'])
  checkSome('image', x)
  const network = new NetworkPlan(x, weights)
  const layers = countLayers(weights)
  let map = 0
  for (let layer = 1; layer <= layers; layer++) {
    map = network.convolve([map], `conv${layer}`, layer < layers ? activation : output)
  }
  map = network.shuffle(map, factor, order === 'dcr', `weights: the last layer, conv${layers},`)
  return { x, network, dims: network.dims(map) }
}

/** The highest number of a layer: lower ones that are missing are found when they are read. */
function countLayers(weights: Weights): number {
  const numbers = Object.keys(weights).map((name) => /^conv([1-9]\d{0,5})\.(?:weight|bias)$/.exec(name)?.[1])
  return numbers.reduce((most, number) => Math.max(most, Number(number ?? 0)), 1)
}

/**
 * Enlarges images by a sub-pixel convolutional network: layers `conv1`, `conv2`, ... of odd square kernels (stride 1,
 * zeros around) on the small grid, then {@link pixelShuffle}. In float32, or float64 if a tensor is; parallel, the same
 * bits on any number of threads. O(H W sum of k^2 inputs outputs); tensors are copied before the call returns. NaN stays
 * in the pixels that it reaches.
 * @param image - a float type, [N, C0, H, W], values usually 0..1; the frames of a video are a batch
 * @param weights - `conv1.weight` [out, C0, k, k], `conv1.bias` [out], `conv2.weight`, ...: as many layers as there are; the
 * last has C factor^2 outputs. Other names are left alone
 * @returns [N, C, factor H, factor W], not clipped
 * @throws TamisError `rank`, `empty`, `factor`, `conv` (a name that is missing), `channels`, `odd`, `divisible`
 * @example
 * import { signals, tensor } from 'tamis'
 * const image = tensor('float32', [1, 1, 1, 2], [0.25, 0.5])
 * const weights = {
 *   'conv1.weight': tensor('float32', [4, 1, 1, 1], [1, 1, 1, 1]),
 *   'conv1.bias': tensor('float32', [4], [0, 0, 0, 0]),
 * }
 * const large = await signals.superResolve(image, weights, { factor: 2 })
 * console.log(large.dims, large.data[3]) // [ 1, 1, 2, 4 ] 0.5
 */
export async function superResolve(
  image: Tensor,
  weights: Weights,
  options: SuperResolveOptions & Cancellable,
): Promise<Tensor<Real>> {
  return promised(options, (o) => {
    const { x, network, dims } = plan(image, weights, o)
    const { wide } = network
    const [bytes, told] = [bytesOf(x, wide), network.native(wide)]
    return {
      call: (job) => native.runNetwork(bytes, told, job),
      finish: ({ data }) => realsOf(wide, dims, data),
    }
  })
}

/** A loss and its derivatives. */
export interface SuperResolveLoss {
  /** The mean over all output pixels of the squared difference, summed in float64. */
  loss: number
  /** By each weight, of its name and shape. */
  gradients: Record<string, Tensor<Real>>
}

/**
 * How far enlarged images are from the true ones, and its derivative by every weight, for a step of any optimiser: at once,
 * about three times {@link superResolve}. ReLU's derivative at 0 is 0.
 * @param image - as of {@link superResolve}
 * @param hr - the large images, a float type, [N, C, factor H, factor W]
 * @param weights - as of {@link superResolve}
 * @returns float32, or float64 if a tensor is
 * @throws TamisError `shape` (hr is not `factor` times the image, or of another N or C); as {@link superResolve}
 * @example
 * import { signals, tensor } from 'tamis'
 * const weights = {
 *   'conv1.weight': tensor('float32', [1, 1, 1, 1], [2]),
 *   'conv1.bias': tensor('float32', [1], [0]),
 * }
 * const [image, hr] = [tensor('float32', [1, 1, 1, 1], [3]), tensor('float32', [1, 1, 1, 1], [5])]
 * const { loss, gradients } = signals.superResolveLoss(image, hr, weights, { factor: 1 })
 * console.log(loss, gradients['conv1.weight']?.data[0]) // 1 6
 */
export function superResolveLoss(
  image: Tensor,
  hr: Tensor,
  weights: Weights,
  options: SuperResolveOptions,
): SuperResolveLoss {
  const { x, network, dims } = plan(image, weights, options)
  const target = checkReals('hr', hr, [4])
  if (!target.dims.every((n, axis) => n === dims[axis])) {
    throw shapeError(`shape: hr must have dims [${dims.join(', ')}], got [${target.dims.join(', ')}]`)
  }
  const wide = network.wide || target.type === 'float64'
  const { loss, slopes } = atOnce(() =>
    native.deriveNetwork(bytesOf(x, wide), bytesOf(target, wide), network.native(wide)),
  )
  const gradients = network
    .layerDims()
    .flatMap(([weight, bias], layer) => [
      [`${network.names[layer]}.weight`, realsOf(wide, weight, slopes[2 * layer] as Uint8Array)] as const,
      [`${network.names[layer]}.bias`, realsOf(wide, bias, slopes[2 * layer + 1] as Uint8Array)] as const,
    ])
  return { loss, gradients: Object.fromEntries(gradients) }
}

/** Which filters are fitted. */
export interface FitSubPixelOptions {
  /** How much larger `hr` is, an integer >= 1. */
  factor: number
  /** The side of the filters, odd. Default 5. */
  kernel?: number | undefined
  /** The penalty on their squares, >= 0, against mean squares of the pixels. Default 1e-4. */
  ridge?: number | undefined
}

/** Filters that enlarge, and how well they do on what they were fitted to. */
export interface FittedSubPixel {
  /** `conv1.weight` and `conv1.bias`, for {@link superResolve}. */
  weights: Record<'conv1.weight' | 'conv1.bias', Tensor<Real>>
  /** The mean squared error over all pixels. */
  mse: number
}

/**
 * The upscaling filters of one layer that fit some images best: ridge regression of every small pixel's neighbourhood
 * (zeros around) on the pixels that it becomes, in float64; the bias has no penalty. Two passes over the images, a Gram
 * matrix of (C kernel^2 + 1)^2 and nothing else in memory; parallel. The images are copied before the call returns.
 * @param lr - the small images, a float type, [N, C, H, W]
 * @param hr - the same, large: [N, channels, factor H, factor W]
 * @returns weights in float32, or float64 if a tensor is
 * @throws TamisError `shape`, `rank`, `empty`, `factor`, `odd`, `ridge`, `finite`; `singular` (no ridge, and images that
 * do not settle the filters)
 * @example
 * import { signals, tensor } from 'tamis'
 * const hr = tensor('float32', [1, 1, 4, 4], [0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0])
 * const lr = await signals.resize(hr, { height: 2, width: 2 })
 * const { weights, mse } = await signals.fitSubPixel(lr, hr, { factor: 2, kernel: 3 })
 * const large = await signals.superResolve(lr, weights, { factor: 2 })
 * console.log(large.dims, mse < 0.01) // [ 1, 1, 4, 4 ] true
 */
export async function fitSubPixel(
  lr: Tensor,
  hr: Tensor,
  options: FitSubPixelOptions & Cancellable,
): Promise<FittedSubPixel> {
  return promised(options, (given: FitSubPixelOptions | undefined) => {
    const [x, y] = [checkReals('lr', lr, [4]), checkReals('hr', hr, [4])]
    const o = checkOptions('options', given, ['factor', 'kernel', 'ridge'])
    const factor = checkFactor(o.factor)
    const kernel = checkKernel(o.kernel ?? 5)
    const ridge = checkNumber('ridge', o.ridge ?? 1e-4, { min: 0 })
    const [batch = 0, channels = 0, height = 0, width = 0] = x.dims
    const want = [batch, y.dims[1] as number, factor * height, factor * width]
    if (!y.dims.every((n, axis) => n === want[axis])) {
      throw shapeError(
        `shape: hr must have dims [${batch}, any, ${want[2]}, ${want[3]}], got [${y.dims.join(', ')}]`,
      )
    }
    checkSome('lr', x)
    checkSome('hr', y)
    const wide = x.type === 'float64' || y.type === 'float64'
    const cells = pixelUnshuffle(y, { factor })
    const outputs = cells.dims[1] as number
    const shape = { batch, channels, outputs, sides: [1, height, width], kernel: [1, kernel, kernel], ridge }
    const [from, to] = [bytesOf(x, wide), bytesOf(cells, wide)]
    return {
      call: (job) => native.fitConvolution(wide, from, to, ['lr', 'hr'], shape, job),
      finish: ({ weight, bias, mse }) => ({
        weights: {
          'conv1.weight': realsOf(wide, [outputs, channels, kernel, kernel], weight),
          'conv1.bias': realsOf(wide, [outputs], bias),
        },
        mse,
      }),
    }
  })
}

function checkKernel(kernel: unknown): number {
  const side = checkInteger('kernel, an odd number,', kernel, 1, 255)
  if (side % 2 === 1) return side
  throw new TamisError('ERR_TAMIS_RANGE', `kernel must be odd, got ${side}`)
}
