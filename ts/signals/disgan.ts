/**
 * DISGAN (Wang, Lohmann, Kumar, Scheffler, Nikolaou, "DISGAN: Wavelet-Informed Discriminator Guides GAN to MRI
 * Super-Resolution with Noise Cleaning", ICCV workshops 2023, arXiv 2308.12084): enlarging volumes by a generator that was
 * trained against a discriminator which sees the low and the high wavelet bands apart, and so keeps true detail and loses
 * the noise.
 *
 * The discriminator's wavelet unit and the generator are here, the loss and the noise of its inputs in `training`. For
 * those who have no network there is wavelet shrinkage, which is no part of the paper.
 * @module
 */
import { TamisError } from '../errors.js'
import { type Wavelet, waveletFilterSync } from '../kernels/index.js'
import { native } from '../native.js'
import { checkOneOf, checkOptions, show } from '../options.js'
import { checkReals } from '../rows.js'
import { atOnce, type Cancellable, promised } from '../run.js'
import { type Tensor, viewBytes } from '../tensor.js'
import {
  bytesOf,
  checkSome,
  checkWeights,
  layerOf,
  NetworkPlan,
  type Real,
  realsOf,
  shapeError,
  type Weights,
} from './network.js'

/** Two kinds of bands of half the size. */
export interface WaveletParts {
  /** [N, O, D/2, H/2, W/2] */
  low: Tensor<Real>
  /** [N, O', D/2, H/2, W/2] */
  high: Tensor<Real>
}

/**
 * One level of the Haar wavelet over volumes, orthonormal, then a 1 x 1 x 1 convolution of the low band's channels and one
 * of the seven high bands': what the discriminator's way down and its way up take in. At once; one pass and the products,
 * in parallel. NaN stays in the cells that it reaches.
 * @param x - a float type, [N, C, D, H, W], even sides
 * @param weights - `conv1x1_low.weight` [O, C, 1, 1, 1] and `.bias` [O]; `conv1x1_high.weight` [O', 7 C, 1, 1, 1] and `.bias`
 * [O'], over bands 1..7 (1: high along the width, 2: along the height, 4: along the depth), in each the channels
 * @returns float32, or float64 if a tensor is
 * @throws TamisError `even` (an odd side), `rank`, `empty`, `channels`, the name of a weight that is missing
 * @example
 * import { signals, tensor } from 'tamis'
 * const x = tensor('float32', [1, 1, 2, 2, 2], [1, 1, 1, 1, 1, 1, 1, 1])
 * const { low } = signals.waveletUnit(x, {
 *   'conv1x1_low.weight': tensor('float32', [1, 1, 1, 1, 1], [1]),
 *   'conv1x1_low.bias': tensor('float32', [1], [0]),
 *   'conv1x1_high.weight': tensor('float32', [1, 7, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1]),
 *   'conv1x1_high.bias': tensor('float32', [1], [0]),
 * })
 * console.log(low.dims, low.data[0].toFixed(3)) // [ 1, 1, 1, 1, 1 ] 2.828
 */
export function waveletUnit(x: Tensor, weights: Weights): WaveletParts {
  const volume = checkReals('x', x, [5])
  const [batch = 0, channels = 0, ...sides] = volume.dims
  if (sides.some((side) => side % 2 === 1)) {
    throw shapeError(`x must have even sides, got dims [${volume.dims.join(', ')}]`)
  }
  checkSome('x', volume)
  const all = checkWeights(weights)
  const layers = [pointwise(all, 'conv1x1_low', channels), pointwise(all, 'conv1x1_high', 7 * channels)]
  const wide = [volume, ...layers.flatMap(({ weight, bias }) => [weight, bias])].some(
    ({ type }) => type === 'float64',
  )
  const [low, high] = layers.map(({ weight, bias }) => [bytesOf(weight, wide), bytesOf(bias, wide)]) as [
    [Uint8Array, Uint8Array],
    [Uint8Array, Uint8Array],
  ]
  const found = atOnce(() => native.mixHaarBands(wide, bytesOf(volume, wide), channels, sides, low, high))
  const dims = (layer: number) => [
    batch,
    layers[layer]?.weight.dims[0] as number,
    ...sides.map((side) => side / 2),
  ]
  return { low: realsOf(wide, dims(0), found.low), high: realsOf(wide, dims(1), found.high) }
}

