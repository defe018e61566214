/**
 * The headline of TIES-Merging, small: of four models of one base, merged without training, the trimmed and elected
 * merge is better than task arithmetic, and that than the plain mean.
 * @module
 */
import { weights } from 'tamis'
import { Conditions } from './check.js'
import { percent } from './digits.js'
import { atBestScale, meanAccuracy, sumOf, viewTasks } from './views.js'

export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const { base, tasks } = viewTasks()
  const test = tasks.map((task) => task.test)
  const updates = tasks.map((task) => task.update)
  const ties = atBestScale(base, await weights.mergeTies(updates), tasks)
  const sum = sumOf(tasks)
  const arithmetic = atBestScale(base, sum, tasks)
  const [merged, added] = [meanAccuracy(ties.model, test), meanAccuracy(arithmetic.model, test)]
  const mean = meanAccuracy(weights.addUpdate(base, sum, { lambda: 1 / tasks.length }), test)
  const individual = tasks.reduce((total, task) => total + task.accuracy, 0) / tasks.length
  conditions.must(
    `mean accuracy of TIES (density 0.2, lambda ${ties.lambda}) above that of task arithmetic (lambda ${arithmetic.lambda})`,
    `${percent(merged)} (task arithmetic: ${percent(added)}, individual models: ${percent(individual)}, base: ${percent(meanAccuracy(base, test))})`,
    merged > added,
  )
  conditions.must(
    'mean accuracy of task arithmetic above that of the plain mean',
    `${percent(added)} (plain mean: ${percent(mean)})`,
    added > mean,
  )
  return conditions
}
