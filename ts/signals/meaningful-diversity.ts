/**
 * Meaningful diversity while a sampler runs (Cohen, Manor, Bahat, Michaeli, "From Posterior Sampling to Meaningful
 * Diversity in Image Restoration", ICLR 2024, arXiv 2310.16047): the predictions of a small batch are pushed apart at
 * each step, at no further call of the network. What is done with finished samples is in `vectors`.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkNumber, checkOptions } from '../options.js'
import { checkReals } from '../rows.js'
import { now } from '../run.js'
import { checkTensor, type Tensor, viewAs, viewBytes } from '../tensor.js'

/** How far, and when. */
export interface GuideDiversityOptions {
  /** The paper's eta, >= 0: at the first step an image moves by this times the difference to its neighbour. */
  strength: number
  /** The step's place in the training schedule, 0..timesteps; at 0 nothing moves. */
  timestep: number
  /** Steps of the training schedule, > 0. */
  timesteps: number
  /**
   * Images farther than this from their neighbour stay: the norm of the difference over the whole image, divided by
   * the number of masked pixels times channels. Default: all move.
   */
  maxDistance?: number | undefined
  /** uint8 [H, W], 1 for the missing region: where neighbours are looked for. Default: everywhere. */
  mask?: Tensor | undefined
}

/** The batch pushed apart. */
export interface Guided {
  /** [B, C, H, W] */
  guided: Tensor<'float32' | 'float64'>
  /** The image from which each was pushed: [B]. */
  nearest: Uint32Array
}

const KEYS = ['strength', 'timestep', 'timesteps', 'maxDistance', 'mask'] as const

/**
 * Pushes each predicted image of a batch away from its nearest neighbour by `strength * timestep / timesteps` times
 * their difference; all neighbours are found first, by the squared distance over the masked pixels, ties to the lowest
 * index. Synchronous: it works inside a step of the sampler. O(B^2 C H W), in parallel.
 * @param x0 - predictions of the clean images, a float type, [B, C, H, W], B >= 2
 * @throws TamisError `batch`, `mask`, `rank`, `strength`, `timestep`, `timesteps`, `maxDistance`; `item N is not finite`
 * @example
 * import { signals, tensor } from 'tamis'
 * const x0 = tensor('float32', [3, 1, 1, 1], [0, 1, 5])
 * const { guided } = signals.guideDiversity(x0, { strength: 0.5, timestep: 500, timesteps: 1000 })
 * console.log(guided.data) // Float32Array(3) [ -0.25, 1.25, 6 ]
 */
export function guideDiversity(x0: Tensor, options: GuideDiversityOptions): Guided {
  const x = checkReals('x0', x0, [4])
  const [images = 0, channels = 0, height = 0, width = 0] = x.dims
  const o = checkOptions('options', options, KEYS)
  const strength = checkNumber('strength', o.strength, { min: 0 })
  const timesteps = checkNumber('timesteps', o.timesteps, { above: 0 })
  const timestep = checkNumber('timestep', o.timestep, { min: 0, max: timesteps })
  const limit =
    o.maxDistance === undefined ? undefined : checkNumber('maxDistance', o.maxDistance, { min: 0 })
  if (images < 2 || x.data.length === 0) {
    const want = 'x0 must be a batch of two images or more, of one pixel or more'
    throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got dims [${x.dims.join(', ')}]`)
  }
  const mask = o.mask === undefined ? undefined : checkRegion(o.mask, height, width)
  const told = { channels, places: height * width, limit, step: strength * (timestep / timesteps) }
  return now({
    call: () => native.repelItems(x.type, viewBytes(x), told, mask),
    finish: ({ items, nearest }) => ({
      guided: { type: x.type, dims: x.dims, data: viewAs(x, items) },
      nearest,
    }),
  })
}

function checkRegion(value: unknown, height: number, width: number): Uint8Array {
  const mask = checkTensor('mask', value, { types: ['uint8', 'bool'] })
  if (mask.dims.length !== 2 || mask.dims[0] !== height || mask.dims[1] !== width) {
    const want = `mask must have dims [${height}, ${width}], as the images have`
    throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got [${mask.dims.join(', ')}]`)
  }
  if (mask.data.some((one) => one !== 0)) return mask.data
  throw new TamisError('ERR_TAMIS_RANGE', 'mask must mark one pixel at least, got none')
}
