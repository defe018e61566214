/**
 * ESPCN's headline, small: on digits at half the size, fitted filters enlarge better than bicubic, a small network better
 * than those, and working on the small grid takes a fraction of the time.
 * @module
 */
import { kernels, signals, type Tensor } from 'tamis'
import { Conditions } from './check.js'
import { picturesOf } from './digits.js'

type Weights = Record<string, Tensor>

const [SIDE, HALF, STEPS, BATCH, RATE] = [28, 14, 400, 64, 1e-2]
const LAYERS = [
  [16, 1, 5],
  [8, 16, 3],
  [4, 8, 3],
] as const
/** The paper's, at factor 3. */
const PAPER = [
  [64, 1, 5],
  [32, 64, 3],
  [9, 32, 3],
] as const

const images = (dims: number[], data: Float32Array): Tensor => ({ type: 'float32', dims, data })

/** Numbers `from` to `to` of each digit, and the same at half the size. */
async function digits(from: number, to: number): Promise<{ lr: Tensor; hr: Tensor }> {
  const all = Array.from({ length: 10 }, (_, label) => picturesOf(label).slice(from, to)).flat()
  const hr = images([all.length, 1, SIDE, SIDE], Float32Array.from(all.flat()))
  return { hr, lr: await signals.resize(hr, { height: HALF, width: HALF }) }
}

/** Peak signal to noise over all pixels, in dB, after clipping to 0..1. */
function psnr(got: Tensor, { data }: Tensor): number {
  let sum = 0
  for (const [i, x] of (got.data as Float32Array).entries()) {
    sum += (Math.min(1, Math.max(0, x)) - (data[i] as number)) ** 2
  }
  return -10 * Math.log10(sum / data.length)
}

function untrained(layers: readonly (readonly [number, number, number])[]): Weights {
  const entries = layers.flatMap(([outputs, inputs, k], l): [string, Tensor][] => {
    const n = outputs * inputs * k * k
    const draws = kernels.normalSync(n, { seed: 1, stream: l }).data as Float32Array
    const weight = draws.map((x) => x / Math.sqrt(inputs * k * k))
    return [
      [`conv${l + 1}.weight`, images([outputs, inputs, k, k], weight)],
      [`conv${l + 1}.bias`, images([outputs], new Float32Array(outputs))],
    ]
  })
  return Object.fromEntries(entries)
}

/** Adam, in place. */
function trained(weights: Weights, lr: Tensor, hr: Tensor): Weights {
  const zeros = () =>
    Object.fromEntries(
      Object.entries(weights).map(([name, { data }]) => [name, new Float32Array(data.length)]),
    )
  const [mean, square] = [zeros(), zeros()]
  const pick = ({ dims, data }: Tensor, rows: Uint32Array): Tensor => {
    const size = data.length / (dims[0] as number)
    const out = new Float32Array(rows.length * size)
    for (const [i, row] of rows.entries()) {
      out.set((data as Float32Array).subarray(row * size, (row + 1) * size), i * size)
    }
    return images([rows.length, ...dims.slice(1)], out)
  }
  for (let step = 1; step <= STEPS; step++) {
    const rows = kernels.belowSync(BATCH, lr.dims[0] as number, { seed: 2, stream: step }).data as Uint32Array
    const { gradients } = signals.superResolveLoss(pick(lr, rows), pick(hr, rows), weights, { factor: 2 })
    const size = (RATE * Math.sqrt(1 - 0.999 ** step)) / (1 - 0.9 ** step)
    for (const [name, { data }] of Object.entries(weights)) {
      const [m, v] = [mean[name] as Float32Array, square[name] as Float32Array]
      for (const [i, g] of ((gradients[name] as Tensor).data as Float32Array).entries()) {
        m[i] = 0.9 * (m[i] as number) + 0.1 * g
        v[i] = 0.999 * (v[i] as number) + 0.001 * g * g
        data[i] = (data[i] as number) - (size * (m[i] as number)) / (Math.sqrt(v[i] as number) + 1e-8)
      }
    }
  }
  return weights
}

/** The least of three times, in ms. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  let least = Infinity
  for (let run = 0; run < 3; run++) {
    const start = performance.now()
    await work()
    least = Math.min(least, performance.now() - start)
  }
  return least
}

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const [train, test] = [await digits(0, 200), await digits(500, 550)]
  const sized = async (mode: 'nearest' | 'bicubic') =>
    psnr(await signals.resize(test.lr, { height: SIDE, width: SIDE, mode }), test.hr)
  const bicubic = await sized('bicubic')
  const show = (x: number) => `${x.toFixed(2)} dB`
  console.log(`      nearest ${show(await sized('nearest'))}, bicubic ${show(bicubic)}`)
  const fitted: number[] = []
  for (const kernel of [3, 5, 7]) {
    const { weights } = await signals.fitSubPixel(train.lr, train.hr, { factor: 2, kernel })
    fitted.push(psnr(await signals.superResolve(test.lr, weights, { factor: 2 }), test.hr))
  }
  const [three, five, seven] = fitted as [number, number, number]
  conditions.must('filters of 5 x 5, at least 1.5 dB above bicubic', show(five), five >= bicubic + 1.5)
  conditions.must(
    'filters of 7, 5, 3: larger ones no worse',
    fitted.map(show).join(', '),
    seven >= five && five >= three,
  )

  const start = performance.now()
  const weights = trained(untrained(LAYERS), train.lr, train.hr)
  const seconds = (performance.now() - start) / 1000
  const net = psnr(await signals.superResolve(test.lr, weights, { factor: 2 }), test.hr)
  conditions.must(
    `a network of 16, 8 and 4 channels after ${STEPS} steps (${seconds.toFixed(1)} s), at least 0.5 dB above 5 x 5`,
    show(net),
    net >= five + 0.5,
  )

  const [height, width] = [120, 160]
  const frame = images([1, 1, height, width], new Float32Array(height * width).fill(0.5))
  const paper = untrained(PAPER)
  const small = await timed(() => signals.superResolve(frame, paper, { factor: 3 }))
  const large = await timed(async () => {
    const big = await signals.resize(frame, { height: 3 * height, width: 3 * width })
    return signals.superResolve(big, paper, { factor: 1 })
  })
  conditions.must(
    "the paper's layers at factor 3, less than a quarter of the time of bicubic and the same layers",
    `${small.toFixed(0)} ms, ${large.toFixed(0)} ms`,
    4 * small < large,
  )
  return conditions
}
