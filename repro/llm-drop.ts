/**
 * LLM-Drop's headline, small: a language model loses the attention of the layers that turn the hidden state least, and
 * forgets less than by losing that of other layers, or as many MLPs.
 * @module
 */
import { kernels, weights } from 'tamis'
import { Conditions } from './check.js'
import { LAYERS, logPerplexity, smollm } from './smollm.js'

const [TEXTS, DROP, DRAWS] = [16, 4, 5]

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const { model, texts } = await smollm(2 * TEXTS)
  const [calibration, others] = [texts.slice(0, TEXTS), texts.slice(TEXTS)]
  const stats = {
    attention: new weights.SimilarityStats(LAYERS),
    mlp: new weights.SimilarityStats(LAYERS),
  }
  await logPerplexity(model, calibration, {
    onLayer: (kind, layer, input, added) => stats[kind].add(layer, input, added),
  })
  const [attention, mlp] = [stats.attention.result(), stats.mlp.result()]
  const full = await logPerplexity(model, others)
  const raised = async (without: weights.DroppedLayers) =>
    (await logPerplexity(model, others, { without })) - full
  const alike = weights.dropLayers({ attention }, { drop: DROP })
  const byMlp = weights.dropLayers({ mlp }, { drop: DROP })
  console.log(
    `      log perplexity of the whole model ${full.toFixed(3)}; most alike: attention of layers ${alike.attention.join(', ')}, MLP of layers ${byMlp.mlp.join(', ')}`,
  )
  const got = await raised(alike)
  const draws: number[] = []
  for (let seed = 0; seed < DRAWS; seed++) {
    const random = kernels.permutationSync(LAYERS, { seed }).data.slice(0, DROP) as Uint32Array
    draws.push(await raised({ attention: random, mlp: new Uint32Array(0) }))
  }
  draws.sort((a, b) => a - b)
  const median = draws[Math.floor(DRAWS / 2)] as number
  const show = (x: number) => x.toFixed(3)
  conditions.must(
    `log perplexity raised by dropping ${DROP} attention layers, less than by random ones (median of ${DRAWS})`,
    `${show(got)} (${show(median)}; ${draws.map(show).join(', ')})`,
    got < median,
  )
  const others4 = await raised(byMlp)
  conditions.must(
    `less than by dropping ${DROP} MLP layers`,
    `${show(got)} (${show(others4)})`,
    got < others4,
  )
  return conditions
}