/** A layer whose kernel is one cell. */
function pointwise(weights: Weights, name: string, channels: number) {
  const layer = layerOf(weights, name, 5, channels)
  if (layer.weight.dims.slice(2).every((k) => k === 1)) return layer
  const of = `weights: tensor ${JSON.stringify(`${name}.weight`)}`
  throw shapeError(`${of} must have a kernel of [1, 1, 1], got dims [${layer.weight.dims.join(', ')}]`)
}

/** Of LeakyReLU. */
const SLOPE = 0.01
/** By which what a block makes is multiplied before its input is added. */
const RESIDUAL = 0.2

/**
 * Enlarges volumes by DISGAN's generator: a convolution, residual-in-residual dense blocks, and a doubling of the sides
 * for each layer `upsampling.0`, `upsampling.3`, ...; all convolutions are 3 x 3 x 3 with zeros around. Blocks and
 * doublings are counted by the names. In float32, or float64 if a tensor is, parallel; about 27 F^2 (45 B + 10)
 * multiply-adds a voxel for F filters and B blocks (17 million at the paper's 64 and 3): patches of 32^3 are a lot on a CPU. Tensors
 * are copied before the call returns. NaN stays in the voxels that it reaches.
 * @param x - a float type, [N, C, D, H, W]
 * @param weights - of the authors' state dict, each name with `.weight` and `.bias`: `conv1.module`,
 * `res_blocks1.{b}.dense_blocks.{0..2}.b{1..5}.0`, `conv2.module`, `upsampling.{3u}`, `conv3.0.module`, `conv3.2.module`; other names are
 * left alone
 * @returns [N, C', 2^U D, 2^U H, 2^U W]
 * @throws TamisError `rank`, `empty`, `channels`, `divisible`, the name of a weight that is missing
 * @example
 * import { signals, tensor } from 'tamis'
 * const layer = (name, outputs, inputs) => [
 *   [`${name}.weight`, tensor('float32', [outputs, inputs, 3, 3, 3], new Float32Array(outputs * inputs * 27))],
 *   [`${name}.bias`, tensor('float32', [outputs], new Float32Array(outputs))],
 * ]
 * const weights = Object.fromEntries([
 *   ...layer('conv1.module', 1, 1),
 *   ...layer('conv2.module', 1, 1),
 *   ...layer('upsampling.0', 8, 1),
 *   ...layer('conv3.0.module', 1, 1),
 *   ...layer('conv3.2.module', 1, 1),
 * ])
 * const x = tensor('float32', [1, 1, 2, 2, 2], new Float32Array(8))
 * console.log((await signals.superResolveVolume(x, weights)).dims) // [ 1, 1, 4, 4, 4 ]
 */
export async function superResolveVolume(
  x: Tensor,
  weights: Weights,
  options?: Cancellable,
): Promise<Tensor<Real>> {
  return promised(options, (given: object | undefined) => {
    checkOptions('options', given, [])
    const volume = checkReals('x', x, [5])
    checkSome('x', volume)
    const network = new NetworkPlan(volume, weights)
    const names = Object.keys(weights).filter((name) => !name.includes('.blocks.') && !name.endsWith('_sv'))
    const blocks = countOf(names, /^res_blocks1\.(\d{1,6})\./, 1)
    const doublings = countOf(names, /^upsampling\.(\d{1,6})\.(?:weight|bias)$/, 3)
    const last = generator(network, blocks, doublings)
    const { wide } = network
    const [bytes, told, dims] = [bytesOf(volume, wide), network.native(wide), network.dims(last)]
    return {
      call: (job) => native.runNetwork(bytes, told, job),
      finish: ({ data }) => realsOf(wide, dims, data),
    }
  })
}

/** How many numbers 0, `step`, ... there are up to the highest: those that are missing are found when they are read. */
function countOf(names: readonly string[], pattern: RegExp, step: number): number {
  const numbers = names.map((name) => Number(pattern.exec(name)?.[1] ?? -1)).filter((n) => n % step === 0)
  return numbers.reduce((most, n) => Math.max(most, n), -step) / step + 1
}

