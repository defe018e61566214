/**
 * SQUASH's headline, small: bits by variance along the axes of variance prune more than as many bits everywhere, exact
 * search equals brute force, and filters cost no answers.
 * @module
 */
import { kernels, type Tensor, tensor, vectors } from 'tamis'
import { Conditions } from './check.js'

const [ROWS, WIDTH, QUERIES, K, BITS] = [8000, 48, 30, 10, 4]
const NOISE = 0.05
const DECAY = 0.7
const SEEDS = [1, 2, 3, 4]

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const recalls: number[] = []
  for (const seed of SEEDS) {
    const x = rotated(seed)
    const queries = near(x, seed)
    const rare = Float32Array.from({ length: ROWS }, (_, i) => (i % 100 === 0 ? 1 : 0))
    const attributes = tensor('float32', [ROWS, 1], rare)
    const index = await vectors.AttributedIndex.build(x, { attributes })
    const want = await kernels.nearest(queries, x, { k: K, metric: 'l2' })
    const exact = await index.search(queries, K)
    const equal = exact.indices.data.every((row, i) => row === want.indices.data[i])
    conditions.must(`exact search is brute force (seed ${seed})`, equal ? 'yes' : 'no', equal)

    const examined = exact.examined / (QUERIES * ROWS)
    const uniform = prunedUniformly(x, queries, want.scores)
    conditions.must(
      `true distances computed, at most 0.8 % and half of uniform bits' + 0.1 points (seed ${seed})`,
      `${percent(examined)} (uniform bits: ${percent(uniform)})`,
      examined <= 0.008 && examined <= uniform / 2 + 0.001,
    )
    const fast = await index.search(queries, K, { mode: 'fast' })
    const recall = overlap(fast.indices, want.indices)
    recalls.push(recall)

    const filter = [{ column: 0, op: '=', value: 1 }] as const
    const mask = Uint8Array.from(rare)
    const wantRare = await kernels.nearest(queries, x, { k: K, metric: 'l2', mask })
    const filtered = await index.search(queries, K, { filter })
    const all = overlap(filtered.indices, wantRare.indices)
    conditions.must(`answers under a filter of 1 %, all of them (seed ${seed})`, percent(all), all === 1)
  }
  const recall = recalls.reduce((sum, one) => sum + one, 0) / recalls.length
  const each = recalls.map((one) => one.toFixed(3)).join(', ')
  conditions.must('fast recall over the seeds, at least 0.9', `${recall.toFixed(3)} (${each})`, recall >= 0.9)
  return conditions
}

/** Normal rows of a decaying spectrum, in random axes. */
function rotated(seed: number): Tensor<'float32'> {
  const draws = kernels.normalSync(WIDTH * WIDTH, { seed, stream: 1, dtype: 'float64' })
  const axes = kernels.svdSync({ ...draws, dims: [WIDTH, WIDTH] }).u?.data as Float64Array
  const z = kernels.normalSync(ROWS * WIDTH, { seed, stream: 2 }).data
  const data = new Float32Array(ROWS * WIDTH)
  for (let row = 0; row < ROWS; row++) {
    for (let j = 0; j < WIDTH; j++) {
      let sum = 0
      for (let a = 0; a < WIDTH; a++) {
        sum += (z[row * WIDTH + a] as number) * (a + 1) ** -DECAY * (axes[j * WIDTH + a] as number)
      }
      data[row * WIDTH + j] = sum
    }
  }
  return { type: 'float32', dims: [ROWS, WIDTH], data }
}

/** Queries beside rows. */
function near(x: Tensor, seed: number): Tensor {
  const rows = kernels.belowSync(QUERIES, ROWS, { seed, stream: 3 }).data
  const noise = kernels.normalSync(QUERIES * WIDTH, { seed, stream: 4 }).data
  const data = Float32Array.from(noise, (z, i) => {
    const row = rows[Math.floor(i / WIDTH)] as number
    return Number(x.data[row * WIDTH + (i % WIDTH)]) + NOISE * z
  })
  return { type: 'float32', dims: [QUERIES, WIDTH], data }
}

/** The share of rows whose lower bound is within the k-th distance, of equal bits along the given axes. */
function prunedUniformly(x: Tensor, queries: Tensor, scores: Tensor): number {
  const cells = 2 ** BITS
  const boundaries = new Float32Array((cells + 1) * WIDTH)
  const codes = new Uint8Array(ROWS * WIDTH)
  for (let j = 0; j < WIDTH; j++) {
    const column = Float32Array.from({ length: ROWS }, (_, i) => Number(x.data[i * WIDTH + j]))
    const own = vectors.designCells(tensor('float32', [ROWS], column), { cells }).boundaries
    for (const [c, boundary] of own.entries()) boundaries[c * WIDTH + j] = boundary
    for (const [i, value] of column.entries()) {
      const cell = own.findLastIndex((boundary) => boundary <= value)
      codes[i * WIDTH + j] = Math.min(cells - 1, Math.max(0, cell))
    }
  }
  let within = 0
  for (let q = 0; q < QUERIES; q++) {
    const query = tensor(
      'float32',
      [WIDTH],
      (queries.data as Float32Array).subarray(q * WIDTH, (q + 1) * WIDTH),
    )
    const { lower } = vectors.quantizedBounds(
      tensor('uint8', [ROWS, WIDTH], codes),
      tensor('float32', [cells + 1, WIDTH], boundaries),
      new Uint32Array(WIDTH).fill(cells),
      query,
    )
    const farthest = Number(scores.data[q * K + K - 1])
    within += lower.filter((bound) => bound <= farthest).length
  }
  return within / (QUERIES * ROWS)
}

/** The share of the wanted rows that were found. */
function overlap(got: Tensor, want: Tensor): number {
  let met = 0
  for (let q = 0; q < QUERIES; q++) {
    const found = new Set((got.data as Uint32Array).slice(q * K, q * K + K))
    for (const row of (want.data as Uint32Array).slice(q * K, q * K + K)) met += found.has(row) ? 1 : 0
  }
  return met / (QUERIES * K)
}

const percent = (x: number): string => `${(100 * x).toFixed(2)} %`
