/**
 * The headline of TALL-masks, small: from one multi-task update and a bit a weight, each task's model is recovered
 * better than by its magnitudes, and better than any single merged model does the task.
 * @module
 */
import { type Tensor, weights } from 'tamis'
import { Conditions } from './check.js'
import { accuracy, percent } from './digits.js'
import { atBestScale, meanAccuracy, sumOf, viewTasks } from './views.js'

const LAMBDAS = [0.2, 0.3, 0.4, 0.5, 0.6]

export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const { base, tasks } = viewTasks()
  const updates = tasks.map((task) => task.update)
  const merged = sumOf(tasks)
  const masked = await Promise.all(LAMBDAS.map((lambda) => weights.maskTasks(updates, { lambda })))
  const test = tasks.map((task) => task.test)
  const singles = [
    atBestScale(base, await weights.mergeTies(updates), tasks),
    atBestScale(base, merged, tasks),
  ]
  const single = singles
    .map(({ model }) => model)
    .reduce((a, b) => (meanAccuracy(b, test) > meanAccuracy(a, test) ? b : a))

  for (const [t, task] of tasks.entries()) {
    let [best, lambda, density, model] = [-1, 0, 0, base]
    for (const [i, { masks, densities }] of masked.entries()) {
      // The task's update as a user would read it.
      const file = weights.writeTasks(merged, { own: masks[t] as weights.MaskDict })
      const recovered = weights.addUpdate(base, weights.readTask(file, 'own'))
      const score = accuracy(recovered, task.validation)
      if (score > best)
        [best, lambda, density, model] = [score, LAMBDAS[i] as number, densities[t] as number, recovered]
    }
    const got = accuracy(model, task.test)
    const largest = await weights.mergeTies([merged], { density })
    const byMagnitude = accuracy(weights.addUpdate(base, largest), task.test)
    const bySingle = accuracy(single, task.test)
    conditions.must(
      `${task.view}: recovered (lambda ${lambda}, density ${density.toFixed(2)}) above magnitude masks and the best merged model`,
      `${percent(got)} (magnitudes: ${percent(byMagnitude)}, merged: ${percent(bySingle)}, individual: ${percent(task.accuracy)})`,
      got > byMagnitude && got > bySingle,
    )
  }
  conditions.must(
    'twenty tasks in a container and a base, of twenty checkpoints',
    percent(shareOfTwenty(merged)),
    Math.abs(shareOfTwenty(merged) - 0.131) < 0.002,
  )
  return conditions
}

/** Bytes of base, multi-task update and twenty masks, of those of twenty checkpoints. */
function shareOfTwenty(merged: weights.StateDict): number {
  const ones = Object.entries(merged).map(([name, { dims, data }]): [string, Tensor] => [
    name,
    { type: 'uint8', dims, data: new Uint8Array(data.length).fill(1) },
  ])
  const masks = Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [`task${i}`, Object.fromEntries(ones)]),
  )
  const checkpoint = 4 * Object.values(merged).reduce((sum, { data }) => sum + data.length, 0)
  return (weights.writeTasks(merged, masks).length + checkpoint) / (20 * checkpoint)
}
