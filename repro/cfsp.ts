/**
 * CFSP's headline, small: a language model loses a fifth of its neurons. Taken less from the blocks that turn the hidden
 * state most, it forgets less than with the same share from every block; and chosen by score, less than by chance.
 * @module
 */
import { kernels, type Tensor, tensor, weights } from 'tamis'
import { Conditions } from './check.js'
import { LAYERS, type Layer, logPerplexity, type Model, NEURONS, smollm } from './smollm.js'

const [TEXTS, RATIO, MULTIPLE, DRAWS] = [16, 0.2, 64, 5]

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const { model, texts } = await smollm(2 * TEXTS)
  const [calibration, others] = [texts.slice(0, TEXTS), texts.slice(TEXTS)]
  const turns = new weights.SimilarityStats(LAYERS, { residual: false, metric: 'angular', reduce: 'sum' })
  const stats = Array.from({ length: LAYERS }, () => new weights.ActivationStats(NEURONS))
  let input: Tensor<'float32'> | undefined
  await logPerplexity(model, calibration, {
    onLayer: (kind, layer, x, added) => {
      if (kind === 'attention') {
        input = { ...x, data: x.data.slice() }
        return
      }
      const data = x.data.map((value, i) => value + (added.data[i] as number))
      turns.add(layer, input as Tensor, { ...x, data })
    },
    onNeurons: (layer, { type, data }) =>
      stats[layer]?.add({ type, dims: [TEXTS, data.length / NEURONS / TEXTS, NEURONS], data }),
  })
  const importances = turns.result()
  const scale = Math.max(...importances) - Math.min(...importances)
  const keep = weights.allocateSparsity(importances, { ratio: RATIO, scale })
  const even = new Float64Array(LAYERS).fill(1 - RATIO)
  const summaries = stats.map((one) => one.result())
  const scoresBy = (score: (layer: number) => Float32Array) =>
    tensor('float32', [LAYERS, NEURONS], Array.from({ length: LAYERS }, (_, i) => [...score(i)]).flat())
  const summary = (layer: number) => summaries[layer] as weights.ActivationSummary
  const ffn = (i: number) => {
    const { down, up, gate } = model.layers[i] as Layer
    return { down, up, gate }
  }
  const fine = scoresBy((i) => weights.scoreFfn(ffn(i), summary(i).squaredNorm))
  const wifn = scoresBy((i) => weights.scoreChannels(ffn(i).down, summary(i), { metric: 'wifn' }))
  const perplexity = (scores: Tensor, shares: Float64Array) =>
    logPerplexity(narrowed(model, weights.selectNeurons(scores, shares, { multiple: MULTIPLE })), others)
  const show = (x: number) => x.toFixed(3)

  const [byBlock, alike] = [await perplexity(fine, keep), await perplexity(fine, even)]
  console.log(
    `      log perplexity of the whole model ${show(await logPerplexity(model, others))}; shares kept ${show(Math.min(...keep))} to ${show(Math.max(...keep))}`,
  )
  conditions.must(
    `log perplexity with ${100 * RATIO} % of the neurons gone, by importance below by the same share`,
    `${show(byBlock)} (${show(alike)})`,
    byBlock < alike,
  )
  const scored = await perplexity(wifn, keep)
  const random: number[] = []
  for (let seed = 0; seed < DRAWS; seed++) {
    const drawn = scoresBy((stream) => kernels.uniformSync(NEURONS, { seed, stream }).data as Float32Array)
    random.push(await perplexity(drawn, keep))
  }
  conditions.must(
    `by wifn scores, not above any of ${DRAWS} random choices`,
    `${show(scored)} (${random.map(show).join(', ')})`,
    random.every((x) => scored <= x),
  )
  return conditions
}

/** The model without the neurons that are not kept. */
function narrowed(model: Model, masks: Tensor<'uint8'>): Model {
  const layers = model.layers.map((layer, i) => {
    const mask = masks.data.subarray(i * NEURONS, (i + 1) * NEURONS)
    return {
      ...layer,
      gate: weights.pruneOutputs(layer.gate, mask).weight,
      up: weights.pruneOutputs(layer.up, mask).weight,
      down: weights.pruneInputs(layer.down, mask).weight,
    }
  })
  return { ...model, layers }
}
