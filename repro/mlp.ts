/**
 * A network of one hidden layer with ReLU that tells digits, its slopes over a batch, and the batches.
 * @module
 */
import { kernels, type Tensor, tensor, training } from 'tamis'
import type { Digits } from './digits.js'

/** Weight [hidden, pixels] and bias [hidden], weight [classes, hidden] and bias [classes]. */
export type Mlp = readonly Tensor<'float32'>[]

const CLASSES = 10

/** A network that knows nothing yet. */
export function untrained(pixels: number, hidden: number, seed: number): Mlp {
  const layer = (out: number, width: number, stream: number): Tensor<'float32'>[] => {
    const draws = kernels.normalSync(out * width, { seed, stream }).data as Float32Array
    const weight = draws.map((x) => x * Math.sqrt(2 / width))
    return [tensor('float32', [out, width], weight), tensor('float32', [out], new Float32Array(out))]
  }
  return [...layer(hidden, pixels, 0), ...layer(CLASSES, hidden, 1)]
}

/** Batches without end: in each pass over n rows all of them in the order of a permutation. */
export function* batches(n: number, size: number, seed: number): Generator<Uint32Array> {
  for (let stream = 0; ; stream++) {
    const order = kernels.permutationSync(n, { seed, stream }).data as Uint32Array
    for (let at = 0; at + size <= n; at += size) yield order.subarray(at, at + size)
  }
}

/** The pictures of some rows, and what they show. */
export function pick({ pixels, labels, side }: Digits, rows: Uint32Array): Digits {
  const size = side * side
  const own = new Float32Array(rows.length * size)
  for (const [i, row] of rows.entries()) own.set(pixels.subarray(row * size, (row + 1) * size), i * size)
  return { pixels: own, labels: Uint8Array.from(rows, (row) => labels[row] as number), side }
}

/** `x` [rows, in] through a layer: [rows, out]. */
function linear(x: Float32Array, weight: Tensor<'float32'>, bias: Tensor<'float32'>): Float32Array {
  const [out, width] = weight.dims as [number, number]
  const rows = x.length / width
  const y = new Float32Array(rows * out)
  for (let r = 0; r < rows; r++) {
    const own = x.subarray(r * width, (r + 1) * width)
    for (let o = 0; o < out; o++) {
      const line = o * width
      let sum = bias.data[o] as number
      for (let i = 0; i < width; i++) sum += (own[i] as number) * (weight.data[line + i] as number)
      y[r * out + o] = sum
    }
  }
  return y
}

/** In place. */
export function relu(x: Float32Array): Float32Array {
  for (let i = 0; i < x.length; i++) x[i] = Math.max(0, x[i] as number)
  return x
}

/** The scores of the classes, [rows, classes]. */
export function logitsOf(mlp: Mlp, pixels: Float32Array): Float32Array {
  const [w1, b1, w2, b2] = mlp as [Tensor<'float32'>, Tensor<'float32'>, Tensor<'float32'>, Tensor<'float32'>]
  return linear(relu(linear(pixels, w1, b1)), w2, b2)
}

/** The share of the labels whose score is the highest. */
export function rightOf(logits: Float32Array, labels: Uint8Array): number {
  let right = 0
  for (const [i, label] of labels.entries()) {
    const scores = logits.subarray(i * CLASSES, (i + 1) * CLASSES)
    right += scores.indexOf(Math.max(...scores)) === label ? 1 : 0
  }
  return right / labels.length
}

/** The share of the digits that the network tells right. */
export function accuracy(mlp: Mlp, { pixels, labels }: Digits): number {
  return rightOf(logitsOf(mlp, pixels), labels)
}

/** The mean cross entropy, and its slope by the scores. */
export function crossEntropy(
  logits: Float32Array,
  labels: Uint8Array,
): { loss: number; slope: Float32Array } {
  const slope = new Float32Array(logits.length)
  let loss = 0
  for (const [i, label] of labels.entries()) {
    const scores = logits.subarray(i * CLASSES, (i + 1) * CLASSES)
    const most = Math.max(...scores)
    const exps = Array.from(scores, (x) => Math.exp(x - most))
    const total = exps.reduce((a, b) => a + b, 0)
    loss += (Math.log(total) + most - (scores[label] as number)) / labels.length
    for (const [c, x] of exps.entries()) {
      slope[i * CLASSES + c] = (x / total - (c === label ? 1 : 0)) / labels.length
    }
  }
  return { loss, slope }
}

/** Slopes of a layer by its weight and bias. */
function slopes(x: Float32Array, slope: Float32Array, weight: Tensor<'float32'>): Tensor<'float32'>[] {
  const [out, width] = weight.dims as [number, number]
  const [byWeight, byBias] = [new Float32Array(out * width), new Float32Array(out)]
  for (let r = 0; r < x.length / width; r++) {
    const own = x.subarray(r * width, (r + 1) * width)
    for (let o = 0; o < out; o++) {
      const s = slope[r * out + o] as number
      if (s === 0) continue
      byBias[o] = (byBias[o] as number) + s
      const line = o * width
      for (let i = 0; i < width; i++) {
        byWeight[line + i] = (byWeight[line + i] as number) + s * (own[i] as number)
      }
    }
  }
  return [tensor('float32', [out, width], byWeight), tensor('float32', [out], byBias)]
}

/** The loss of a batch, and its slopes by the four tensors. */
export function gradients(mlp: Mlp, { pixels, labels }: Digits): { loss: number; grads: Mlp } {
  const [w1, b1, w2, b2] = mlp as [Tensor<'float32'>, Tensor<'float32'>, Tensor<'float32'>, Tensor<'float32'>]
  const hidden = relu(linear(pixels, w1, b1))
  const { loss, slope } = crossEntropy(linear(hidden, w2, b2), labels)
  const [out, width] = w2.dims as [number, number]
  const back = new Float32Array(hidden.length)
  for (let r = 0; r < labels.length; r++) {
    for (let i = 0; i < width; i++) {
      if (hidden[r * width + i] === 0) continue
      let sum = 0
      for (let o = 0; o < out; o++) sum += (slope[r * out + o] as number) * (w2.data[o * width + i] as number)
      back[r * width + i] = sum
    }
  }
  return { loss, grads: [...slopes(pixels, back, w1), ...slopes(hidden, slope, w2)] }
}

/** The network after some steps of an optimiser that prunes nothing. */
export function trained(
  mlp: Mlp,
  digits: Digits,
  steps: number,
  size: number,
  options: training.HessoOptions,
): Mlp {
  const optimiser = new training.Hesso(mlp, [], { ...options, pruningSteps: 1 })
  const rows = batches(digits.labels.length, size, 3)
  let now = mlp
  for (let step = 0; step < steps; step++) {
    const batch = pick(digits, rows.next().value as Uint32Array)
    now = optimiser.step(gradients(now, batch).grads).params
  }
  return now
}
