/**
 * Meaningful diversity's headline, small: of samples that are nearly all of one kind, those chosen by distance show
 * more of the possibilities than those drawn at random.
 * @module
 */
import { kernels, type Tensor, vectors } from 'tamis'
import { Conditions } from './check.js'

const [SAMPLES, WIDTH, RARE, KEEP, RUNS] = [100, 16, 9, 5, 20]
/** The share of samples of the common mode, and of each of the others. */
const [COMMON, EACH] = [0.91, 0.01]
const SPREAD = 0.2

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const met = { present: 0, farthest: 0, kmeans: 0, uniformize: 0, random: 0 }
  for (let seed = 0; seed < RUNS; seed++) {
    const { x, modes } = posterior(seed)
    const count = (rows: Iterable<number>) => new Set(Array.from(rows, (row) => modes[row])).size
    met.present += count(modes.keys())
    for (const method of ['farthest', 'kmeans', 'uniformize'] as const) {
      met[method] += count((await vectors.pickDiverse(x, { keep: KEEP, method, seed })).indices)
    }
    met.random += count(kernels.permutationSync(SAMPLES, { seed, stream: 9 }).data.slice(0, KEEP))
  }
  const mean = (sum: number) => sum / RUNS
  console.log(
    `      ${SAMPLES} samples, ${KEEP} kept, ${RUNS} seeds: ${mean(met.present).toFixed(2)} modes present, ` +
      `kmeans meets ${mean(met.kmeans).toFixed(2)}`,
  )
  const line = (what: string, sum: number, holds: (mean: number) => boolean) =>
    conditions.must(`modes met, ${what}`, mean(sum).toFixed(2), holds(mean(sum)))
  line('farthest, at least 4.5', met.farthest, (modes) => modes >= 4.5)
  line('uniformize, at least 3', met.uniformize, (modes) => modes >= 3)
  line('random, at most 2', met.random, (modes) => modes <= 2)
  return conditions
}

/** Samples of one common mode and nine rare ones. */
function posterior(seed: number): { x: Tensor; modes: number[] } {
  const draws = kernels.uniformSync(SAMPLES, { seed, stream: 1, dtype: 'float64' }).data as Float64Array
  const modes = Array.from(draws, (u) =>
    u < COMMON ? 0 : 1 + Math.min(RARE - 1, Math.floor((u - COMMON) / EACH)),
  )
  const centres = kernels.normalSync((RARE + 1) * WIDTH, { seed, stream: 2 }).data as Float32Array
  const noise = kernels.normalSync(SAMPLES * WIDTH, { seed, stream: 3 }).data as Float32Array
  const data = noise.map(
    (z, i) =>
      (centres[(modes[Math.floor(i / WIDTH)] as number) * WIDTH + (i % WIDTH)] as number) + SPREAD * z,
  )
  return { x: { type: 'float32', dims: [SAMPLES, WIDTH], data }, modes }
}
