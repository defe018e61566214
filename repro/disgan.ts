/**
 * What of DISGAN can be rerun without its checkpoint: the wavelet that it looks through keeps energy, and shrinking its
 * coefficients takes noise out of a volume.
 * @module
 */
import { kernels, signals, type Tensor, training } from 'tamis'
import { Conditions } from './check.js'

const SIDE = 48
const N = SIDE ** 3
/** Where an ellipsoid lies, how long its half axes are (both in half sides), and what it adds. */
const ELLIPSOIDS = [
  { at: [0, 0, 0], half: [0.8, 0.7, 0.75], adds: 0.6 },
  { at: [0.1, -0.2, 0.1], half: [0.35, 0.25, 0.4], adds: 0.4 },
  { at: [-0.3, 0.3, -0.1], half: [0.2, 0.25, 0.2], adds: -0.3 },
  { at: [0.3, 0.3, 0.3], half: [0.12, 0.15, 0.1], adds: 0.35 },
] as const

const volume = (data: ArrayLike<number>): Tensor => ({
  type: 'float32',
  dims: [1, 1, SIDE, SIDE, SIDE],
  data: Float32Array.from(data),
})

/** A normal curve of this width along each axis in turn, or a box of 3. */
function filtered(x: Tensor, line: readonly number[]): Tensor {
  const sum = line.reduce((a, b) => a + b, 0)
  const taps = Float32Array.from(line, (w) => w / sum)
  return [0, 1, 2].reduce<Tensor>((from, axis) => {
    const sides = [0, 1, 2].map((other) => (other === axis ? taps.length : 1))
    const weight: Tensor = { type: 'float32', dims: [1, 1, ...sides], data: taps }
    const padding = sides.map((side) => (side - 1) / 2)
    return kernels.convolveSync(from, weight, { padding, padMode: 'replicate' })
  }, x)
}

const bell = (sigma: number): number[] =>
  [-4, -3, -2, -1, 0, 1, 2, 3, 4].map((i) => Math.exp(-0.5 * (i / sigma) ** 2))

function phantom(): Tensor {
  const place = (i: number) => (2 * (i + 0.5)) / SIDE - 1
  const data = Array.from({ length: N }, (_, i) => {
    const p = [place(Math.floor(i / SIDE ** 2)), place(Math.floor(i / SIDE) % SIDE), place(i % SIDE)]
    let sum = 0
    for (const { at, half, adds } of ELLIPSOIDS) {
      const inside = p.reduce(
        (d, x, axis) => d + ((x - (at[axis] as number)) / (half[axis] as number)) ** 2,
        0,
      )
      if (inside <= 1) sum += adds
    }
    return sum
  })
  return filtered(volume(data), bell(0.7))
}

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const clean = phantom()
  const values = clean.data as Float32Array
  const range =
    values.reduce((a, b) => Math.max(a, b), -Infinity) - values.reduce((a, b) => Math.min(a, b), Infinity)
  const psnr = ({ data }: Tensor) => {
    const sum = values.reduce((s, v, i) => s + (v - (data[i] as number)) ** 2, 0)
    return 10 * Math.log10((range * range * N) / sum)
  }
  const show = (x: number) => `${x.toFixed(1)} dB`
  for (const sigma of [0.05, 0.1, 0.2]) {
    // The noise of training, at an epoch that leaves this much of it.
    const noisy = training.instanceNoise(clean, { epoch: 1000 * (1 - sigma), epochs: 1000, seed: 1 })
    const before = psnr(noisy)
    const box = psnr(filtered(noisy, [1, 1, 1]))
    const gauss = psnr(filtered(noisy, bell(1)))
    const shrunk = psnr(await signals.denoiseWavelet(noisy, { wavelet: 'db2', levels: 3 }))
    const others = `noisy ${show(before)}, box ${show(box)}, Gaussian ${show(gauss)}`
    if (sigma === 0.05) {
      const holds = shrunk >= before + 7 && shrunk > box && shrunk > gauss
      conditions.must(
        'noise of 0.05: 7 dB and more, above both filters',
        `${show(shrunk)} (${others})`,
        holds,
      )
    } else if (sigma === 0.2) {
      conditions.must('noise of 0.2: 12 dB and more', `${show(shrunk)} (${others})`, shrunk >= before + 12)
    } else {
      console.log(`      noise of 0.1: ${show(shrunk)} (${others})`)
    }
  }
  const energy = (data: ArrayLike<number>) => Array.from(data).reduce((sum, v) => sum + v * v, 0)
  const bands = kernels.wavelet3Sync(clean as Tensor<'float32'>, { mode: 'periodization' })
  const error = Math.abs(energy(bands.data) / energy(values) - 1)
  conditions.must("the eight bands' energies add up to the volume's", error.toExponential(1), error < 1e-6)
  return conditions
}
