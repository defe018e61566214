/**
 * Loss-based reweighting's headline, small: on a regression whose rows mostly teach little, weights that push low losses
 * down and cap high ones converge faster than uniform ones, and weights for both extremes do worse.
 * @module
 */
import { kernels, tensor, training } from 'tamis'
import { Conditions } from './check.js'

const [FEATURES, ROWS, TESTS, BATCH, STEPS, RATE, SEEDS] = [50, 2000, 500, 64, 2000, 0.1, 3]
/** This share of the rows is shrunk by this factor. */
const [SHRUNK, FACTOR] = [0.7, 0.3]
const STRATEGIES = ['uniform', 'linUpper', 'quadratic', 'extremes'] as const

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  for (let seed = 0; seed < SEEDS; seed++) {
    const [uniform, linUpper, quadratic, extremes] = STRATEGIES.map((strategy) =>
      testError(seed, strategy),
    ) as [number, number, number, number]
    const show = (x: number) => x.toExponential(1)
    console.log(`      seed ${seed}: mean squared error with uniform weights ${show(uniform)}`)
    const line = (what: string, error: number, holds: boolean) =>
      conditions.must(`seed ${seed}: ${what}`, show(error), holds)
    line('linUpper, at most a tenth of it', linUpper, linUpper <= uniform / 10)
    line('quadratic, below it', quadratic, quadratic < uniform)
    line('extremes, above it', extremes, extremes > uniform)
  }
  return conditions
}

/** Of a linear model after all steps of gradient descent on weighed squared losses. */
function testError(seed: number, strategy: training.ReweightStrategy): number {
  const normal = (n: number, stream: number) =>
    kernels.normalSync(n, { seed, stream, dtype: 'float64' }).data as Float64Array
  const truth = normal(FEATURES, 0)
  const [rows, tests] = [normal(ROWS * FEATURES, 1), normal(TESTS * FEATURES, 2)]
  const shrunk = kernels.permutationSync(ROWS, { seed, stream: 3 }).data.slice(0, SHRUNK * ROWS)
  for (const x of [rows, tests]) for (const i of x.keys()) x[i] = (x[i] as number) * scale(i % FEATURES)
  for (const row of shrunk) {
    for (let j = 0; j < FEATURES; j++)
      rows[row * FEATURES + j] = FACTOR * (rows[row * FEATURES + j] as number)
  }

  const model = new Float64Array(FEATURES)
  const off = (x: Float64Array, row: number) => {
    let sum = 0
    for (let j = 0; j < FEATURES; j++) {
      sum += (x[row * FEATURES + j] as number) * ((model[j] as number) - (truth[j] as number))
    }
    return sum
  }
  const subsets = new training.RandomSubsets(ROWS, { count: BATCH, seed, replacement: true })
  for (let step = 0; step < STEPS; step++) {
    const batch = subsets.next().data
    const errors = Float64Array.from(batch, (row) => off(rows, row))
    const losses = tensor(
      'float64',
      [BATCH],
      errors.map((error) => error * error),
    )
    const { data } = training.reweightLoss(losses, { strategy }).grad
    for (const [i, row] of batch.entries()) {
      const pull = RATE * (data[i] as number) * 2 * (errors[i] as number)
      for (let j = 0; j < FEATURES; j++) {
        model[j] = (model[j] as number) - pull * (rows[row * FEATURES + j] as number)
      }
    }
  }
  let sum = 0
  for (let row = 0; row < TESTS; row++) sum += off(tests, row) ** 2
  return sum / TESTS
}

/** Features have scales from 1 down to a tenth. */
function scale(feature: number): number {
  return 10 ** (-feature / (FEATURES - 1))
}
