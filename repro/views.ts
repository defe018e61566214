/**
 * One base of upright digits, and a model fine-tuned for each of four views of them.
 * @module
 */
import { weights } from 'tamis'
import { accuracy, type Digits, digits, type Making, see, trained, untrained, VIEWS } from './digits.js'

/** A view's model and digits. */
export interface Task {
  view: string
  update: weights.StateDict
  /** Of the fine-tuned model. */
  accuracy: number
  validation: Digits
  test: Digits
}

/** A base and what was learnt from it. */
export interface Views {
  base: weights.StateDict
  tasks: Task[]
}

/** How long a network learns, and at what rate. */
export interface Schedule {
  base: { epochs: number; rate: number }
  tuned: { epochs: number; rate: number }
}

/** Enough for 10,000 digits. */
const SCHEDULE: Schedule = { base: { epochs: 5, rate: 1e-3 }, tuned: { epochs: 4, rate: 5e-4 } }

/** Trains the base and the four models. */
export function viewTasks(making: Making = {}, schedule = SCHEDULE): Views {
  const { train, validation, test } = digits(making)
  const start = untrained(making.side, making.seed === undefined ? undefined : making.seed + 1)
  const base = trained(start, train, schedule.base.epochs, schedule.base.rate)
  const tasks = VIEWS.map((view) => {
    const tuned = trained(base, see(train, view), schedule.tuned.epochs, schedule.tuned.rate)
    const own = see(test, view)
    return {
      view,
      update: weights.taskVector(tuned, base),
      accuracy: accuracy(tuned, own),
      validation: see(validation, view),
      test: own,
    }
  })
  return { base, tasks }
}

/** The mean accuracy over the views. */
export function meanAccuracy(model: weights.StateDict, digits: readonly Digits[]): number {
  return digits.reduce((sum, view) => sum + accuracy(model, view), 0) / digits.length
}

/** The update at its best scale, 0.1 to 3.0 by the validation digits, and the model. */
export function atBestScale(
  base: weights.StateDict,
  update: weights.StateDict,
  tasks: readonly Task[],
): { lambda: number; model: weights.StateDict } {
  const validation = tasks.map((task) => task.validation)
  let [best, lambda, model] = [-1, 0, base]
  for (let tenths = 1; tenths <= 30; tenths++) {
    const scaled = weights.addUpdate(base, update, { lambda: tenths / 10 })
    const score = meanAccuracy(scaled, validation)
    if (score > best) [best, lambda, model] = [score, tenths / 10, scaled]
  }
  return { lambda, model }
}

/** The plain sum of the tasks' updates: task arithmetic. */
export function sumOf(tasks: readonly Task[]): weights.StateDict {
  return tasks.reduce<weights.StateDict>(
    (sum, { update }, i) => (i === 0 ? update : weights.addUpdate(sum, update)),
    {},
  )
}
