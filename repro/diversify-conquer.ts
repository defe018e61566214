/**
 * Diversify and Conquer's headline, small: of forty skills of very different sizes, a tenth of the rows must hold all, and
 * rounds must starve the skills whose data is noise.
 * @module
 */
import { corpus, kernels, type Tensor, tensor } from 'tamis'
import { Conditions } from './check.js'

const SKILLS = 40
const WIDTH = 32
const CLUSTERS = 80
const KEEP = 320
const ROUNDS = 3
const ROUND = 100

/** Rows around the centres of Zipf sizes, and the skill of each. */
function pool(): { x: Tensor<'float32'>; skills: number[] } {
  const harmonic = Array.from({ length: SKILLS }, (_, j) => 1 / (j + 1)).reduce((a, b) => a + b)
  const sizes = Array.from({ length: SKILLS }, (_, j) => Math.floor(8000 / (j + 1) / harmonic))
  const skills = sizes.flatMap((size, j) => new Array<number>(size).fill(j))
  const centres = kernels.normalSync(SKILLS * WIDTH, { seed: 7, stream: 0, dtype: 'float64' }).data
  const noise = kernels.normalSync(skills.length * WIDTH, { seed: 7, stream: 1, dtype: 'float64' }).data
  const item = (i: number) => {
    const centre = (skills[Math.floor(i / WIDTH)] as number) * WIDTH + (i % WIDTH)
    return Number(centres[centre]) + 0.6 * Number(noise[i])
  }
  const data = Float32Array.from({ length: skills.length * WIDTH }, (_, i) => item(i))
  return { x: tensor('float32', [skills.length, WIDTH], data), skills }
}

/** The share of skills of which two rows or more are kept. */
function covered(skills: readonly number[], rows: ArrayLike<number>): number {
  const kept = new Array<number>(SKILLS).fill(0)
  for (const row of Array.from(rows)) kept[skills[row] as number] = (kept[skills[row] as number] ?? 0) + 1
  return kept.filter((n) => n >= 2).length / SKILLS
}

const isNoise = (skill: number): boolean => skill % 4 === 3

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const { x, skills } = pool()
  console.log(`      ${skills.length} rows of ${SKILLS} skills, ${KEEP} kept from ${CLUSTERS} clusters`)
  for (const seed of [0, 1, 2]) {
    const { indices, labels } = await corpus.selectDiverse(x, { count: KEEP, clusters: CLUSTERS, seed })
    const share = covered(skills, indices.data)
    const random = covered(skills, kernels.permutationSync(skills.length, { seed }).data.slice(0, KEEP))
    conditions.must(
      `seed ${seed}: skills with two rows or more, at least 0.975 and random's`,
      `${share.toFixed(3)} (random: ${random.toFixed(3)})`,
      share >= 0.975 && share >= random,
    )
    const sampler = new corpus.IterativeSampler(labels, {
      count: ROUNDS * ROUND,
      rounds: ROUNDS,
      clusters: CLUSTERS,
      seed,
    })
    const shares: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const { data: rows } = await sampler.next()
      const bad = Array.from(rows, (row) => isNoise(skills[row] as number))
      shares.push(bad.filter(Boolean).length / rows.length)
      const judge = kernels.normalSync(rows.length, { seed, stream: 50 + round, dtype: 'float64' }).data
      const advantage = Float64Array.from(bad, (noise, i) => (noise ? -1 : 1) + 0.5 * Number(judge[i]))
      sampler.update(tensor('float64', [rows.length], advantage))
    }
    conditions.must(
      `seed ${seed}: noise in rounds 1 and 2, at most 0.05`,
      `${shares.map((s) => s.toFixed(2)).join(', ')} in rounds 0, 1, 2`,
      (shares[1] as number) <= 0.05 && (shares[2] as number) <= 0.05,
    )
  }
  return conditions
}