/** The map that the generator ends with. */
function generator(network: NetworkPlan, blocks: number, doublings: number): number {
  const first = network.convolve([0], 'conv1.module', 'none')
  let map = first
  for (let block = 0; block < blocks; block++) {
    let inner = map
    for (let dense = 0; dense < 3; dense++) {
      const layer = (i: number) => `res_blocks1.${block}.dense_blocks.${dense}.b${i}.0`
      const maps = [inner]
      for (let i = 1; i <= 4; i++) maps.push(network.convolve([...maps], layer(i), 'leaky', SLOPE))
      inner = network.blend(RESIDUAL, network.convolve(maps, layer(5), 'none'), inner)
    }
    map = network.blend(RESIDUAL, inner, map)
  }
  map = network.blend(1, network.convolve([map], 'conv2.module', 'none'), first)
  for (let doubling = 0; doubling < doublings; doubling++) {
    const name = `upsampling.${3 * doubling}`
    map = network.shuffle(network.convolve([map], name, 'leaky', SLOPE), 2, false, `weights: layer ${name}`)
  }
  map = network.convolve([map], 'conv3.0.module', 'leaky', SLOPE)
  return network.convolve([map], 'conv3.2.module', 'none')
}

/** How much is taken for noise. */
export interface DenoiseWaveletOptions {
  /** Default `db2`. */
  wavelet?: Wavelet | undefined
  /**
   * How often the low band is taken apart again, 1 to floor(log2(shortest side)). Default: as often as the shortest side
   * is at least the filter's length, less one, at most 3 times and at least once.
   */
  levels?: number | undefined
  /**
   * `bayes`: of each band by its noise and its energy; `universal`: one, by the noise and the number of samples, which
   * takes more away; a number >= 0: this one. Default `bayes`.
   */
  threshold?: 'bayes' | 'universal' | number | undefined
}

/**
 * Takes noise out of images or volumes without a network: wavelet coefficients are brought nearer to 0 by a threshold that
 * the median of the finest band tells (soft thresholding; BayesShrink of Chang, Yu and Vetterli, 2000, or the universal
 * threshold of Donoho and Johnstone, 1994). Each plane of N and C has its own. In float64, O(voxels taps), a plane in
 * memory at a time, in parallel; the tensor is copied before the call returns.
 * @param x - a float type, finite, [N, C, H, W] or [N, C, D, H, W]
 * @returns the dims of `x`; float64 if it is, else float32
 * @throws TamisError `finite`, `levels`, `threshold`, `wavelet`, `rank`
 * @example
 * import { signals, tensor } from 'tamis'
 * const x = tensor('float32', [1, 1, 2, 2], [5, 1, 2, 0])
 * const { data } = await signals.denoiseWavelet(x, { wavelet: 'haar', threshold: 100 })
 * console.log(Array.from(data, Math.round)) // [ 2, 2, 2, 2 ]
 */
export async function denoiseWavelet(
  x: Tensor,
  options?: DenoiseWaveletOptions & Cancellable,
): Promise<Tensor<Real>> {
  return promised(options, (given: DenoiseWaveletOptions | undefined) => {
    const planes = checkReals('x', x, [4, 5])
    const o = checkOptions('options', given, ['wavelet', 'levels', 'threshold'])
    const wavelet = o.wavelet ?? 'db2'
    const taps = waveletFilterSync(wavelet).low.data.length
    const sides = planes.dims.slice(2)
    const shortest = Math.min(...sides)
    const most = Math.floor(Math.log2(shortest))
    const useful = Math.max(1, Math.floor(Math.log2(shortest / (taps - 1))))
    const levels = checkLevels(o.levels ?? Math.min(3, useful), most)
    const [rule, threshold] = checkThreshold(o.threshold ?? 'bayes')
    const wide = planes.type === 'float64'
    const bytes = viewBytes(planes)
    return {
      call: (job) => native.shrinkWavelets(wide, bytes, sides, wavelet, levels, rule, threshold, job),
      finish: (data) => realsOf(wide, planes.dims, data),
    }
  })
}

function checkLevels(levels: unknown, most: number): number {
  if (typeof levels === 'number' && Number.isInteger(levels) && levels >= 1 && levels <= most) return levels
  const want = `levels must be an integer from 1 to floor(log2(shortest side)) = ${most}`
  throw new TamisError('ERR_TAMIS_RANGE', `${want}, got ${show(levels)}`)
}

function checkThreshold(threshold: unknown): [rule: string, threshold: number] {
  if (typeof threshold === 'string') return [checkOneOf('threshold', threshold, ['bayes', 'universal']), 0]
  if (typeof threshold === 'number' && threshold >= 0) return ['given', threshold]
  const want = `threshold must be 'bayes', 'universal' or a number >= 0`
  throw new TamisError('ERR_TAMIS_RANGE', `${want}, got ${show(threshold)}`)
}
