/**
 * DivPrune's headline, small: what is farthest apart meets every kind, what is drawn at random only the common ones.
 *
 * The paper's claim is that a tenth of the tokens, chosen by diversity, keeps what random or score-based choice loses.
 * Here 1 % of rows in 200 clusters of very unequal sizes are kept, and a hundred of real digits.
 * @module
 */
import { kernels, type Tensor, tensor } from 'tamis'
import { Conditions } from './check.js'
import { digits } from './digits.js'

const [ROWS, WIDTH, CLUSTERS, KEEP] = [20_000, 64, 200, 200]
const SPREAD = 0.3
/** As many digits as scikit-learn has, of blocks of 4 x 4 pixels as its are, and how many are kept. */
const [DIGITS, DIGITS_KEPT] = [1797, 100]
const SEEDS = [1, 2, 3]

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  for (const seed of SEEDS) {
    const { x, clusters } = zipfClusters(seed)
    const far = await kernels.farthestFirst(x, { k: KEEP, start: 0 })
    const random = kernels.permutationSync(ROWS, { seed, stream: 7 }).data.slice(0, KEEP)
    const met = (rows: Uint32Array) => new Set(Array.from(rows, (row) => clusters[row])).size
    conditions.must(
      `clusters met by ${KEEP} of ${ROWS} rows, at least 195 of ${CLUSTERS} (seed ${seed})`,
      `${met(far.indices)} (random: ${met(random)})`,
      met(far.indices) >= 195,
    )
    const [least, leastRandom] = [closest(x, far.indices), closest(x, random)]
    conditions.must(
      `smallest distance of two kept rows, at least 5 times random's (seed ${seed})`,
      `${least.toFixed(3)} (random: ${leastRandom.toFixed(3)})`,
      least >= 5 * leastRandom,
    )
  }
  const x = coarseDigits()
  for (const seed of SEEDS) {
    const { radius } = await kernels.farthestFirst(x, {
      k: DIGITS_KEPT,
      metric: 'euclidean',
      start: 'random',
      seed,
    })
    const random = kernels.permutationSync(DIGITS, { seed, stream: 7 }).data.slice(0, DIGITS_KEPT)
    const covered = await kernels.farthestFirst(x, { k: 0, metric: 'euclidean', initial: random })
    const share = radius / covered.radius
    conditions.must(
      `radius by ${DIGITS_KEPT} of ${DIGITS} digits, at most 0.88 of a random subset's (seed ${seed})`,
      `${share.toFixed(3)} (${radius.toFixed(2)} and ${covered.radius.toFixed(2)})`,
      share <= 0.88,
    )
  }
  return conditions
}

/** Digits of 14 x 14 pixels, summed over blocks to 7 x 7. */
function coarseDigits(): Tensor<'float32'> {
  const { pixels } = digits().train
  const data = Float32Array.from({ length: DIGITS * 49 }, (_, i) => {
    const corner = Math.floor(i / 49) * 196 + Math.floor((i % 49) / 7) * 28 + (i % 7) * 2
    return [0, 1, 14, 15].reduce((sum, place) => sum + (pixels[corner + place] as number), 0)
  })
  return { type: 'float32', dims: [DIGITS, 49], data }
}

/** Normal centres, clusters of sizes by Zipf's law, rows spread around their centre. */
function zipfClusters(seed: number): { x: Tensor<'float32'>; clusters: Uint32Array } {
  const weights = Array.from({ length: CLUSTERS }, (_, c) => 1 / (c + 1))
  const sizes = kernels.apportionSync(ROWS, weights).data
  const clusters = Uint32Array.from(Array.from(sizes).flatMap((size, c) => Array<number>(size).fill(c)))
  const centres = kernels.normalSync(CLUSTERS * WIDTH, { seed, stream: 1 }).data
  const noise = kernels.normalSync(ROWS * WIDTH, { seed, stream: 2 }).data
  const data = Float32Array.from(noise, (z, i) => {
    const cluster = clusters[Math.floor(i / WIDTH)] as number
    return (centres[cluster * WIDTH + (i % WIDTH)] as number) + SPREAD * z
  })
  return { x: { type: 'float32', dims: [ROWS, WIDTH], data }, clusters }
}

/** The smallest cosine distance of two of the rows. */
function closest(x: Tensor, rows: Uint32Array): number {
  const data = x.data as Float32Array
  const kept = Array.from(rows, (row) => data.subarray(row * WIDTH, (row + 1) * WIDTH))
  const part = tensor('float32', [rows.length, WIDTH], Float32Array.from(kept.flatMap((row) => [...row])))
  const { scores } = kernels.nearestSync(part, part, { excludeSelf: true })
  return 1 - Math.max(...Array.from(scores.data as Float32Array))
}
