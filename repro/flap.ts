/**
 * FLAP's headline, small: half of the inputs of a network's last layer go. Chosen by how much they fluctuate, with what the
 * dropped ones gave on average put into the bias, the scores stay nearer to the full network's than by structured
 * Wanda or by magnitudes.
 * @module
 */
import { kernels, type Tensor, tensor, weights } from 'tamis'
import { Conditions } from './check.js'
import { accuracy, buffers, type Digits, digits, forward, percent, trained, untrained } from './digits.js'

const [TRAIN, CALIBRATION, HIDDEN, CLASSES, KEEP] = [8000, 1000, 256, 10, 128]
/** Until it has learned its digits by heart; after six, compensated choice is only as near as Wanda's. */
const EPOCHS = 40
const SIZE = 784

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const parts = digits({ side: 28 })
  const all = [parts.train, parts.validation, parts.test]
  const pixels = Float32Array.from(all.flatMap((part) => [...part.pixels]))
  const labels = Uint8Array.from(all.flatMap((part) => [...part.labels]))
  const range = (from: number, to: number): Digits => ({
    pixels: pixels.subarray(from * SIZE, to * SIZE),
    labels: labels.subarray(from, to),
    side: 28,
  })
  const [train, test] = [range(0, TRAIN), range(TRAIN, labels.length)]
  const model = trained(untrained(28, 2, [HIDDEN]), train, EPOCHS, 1e-3)
  console.log(`      the full network tells ${percent(accuracy(model, test))} of ${test.labels.length} right`)

  const stats = new weights.ActivationStats(HIDDEN)
  const seen = hiddenOf(model, range(0, CALIBRATION))
  // Each picture is a sample of one token.
  stats.add({ ...seen, dims: [CALIBRATION, 1, HIDDEN] })
  const summary = stats.result()
  const weight = turned(model['1.weight'] as Tensor)
  const bias = model['1.bias'] as Tensor
  const hidden = hiddenOf(model, test)
  const full = scoresOf(hidden, weight, bias.data as Float32Array)

  const error = (scores: Float32Array, mean?: Float32Array): number => {
    const best = kernels.topKSync(tensor('float32', [HIDDEN], scores), { k: KEEP, sorted: false }).indices
      .data
    const mask = new Uint8Array(HIDDEN)
    for (const j of best) mask[j] = 1
    const pruned = weights.pruneInputs(weight, mask, { bias, mean })
    const kept = weights.pruneInputs(hidden, mask).weight
    const got = scoresOf(kept, pruned.weight, pruned.bias as Float32Array)
    return got.reduce((sum, x, i) => sum + (x - (full[i] as number)) ** 2, 0) / got.length
  }
  const scored = (metric: weights.ChannelMetric) => weights.scoreChannels(weight, summary, { metric })
  const flap = error(scored('wifv'), summary.mean)
  const without = error(scored('wifv'))
  const random = error(kernels.uniformSync(HIDDEN, { seed: 1 }).data as Float32Array)
  console.log(
    `      mean squared error of the scores: wifv without compensation ${without.toFixed(2)}, random channels ${random.toFixed(2)}`,
  )
  for (const [name, metric] of [
    ['structured Wanda', 'wifn'],
    ['magnitudes', 'magnitude'],
  ] as const) {
    const other = error(scored(metric))
    conditions.must(
      `wifv with compensation, below 0.8 of the error by ${name}`,
      `${flap.toFixed(2)} (${other.toFixed(2)})`,
      flap < 0.8 * other,
    )
  }
  return conditions
}

/** What comes into the last layer: [pictures, HIDDEN]. */
function hiddenOf(model: weights.StateDict, { pixels, labels }: Digits): Tensor<'float32'> {
  const values = buffers(model)
  const data = new Float32Array(labels.length * HIDDEN)
  for (const i of labels.keys()) {
    forward(model, pixels.subarray(i * SIZE, (i + 1) * SIZE), values)
    data.set(values[0] as Float32Array, i * HIDDEN)
  }
  return { type: 'float32', dims: [labels.length, HIDDEN], data }
}

/** [in, out] as [out, in]. */
function turned({ dims: [rows = 0, cols = 0], data }: Tensor): Tensor<'float32'> {
  const items = Float32Array.from(
    data as Float32Array,
    (_, i) => data[(i % rows) * cols + Math.floor(i / rows)] as number,
  )
  return { type: 'float32', dims: [cols, rows], data: items }
}

function scoresOf(x: Tensor, weight: Tensor, bias: Float32Array): Float32Array {
  const { data } = kernels.pairwiseSync(x, weight, { metric: 'dot' })
  return Float32Array.from(data as Float32Array, (score, i) => score + (bias[i % CLASSES] as number))
}
