/**
 * ComPEFT's headline, small: an update is many times smaller as signs and one number, and no worse.
 *
 * The network learns upright digits, then mirrored ones; the update between is compressed.
 * @module
 */
import { weights } from 'tamis'
import { Conditions } from './check.js'
import { accuracy, digits, percent, see, trained, untrained } from './digits.js'

const DENSITIES = [0.05, 0.1, 0.2, 0.3, 0.5]
const ALPHAS = [0.5, 1, 2, 3, 4, 5, 6, 8, 10]

export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const { train, validation, test } = digits()
  const [seenTrain, seenValidation, seenTest] = [train, validation, test].map((part) =>
    see(part, 'mirrored left-right'),
  ) as [typeof train, typeof train, typeof train]
  const base = trained(untrained(), train, 5, 1e-3)
  const tuned = trained(base, seenTrain, 4, 5e-4)
  const update = weights.taskVector(tuned, base)

  const apply = (part: weights.StateDict) => weights.addUpdate(base, part)
  const compressed = async (density: number, alpha: number) => {
    const { tensors, cost } = await weights.compressUpdate(update, { density, alpha })
    const entries = Object.entries(tensors).map(([name, t]) => [name, weights.expandTernary(t)])
    const model = apply(Object.fromEntries(entries))
    return { model, cost, density, alpha, score: accuracy(model, seenValidation) }
  }
  const tried: Awaited<ReturnType<typeof compressed>>[] = []
  for (const density of DENSITIES) for (const alpha of ALPHAS) tried.push(await compressed(density, alpha))
  const best = (list: typeof tried) => list.reduce((a, b) => (b.score > a.score ? b : a))

  const [before, fine] = [accuracy(base, seenTest), accuracy(tuned, seenTest)]
  const chosen = best(tried)
  const got = accuracy(chosen.model, seenTest)
  conditions.must(
    `accuracy of signs and one number (density ${chosen.density}, alpha ${chosen.alpha}) within 1.0 point of the fine-tuned model's`,
    `${percent(got)} (fine-tuned: ${percent(fine)}, base: ${percent(before)})`,
    got >= fine - 0.01,
  )
  const { golombBits, denseBits } = chosen.cost
  conditions.must(
    'bits in Golomb-Rice code, at most an eighth of those of halves',
    `${Math.ceil(golombBits)} of ${denseBits}: ${(denseBits / golombBits).toFixed(1)} times smaller`,
    golombBits <= denseBits / 8,
  )
  const small = best(tried.filter(({ density }) => density === 0.05))
  const signs = accuracy(small.model, seenTest)
  const pruned = accuracy(apply(await weights.mergeTies([update], { density: 0.05 })), seenTest)
  conditions.must(
    `at density 0.05 (alpha ${small.alpha}), better than the same entries with their values`,
    `${percent(signs)} (pruned: ${percent(pruned)})`,
    signs > pruned,
  )
  return conditions
}
