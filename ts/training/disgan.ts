/**
 * How DISGAN is trained (Wang, Lohmann, Kumar, Scheffler, Nikolaou, "DISGAN: Wavelet-Informed Discriminator Guides GAN to MRI
 * Super-Resolution with Noise Cleaning", ICCV workshops 2023, arXiv 2308.12084): the relativistic average loss, and noise
 * on the discriminator's inputs that fades. Its networks are in `signals`.
 *
 * As in the authors' code the generator's loss is its half about generated volumes only, and the discriminator's is the
 * mean of both halves.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkCount, checkNumber, checkOptions, parseSeed, type Seed } from '../options.js'
import { checkReals } from '../rows.js'
import { atOnce } from '../run.js'
import { type Tensor, viewAs, viewBytes } from '../tensor.js'

/** Both losses, and their derivatives. */
export interface RelativisticLoss {
  /** Mean of `softplus(-(fake - mean(real)))`. */
  generator: number
  /** Half the means of `softplus(-(real - mean(fake)))` and `softplus(fake - mean(real))`. */
  discriminator: number
  gradients: {
    /** The generator's loss by the logits of what it made, those of real volumes held constant. */
    generatorFake: Tensor<'float32'>
    /** The discriminator's loss by each logit; also through the means. */
    discriminatorReal: Tensor<'float32'>
    discriminatorFake: Tensor<'float32'>
  }
}

/** ln(1 + e^z), without overflow. */
const softplus = (z: number): number => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)))

/** Its derivative. */
function logistic(z: number): number {
  const e = Math.exp(-Math.abs(z))
  return z >= 0 ? 1 / (1 + e) : e / (1 + e)
}

/**
 * The relativistic average losses of one batch, from the discriminator's logits: each volume is compared with the mean
 * logit of the other kind, place by place over the batch. At once, O(n), in float64. The generator's total also has, in
 * the paper, the L1 distances of volumes and of their features: `L1 + 5e-3 generator + 1e-2 L1(features)`, which the caller adds up.
 * NaN comes through.
 * @param real - logits of real volumes, a float type, [N, ...]
 * @param fake - logits of generated ones, of the same dims
 * @throws TamisError `shape` (dims that differ, or none), `empty`
 * @example
 * import { tensor, training } from 'tamis'
 * const real = tensor('float32', [2], [2, 1])
 * const fake = tensor('float32', [2], [-1, 0])
 * const { generator, discriminator } = training.relativisticLoss(real, fake)
 * console.log(generator > discriminator) // true
 */
export function relativisticLoss(real: Tensor, fake: Tensor): RelativisticLoss {
  const [r, f] = [checkLogits('real', real), checkLogits('fake', fake)]
  const { dims } = r
  if (f.dims.length !== dims.length || !f.dims.every((n, axis) => n === dims[axis])) {
    const got = `got [${f.dims.join(', ')}]`
    throw new TamisError(
      'ERR_TAMIS_SHAPE',
      `shape: fake must have the dims of real, [${dims.join(', ')}], ${got}`,
    )
  }
  if (dims.includes(0)) {
    throw new TamisError('ERR_TAMIS_SHAPE', `real must not be empty, got dims [${dims.join(', ')}]`)
  }
  const [batch = 1] = dims
  const total = r.data.length
  const places = total / batch
  const [realMean, fakeMean] = [meanOver(r.data, places), meanOver(f.data, places)]
  const made = [0, 1, 2].map(() => new Float32Array(total))
  const [byGenerator, byReal, byFake] = made as [Float32Array, Float32Array, Float32Array]
  // What reaches a place's mean, and through it every item of the batch.
  const [throughReal, throughFake] = [new Float64Array(places), new Float64Array(places)]
  let [generator, realHalf, fakeHalf] = [0, 0, 0]
  for (let i = 0; i < total; i++) {
    const place = i % places
    const above = (f.data[i] as number) - (realMean[place] as number)
    const below = (r.data[i] as number) - (fakeMean[place] as number)
    generator += softplus(-above)
    realHalf += softplus(-below)
    fakeHalf += softplus(above)
    byGenerator[i] = -logistic(-above) / total
    throughReal[place] = (throughReal[place] as number) - logistic(above) / batch
    throughFake[place] = (throughFake[place] as number) + logistic(-below) / batch
  }
  for (let i = 0; i < total; i++) {
    const place = i % places
    const above = (f.data[i] as number) - (realMean[place] as number)
    const below = (r.data[i] as number) - (fakeMean[place] as number)
    byReal[i] = ((throughReal[place] as number) - logistic(-below)) / (2 * total)
    byFake[i] = ((throughFake[place] as number) + logistic(above)) / (2 * total)
  }
  const tensorOf = (data: Float32Array): Tensor<'float32'> => ({ type: 'float32', dims, data })
  return {
    generator: generator / total,
    discriminator: (realHalf + fakeHalf) / (2 * total),
    gradients: {
      generatorFake: tensorOf(byGenerator),
      discriminatorReal: tensorOf(byReal),
      discriminatorFake: tensorOf(byFake),
    },
  }
}

