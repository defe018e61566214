/**
 * EoRA's headline, small: a network's layers pruned 2:4 by magnitude, and compensated at a small rank. On other pictures each
 * layer's outputs are nearer to the original with the inputs' eigenspace than by plain singular values, and so is what
 * its last hidden layer makes of a picture.
 * @module
 */
import { kernels, type Tensor, weights } from 'tamis'
import { Conditions } from './check.js'
import { accuracy, type Digits, digits, percent, trained, untrained } from './digits.js'

/** Pictures that calibrate, and the rank of the pairs: a smaller one where there are ten outputs. */
const [CALIBRATION, RANK, LAST] = [128, 32, 4]
const LAYERS = [0, 1, 2]

type Net = weights.StateDict

/** What each layer takes in: [pictures, features]. */
function inputsOf(net: Net, { pixels, labels, side }: Digits): Tensor[] {
  let x: Tensor = { type: 'float32', dims: [labels.length, side * side], data: pixels }
  return LAYERS.map((layer) => {
    const input = x
    const bias = net[`${layer}.bias`]?.data as Float32Array
    const y = multiply(x, net[`${layer}.weight`] as Tensor)
    for (const [i, v] of y.data.entries()) y.data[i] = Math.max(0, v + (bias[i % bias.length] as number))
    x = y
    return input
  })
}

/** [n, m] times [m, k]. */
function multiply(
  { dims: [n = 0, m = 0], data: a }: Tensor,
  { dims: [, k = 0], data: b }: Tensor,
): Tensor<'float32'> {
  const out = new Float32Array(n * k)
  for (let row = 0; row < n; row++) {
    for (let i = 0; i < m; i++) {
      const x = a[row * m + i] as number
      if (x === 0) continue
      for (let j = 0; j < k; j++) {
        out[row * k + j] = (out[row * k + j] as number) + x * (b[i * k + j] as number)
      }
    }
  }
  return { type: 'float32', dims: [n, k], data: out }
}

function turned({ dims: [n = 0, m = 0], data }: Tensor): Tensor<'float32'> {
  const out = new Float32Array(n * m)
  for (let i = 0; i < n * m; i++) out[(i % m) * n + Math.floor(i / m)] = data[i] as number
  return { type: 'float32', dims: [m, n], data: out }
}

/** The first pictures of some. */
function first({ pixels, labels, side }: Digits, count: number): Digits {
  return { pixels: pixels.slice(0, count * side * side), labels: labels.slice(0, count), side }
}

/** Mean over pictures of the relative error of a layer's outputs. */
function outputError(x: Tensor, weight: Tensor, other: Tensor): number {
  const [a, b] = [multiply(x, weight), multiply(x, other)]
  const [n = 0, width = 0] = a.dims
  let sum = 0
  for (let row = 0; row < n; row++) {
    let [off, whole] = [0, 0]
    for (let i = row * width; i < (row + 1) * width; i++) {
      off += ((a.data[i] as number) - (b.data[i] as number)) ** 2
      whole += (a.data[i] as number) ** 2
    }
    sum += Math.sqrt(off / whole)
  }
  return sum / n
}

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const { train, test } = digits({ count: 3000 })
  const net = trained(untrained(), train, 6, 1e-3)
  const [calibration, tests] = [first(train, CALIBRATION), inputsOf(net, first(test, 300))]
  const nets: Record<'pruned' | 'plain' | 'eora', Net> = {
    pruned: { ...net },
    plain: { ...net },
    eora: { ...net },
  }
  for (const layer of LAYERS) {
    const name = `${layer}.weight`
    // Layers here are [in, out], those of the recipe [out, in].
    const original = turned(net[name] as Tensor)
    const { values: pruned } = kernels.sparsifySync(original, { pattern: [2, 4] })
    const rank = layer === 2 ? LAST : RANK
    const inputs = inputsOf(nets.eora, calibration)[layer] as Tensor
    const compensated = async (options: weights.CompensateOptions): Promise<Tensor> => {
      const { loraA, loraB } = await weights.compensateLowRank(original, pruned, options)
      const { w } = weights.addUpdate({ w: pruned }, { w: multiply(loraB, loraA) })
      return turned(w as Tensor)
    }
    nets.pruned[name] = turned(pruned)
    nets.plain[name] = await compensated({ rank })
    nets.eora[name] = await compensated({ rank, inputs })
    const [none, plain, eora] = (['pruned', 'plain', 'eora'] as const).map((kind) =>
      outputError(tests[layer] as Tensor, net[name] as Tensor, nets[kind][name] as Tensor),
    ) as [number, number, number]
    conditions.must(
      `layer ${layer}, rank ${rank}: outputs of other pictures nearer than by plain SVD, and those than pruned`,
      `${percent(eora)} off (SVD: ${percent(plain)}, pruned: ${percent(none)})`,
      eora < plain && plain < none,
    )
  }
  const embedded = inputsOf(net, test)[2] as Tensor
  const [none, plain, eora] = [nets.pruned, nets.plain, nets.eora].map((other) =>
    cosine(embedded, inputsOf(other, test)[2] as Tensor),
  ) as [number, number, number]
  const show = (x: number) => x.toFixed(4)
  conditions.must(
    "cosine of the last hidden layer's values on other pictures with the original's orders likewise",
    `${show(eora)} (SVD: ${show(plain)}, pruned: ${show(none)})`,
    eora > plain && plain > none,
  )
  // The original is no better at what is right than some that differ from it: this orders by chance.
  const all = [nets.eora, nets.plain, nets.pruned, net]
  const told = all.map((n) => `${show(crossEntropy(n, test))} and ${percent(accuracy(n, test))}`)
  const [own, svd, bare, whole] = told
  console.log(`      cross entropy and right: ${own} (SVD: ${svd}, pruned: ${bare}, original: ${whole})`)
  return conditions
}

/** Mean over rows. */
function cosine({ dims: [n = 0, width = 0], data: a }: Tensor, { data: b }: Tensor): number {
  let sum = 0
  for (let row = 0; row < n; row++) {
    let [both, first, second] = [0, 0, 0]
    for (let i = row * width; i < (row + 1) * width; i++) {
      const [x, y] = [a[i] as number, b[i] as number]
      both += x * y
      first += x * x
      second += y * y
    }
    sum += both / Math.sqrt(first * second)
  }
  return sum / n
}

/** The mean of -ln of the share that the network gives to what is right. */
function crossEntropy(net: Net, test: Digits): number {
  const input = inputsOf(net, test)[2] as Tensor
  const scores = multiply(input, net['2.weight'] as Tensor)
  const bias = net['2.bias']?.data as Float32Array
  let sum = 0
  for (const [i, label] of test.labels.entries()) {
    const row = Array.from(
      { length: 10 },
      (_, j) => (scores.data[10 * i + j] as number) + (bias[j] as number),
    )
    const most = Math.max(...row)
    sum += most + Math.log(row.reduce((s, x) => s + Math.exp(x - most), 0)) - (row[label] as number)
  }
  return sum / test.labels.length
}
