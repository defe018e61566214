/**
 * HESSO's headline, small: of a network whose hidden units are groups seven eighths fade while it trains on, and it stays
 * near the dense one, where zeroing the smallest units at once does not.
 * @module
 */
import { training } from 'tamis'
import { Conditions } from './check.js'
import { type Digits, digits, percent } from './digits.js'
import { accuracy, batches, gradients, type Mlp, pick, trained, untrained } from './mlp.js'

const [SIDE, HIDDEN, STEPS, BATCH, SPARSITY] = [8, 64, 600, 64, 0.875] as const
const OPTIONS = { learningRate: 0.1, momentum: 0.9 }
const PRUNING = { ...OPTIONS, targetGroupSparsity: SPARSITY, pruningSteps: 200, pruningPeriods: 4 }
const SEEDS = [0, 1]
/** A unit's row of the first weight, its bias, and its column of the second weight. */
const GROUPS: training.PruneGroups[] = [
  {
    count: HIDDEN,
    members: [
      { param: 0, axis: 0 },
      { param: 1, axis: 0 },
      { param: 2, axis: 1 },
    ],
  },
]

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  for (const seed of SEEDS) {
    const { train, test } = digits({ side: SIDE, seed: seed + 1 })
    const dense = trained(untrained(SIDE * SIDE, HIDDEN, seed), train, STEPS, BATCH, OPTIONS)
    const whole = accuracy(dense, test)
    const smallest = norms(dense)
      .map((norm, unit) => ({ norm, unit }))
      .sort((a, b) => a.norm - b.norm)
      .slice(0, SPARSITY * HIDDEN)
    const oneShot = accuracy(without(dense, new Set(smallest.map(({ unit }) => unit))), test)
    const pruned = prunedWhileTrained(dense, train)
    const [zero, sparse] = [norms(pruned).filter((norm) => norm === 0).length, accuracy(pruned, test)]
    console.log(`      seed ${seed}: dense ${percent(whole)}, ${smallest.length} of ${HIDDEN} units to fall`)
    conditions.must(`seed ${seed}: units that are zero`, `${zero}`, zero === smallest.length)
    conditions.must(
      `seed ${seed}: within 4 points of the dense network`,
      percent(sparse),
      sparse >= whole - 0.04,
    )
    conditions.must(
      `seed ${seed}: at least 30 points above zeroing the smallest units`,
      `${percent(sparse)} against ${percent(oneShot)}`,
      sparse >= oneShot + 0.3,
    )
  }
  return conditions
}

function prunedWhileTrained(dense: Mlp, train: Digits): Mlp {
  const hesso = new training.Hesso(dense, GROUPS, PRUNING)
  const rows = batches(train.labels.length, BATCH, 7)
  let now = dense
  for (let step = 0; step < STEPS; step++) {
    now = hesso.step(gradients(now, pick(train, rows.next().value as Uint32Array)).grads).params
  }
  return now
}

/** Of each unit's weights. */
function norms(mlp: Mlp): number[] {
  return Array.from({ length: HIDDEN }, (_, unit) => {
    let sum = 0
    for (const [p, i] of places(unit)) sum += (mlp[p]?.data[i] as number) ** 2
    return Math.sqrt(sum)
  })
}

/** Parameters and places of a unit. */
function* places(unit: number): Generator<[number, number]> {
  for (let i = 0; i < SIDE * SIDE; i++) yield [0, unit * SIDE * SIDE + i]
  yield [1, unit]
  for (let c = 0; c < 10; c++) yield [2, c * HIDDEN + unit]
}

function without(mlp: Mlp, units: ReadonlySet<number>): Mlp {
  const left = mlp.map((x) => ({ ...x, data: x.data.slice() }))
  for (const unit of units) for (const [p, i] of places(unit)) (left[p] as Mlp[number]).data[i] = 0
  return left
}