function checkLogits(name: string, value: Tensor): Tensor<'float32' | 'float64'> {
  const logits = checkReals(name, value, [0, 1, 2, 3, 4, 5, 6, 7, 8])
  if (logits.dims.length > 0) return logits
  throw new TamisError('ERR_TAMIS_SHAPE', `shape: ${name} must have dims [N, ...], got []`)
}

/** Of each place, over the batch. */
function meanOver(data: Float32Array | Float64Array, places: number): Float64Array {
  const mean = new Float64Array(places)
  for (const [i, x] of data.entries()) mean[i % places] = (mean[i % places] as number) + x
  return mean.map((sum) => sum / (data.length / places))
}

/** How far training is, and which draws it takes. */
export interface InstanceNoiseOptions {
  /** Epochs done, >= 0. */
  epoch: number
  /** After how many of them no noise is left, >= 1. */
  epochs: number
  /** The step, which picks the stream of draws, 0..2^32-1: the same for both inputs of a step. Default 0. */
  step?: number | undefined
  /** Default 0. */
  seed?: Seed | undefined
}

/**
 * What a discriminator is shown: `x + sigma z` with sigma `max(0, 1 - epoch / epochs)` and z the standard normal draws of
 * stream `step`, in row-major order. Volumes of one shape get the same noise in a step. At once, O(n), in parallel; NaN
 * stays where it is.
 * @param x - a float type, any dims
 * @returns the dims of `x`; float64 if it is, else float32
 * @throws TamisError `epoch`, `epochs`, `step`, `seed`
 * @example
 * import { tensor, training } from 'tamis'
 * const x = tensor('float32', [2], [1, 2])
 * console.log(training.instanceNoise(x, { epoch: 100, epochs: 100 }).data) // Float32Array(2) [ 1, 2 ]
 */
export function instanceNoise(x: Tensor, options: InstanceNoiseOptions): Tensor<'float32' | 'float64'> {
  const values = checkReals(
    'x',
    x,
    Array.from({ length: 33 }, (_, rank) => rank),
  )
  const o = checkOptions('options', options, ['epoch', 'epochs', 'step', 'seed'])
  const epoch = checkNumber('epoch', o.epoch, { min: 0 })
  const epochs = checkNumber('epochs', o.epochs, { min: 1 })
  const [step, seed] = [checkCount('step', o.step ?? 0), parseSeed(o.seed)]
  const sigma = Math.max(0, 1 - epoch / epochs)
  const wide = values.type === 'float64'
  const bytes = atOnce(() => native.addNormalNoise(wide, viewBytes(values), sigma, seed, step))
  return { type: values.type, dims: values.dims, data: viewAs(values, bytes) }
}
