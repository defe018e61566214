/**
 * The headline of TIES-Merging, small: of four models of one base, merged without training, the trimmed and elected
 * merge is better than task arithmetic, and that than the plain mean.
 *
 * One drawing of 1,797 digits and of a network moves the difference between the first two by more than it is: it is taken
 * over several, and its standard error is printed beside it. So is what trimming alone costs a model at its own view: the
 * method rests on its costing next to nothing, which a network as small as this does not promise.
 * @module
 */
import { weights } from 'tamis'
import { Conditions } from './check.js'
import { accuracy, percent } from './digits.js'
import { atBestScale, meanAccuracy, type Schedule, sumOf, type Views, viewTasks } from './views.js'

const RUNS = 5
const DIGITS = 1797

/** By then the networks have learnt what they can of so few digits. */
const SCHEDULE: Schedule = { base: { epochs: 20, rate: 1e-3 }, tuned: { epochs: 5, rate: 1e-3 } }

/** The accuracies of one run. */
async function run({ base, tasks }: Views) {
  const test = tasks.map((task) => task.test)
  const sum = sumOf(tasks)
  const ties = atBestScale(base, await weights.mergeTies(tasks.map((task) => task.update)), tasks)
  const trimmed = await Promise.all(
    tasks.map(async ({ update, test }) =>
      accuracy(weights.addUpdate(base, await weights.mergeTies([update])), test),
    ),
  )
  const arithmetic = atBestScale(base, sum, tasks)
  return {
    ties: meanAccuracy(ties.model, test),
    arithmetic: meanAccuracy(arithmetic.model, test),
    mean: meanAccuracy(weights.addUpdate(base, sum, { lambda: 1 / tasks.length }), test),
    individual: average(tasks.map((task) => task.accuracy)),
    trimmed: average(trimmed),
    base: meanAccuracy(base, test),
  }
}

const average = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length

/** A mean and its standard error, in points. */
function spread(values: readonly number[]): string {
  const middle = average(values)
  const variance = values.reduce((sum, x) => sum + (x - middle) ** 2, 0) / (values.length - 1)
  return `${(100 * middle).toFixed(1)} ± ${(100 * Math.sqrt(variance / values.length)).toFixed(1)} points`
}

export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const runs: Awaited<ReturnType<typeof run>>[] = []
  for (let seed = 1; seed <= RUNS; seed++) {
    runs.push(await run(viewTasks({ side: 8, count: DIGITS, seed }, SCHEDULE)))
  }
  const of = (name: keyof (typeof runs)[number]): number => average(runs.map((one) => one[name]))
  const won = runs.filter((one) => one.ties > one.arithmetic).length
  conditions.must(
    `mean accuracy of TIES (density 0.2) above that of task arithmetic, over ${RUNS} runs`,
    `${percent(of('ties'))} (task arithmetic: ${percent(of('arithmetic'))}; difference ${spread(runs.map((one) => one.ties - one.arithmetic))}, above in ${won} of ${RUNS}; individual models: ${percent(of('individual'))}, each trimmed alone: ${percent(of('trimmed'))}, base: ${percent(of('base'))})`,
    of('ties') > of('arithmetic'),
  )
  conditions.must(
    'mean accuracy of task arithmetic above that of the plain mean',
    `${percent(of('arithmetic'))} (plain mean: ${percent(of('mean'))}; difference ${spread(runs.map((one) => one.arithmetic - one.mean))})`,
    of('arithmetic') > of('mean'),
  )
  return conditions
}
