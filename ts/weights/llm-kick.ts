/**
 * LLM-KICK (Jaiswal, Gan, Du, Zhang, Wang, Yang, "Compressing LLMs: The Truth is Rarely Pure and Never Simple", ICLR 2024,
 * arXiv 2310.01382): judge a compressed language model by tasks that need knowledge, beside its perplexity, which hides
 * what compression costs.
 *
 * Against the authors' scripts: what a model generates is scored, not its prompt; an answer or a prediction of which
 * nothing is left matches nothing, where an empty one matched everything; scores of a judge may be parted by a comma.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkNumber, checkOneOf, checkOptions, show } from '../options.js'
import { atOnce } from '../run.js'
import { checkTensor, FLOAT_TYPES, type Tensor } from '../tensor.js'
import { checkList, checkRecord, checkText, contextPrompt, trimmed, words } from './llm-kick-prompts.js'
import { partOf } from './state-dict.js'

/** What a model said, and what it could have. */
export interface Answered {
  prediction: string
  /** At least one. */
  answers: string[]
}

/** Answers to questions, scored. */
export interface AnswerScores {
  items: { exactMatch: 0 | 1; f1: number }[]
  /** 100 times the mean. */
  exactMatch: number
  /** 100 times the mean. */
  f1: number
}

/** A task, and which way its score is better. */
export interface ScoredTask {
  name: string
  higherIsBetter: boolean
}

/** What compression cost a model. */
export interface ComparedModel {
  name: string
  /** Of each task, in percent of the dense score; below 0 where the model is better. */
  drop: Record<string, number>
  /** Of each task: whether the drop is within the tolerance. */
  matching: Record<string, boolean>
  /** The tasks that do not match while `perplexity` does, in the order of the tasks. */
  hidden: string[]
}

/** A model that answers. */
export interface GeneratingModel {
  name: string
  /** What the model goes on with after a prompt, of at most so many tokens. */
  generate: (prompt: string, maxTokens: number) => Promise<string>
  perplexity?: (() => Promise<number>) | undefined
}

const INTEGERS = ['uint32', 'int32', 'int64', 'uint16', 'int16', 'uint8', 'int8'] as const
const PUNCTUATION = /[!-/:-@[-`{-~\u2018\u2019\u00b4]/gu
const ARTICLES = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu
const JUDGED = ['coherence', 'consistency', 'fluency', 'relevance'] as const
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)$/
/** Tokens of an answer. */
const ANSWER = 32

/** Lower case, without punctuation and articles, one space between words. */
function normalized(text: string): string {
  const plain = text.replaceAll('_', ' ').toLowerCase().replace(PUNCTUATION, ' ').replace(ARTICLES, ' ')
  return words(plain).join(' ')
}

function checkAnswered(items: unknown): Answered[] {
  const list = checkList('items', items)
  if (list.length === 0) throw new TamisError('ERR_TAMIS_RANGE', 'no items: items must hold at least one')
  return list.map((value, i) => {
    const item = checkRecord(`items[${i}]`, value)
    const answers = checkAnswers(`items[${i}]`, item.answers)
    return { prediction: checkText(`items[${i}].prediction`, item.prediction), answers }
  })
}

function checkAnswers(name: string, value: unknown): string[] {
  const answers = checkList(`${name}.answers`, value)
  if (answers.length === 0) {
    throw new TamisError('ERR_TAMIS_RANGE', `answers must not be empty: ${name} has none`)
  }
  return answers.map((answer, j) => checkText(`${name}.answers[${j}]`, answer))
}

/**
 * Scores answers in the way of question answering with a text: whether prediction and answer contain one another, and F1
 * over their words, each at its best over the accepted answers. Case, punctuation, articles and white space do not count.
 * @throws TamisError `no items`, `answers must not be empty`
 * @example
 * import { weights } from 'tamis'
 * const { exactMatch, f1 } = weights.scoreAnswers([{ prediction: 'It was the Beatles!', answers: ['Beatles'] }])
 * console.log(exactMatch, f1) // 100 50
 */
export function scoreAnswers(items: readonly Answered[]): AnswerScores {
  const scored = checkAnswered(items).map(({ prediction, answers }) => {
    const p = normalized(prediction)
    const golds = answers.map(normalized)
    const matches = golds.some((g) => p !== '' && g !== '' && (p.includes(g) || g.includes(p)))
    return {
      exactMatch: (matches ? 1 : 0) as 0 | 1,
      f1: golds.reduce((most, g) => Math.max(most, f1(words(p), words(g))), 0),
    }
  })
  const mean = (of: (item: { exactMatch: number; f1: number }) => number) =>
    (100 * scored.reduce((sum, item) => sum + of(item), 0)) / scored.length
  return { items: scored, exactMatch: mean((item) => item.exactMatch), f1: mean((item) => item.f1) }
}

/** Over words as multisets. */
function f1(p: readonly string[], g: readonly string[]): number {
  const left = new Map<string, number>()
  for (const word of g) left.set(word, (left.get(word) ?? 0) + 1)
  let same = 0
  for (const word of p) {
    const count = left.get(word) ?? 0
    if (count === 0) continue
    left.set(word, count - 1)
    same++
  }
  if (same === 0) return 0
  const [precision, recall] = [same / p.length, same / g.length]
  return (2 * precision * recall) / (precision + recall)
}

/**
 * Scores answers to factoid questions: whether the prediction contains an accepted answer; spaces and case do not count.
 * Give what the model generated, not the prompt.
 * @returns `matches`: uint8 [n]; `accuracy`: 100 times their mean
 * @throws TamisError `no items`, `answers must not be empty`
 * @example
 * import { weights } from 'tamis'
 * const items = [{ prediction: 'It is Mc Cartney', answers: ['McCartney'] }]
 * console.log(weights.matchFactoids(items).accuracy) // 100
 */
export function matchFactoids(items: readonly Answered[]): { matches: Tensor<'uint8'>; accuracy: number } {
  const plain = (text: string) => trimmed(text.replaceAll(' ', '')).toLowerCase()
  const matches = checkAnswered(items).map(({ prediction, answers }) => {
    const said = plain(prediction)
    return answers.map(plain).some((answer) => answer !== '' && said.includes(answer))
  })
  const right = matches.filter(Boolean).length
  return {
    matches: { type: 'uint8', dims: [matches.length], data: Uint8Array.from(matches, Number) },
    accuracy: (100 * right) / matches.length,
  }
}

/**
 * Perplexity over windows of consecutive tokens that do not overlap: exp of the mean over windows of the mean loss of
 * tokens 2 to L, each predicted by the logits before it. In float64. O(n L V), in parallel.
 * @param logits - a float type, [n, L, V]
 * @param tokens - an integer type, [n, L], L >= 2
 * @returns `tokens`: the number of predictions
 * @throws TamisError `shape mismatch`, `window needs two tokens`, `token out of range`, `not finite`
 * @example
 * import { tensor, weights } from 'tamis'
 * const logits = tensor('float32', [1, 2, 4], [0, 0, 0, 0, 1, 2, 3, 4])
 * console.log(weights.perplexity(logits, tensor('uint32', [1, 2], [3, 1])).perplexity.toFixed(3)) // 4.000
 */
export function perplexity(
  logits: Tensor,
  tokens: Tensor,
): { perplexity: number; windows: number; tokens: number } {
  const x = checkTensor('logits', logits, { types: FLOAT_TYPES })
  const wanted = checkTensor('tokens', tokens, { types: INTEGERS })
  const [windows, length, classes] = x.dims
  const fits = x.dims.length === 3 && wanted.dims.length === 2
  if (!fits || wanted.dims[0] !== windows || wanted.dims[1] !== length) {
    const got = `logits have dims [${x.dims.join(', ')}], tokens [${wanted.dims.join(', ')}]`
    throw new TamisError('ERR_TAMIS_SHAPE', `shape mismatch: ${got}; [n, L, V] and [n, L] are wanted`)
  }
  const [n, size] = [windows as number, length as number]
  if (size < 2) throw new TamisError('ERR_TAMIS_SHAPE', `window needs two tokens, got ${size}`)
  if (n === 0) throw new TamisError('ERR_TAMIS_SHAPE', 'no windows: logits must hold at least one')
  const loss = atOnce(() => native.windowLoss(partOf(x), partOf(wanted), size, classes as number))
  return { perplexity: Math.exp(loss), windows: n, tokens: n * (size - 1) }
}

/**
 * The scores in what a judge wrote: of a `pair` two numbers in line 1 (`overall`: reference, candidate), of a `summary` two
 * in each of lines 1 to 4 (coherence, consistency, fluency, relevance). Numbers are parted by spaces or commas.
 * @returns null if it was written otherwise
 * @throws TamisError `task`
 * @example
 * import { weights } from 'tamis'
 * console.log(weights.parseJudge('8, 6\nFair.', { task: 'pair' })) // { overall: [ 8, 6 ] }
 */
export function parseJudge(
  review: string,
  options: { task: 'pair' | 'summary' },
): Record<string, [number, number]> | null {
  const text = checkText('review', review)
  const task = checkOneOf('task', checkOptions('options', options, ['task']).task, ['pair', 'summary'])
  const lines = text.split('\n')
  const names = task === 'pair' ? ['overall'] : JUDGED
  const scores: [string, [number, number]][] = []
  for (const [i, name] of names.entries()) {
    const parts = trimmed(lines[i] ?? '').split(/[ ,]+/)
    if (parts.length !== 2 || !parts.every((part) => NUMBER.test(part))) return null
    scores.push([name, [Number(parts[0]), Number(parts[1])]])
  }
  return Object.fromEntries(scores)
}

/**
 * What compression cost each model, task by task: the relative drop from the dense score in percent, whether it is within
 * the tolerance, and which losses perplexity hides. O(models tasks).
 * @param dense - scores by the names of the tasks
 * @param options - `tolerance`: in percent, >= 0, default 5
 * @throws TamisError `missing score`, `dense score must not be zero`, `tolerance`
 * @example
 * import { weights } from 'tamis'
 * const tasks = [{ name: 'factoid', higherIsBetter: true }, { name: 'perplexity', higherIsBetter: false }]
 * const models = [{ name: 'half', scores: { factoid: 41, perplexity: 8.25 } }]
 * const [row] = weights.compareCompressed({ factoid: 60, perplexity: 8 }, models, { tasks })
 * console.log(row?.drop.perplexity, row?.hidden) // 3.125 [ 'factoid' ]
 */
export function compareCompressed(
  dense: Record<string, number>,
  models: readonly { name: string; scores: Record<string, number> }[],
  options: { tasks: readonly ScoredTask[]; tolerance?: number | undefined },
): ComparedModel[] {
  const o = checkOptions('options', options, ['tasks', 'tolerance'])
  const tolerance = checkNumber('tolerance', o.tolerance ?? 5, { min: 0 })
  const tasks = checkList('tasks', o.tasks).map((value, i) => {
    const task = checkRecord(`tasks[${i}]`, value)
    const name = checkText(`tasks[${i}].name`, task.name)
    const from = scoreOf('dense', checkRecord('dense', dense), name)
    if (from === 0) {
      throw new TamisError('ERR_TAMIS_RANGE', `dense score must not be zero: that of ${show(name)} is`)
    }
    return { name, from, sign: task.higherIsBetter ? 1 : -1 }
  })
  return checkList('models', models).map((value, i) => {
    const model = checkRecord(`models[${i}]`, value)
    const name = checkText(`models[${i}].name`, model.name)
    const scores = checkRecord(`models[${i}].scores`, model.scores)
    const drops = tasks.map((task) => {
      const score = scoreOf(name, scores, task.name)
      return [task.name, (task.sign * 100 * (task.from - score)) / task.from + 0] as const
    })
    const matching = drops.map(([task, drop]) => [task, drop <= tolerance] as const)
    const isHiding = matching.some(([task, matches]) => task === 'perplexity' && matches)
    return {
      name,
      drop: Object.fromEntries(drops),
      matching: Object.fromEntries(matching),
      hidden: isHiding ? matching.flatMap(([task, matches]) => (matches ? [] : [task])) : [],
    }
  })
}

function scoreOf(model: string, scores: Record<string, unknown>, task: string): number {
  const score = Object.hasOwn(scores, task) ? scores[task] : undefined
  if (typeof score === 'number' && !Number.isNaN(score)) return score
  const got = score === undefined ? 'none' : show(score)
  throw new TamisError('ERR_TAMIS_RANGE', `missing score: ${show(model)} has ${got} of task ${show(task)}`)
}

/**
 * Puts the questions to each model, one after the other, and compares the models by `exactMatch` and `f1` of their answers
 * (of at most 32 tokens, the first line), and by `perplexity` where models bring it.
 * @param models - the first is the dense one, to which the others are compared
 * @param items - with a `context` or without
 * @returns a row of {@link compareCompressed} for each model but the first
 * @throws TamisError `no items`, `answers must not be empty`, `missing score`, `dense score must not be zero`; what a
 * callback throws
 * @example
 * import { weights } from 'tamis'
 * const items = weights.retrievalTask({ count: 2, facts: 3 })
 * const knows = async (prompt: string) => {
 *   const name = /code of (\w+)\?/.exec(prompt)?.[1]
 *   return new RegExp(`code of ${name} is (\\d+)`).exec(prompt)?.[1] ?? ''
 * }
 * const models = [{ name: 'dense', generate: knows }, { name: 'broken', generate: async () => 'none' }]
 * const rows = await weights.evaluateCompressed(models, items)
 * console.log(rows[0]?.drop) // { exactMatch: 100, f1: 100 }
 */
export async function evaluateCompressed(
  models: readonly GeneratingModel[],
  items: readonly { context?: string | undefined; question: string; answers: string[] }[],
): Promise<ComparedModel[]> {
  const asked = checkList('items', items).map((value, i) => {
    const item = checkRecord(`items[${i}]`, value)
    const answers = checkAnswers(`items[${i}]`, item.answers)
    const question = checkText(`items[${i}].question`, item.question)
    const context = item.context === undefined ? undefined : checkText(`items[${i}].context`, item.context)
    return { prompt: contextPrompt(question, { context }), answers }
  })
  if (asked.length === 0) throw new TamisError('ERR_TAMIS_RANGE', 'no items: items must hold at least one')
  const all = checkList('models', models).map((value, i) => {
    const model = checkRecord(`models[${i}]`, value) as unknown as GeneratingModel
    const callable = typeof model.generate === 'function'
    if (!callable || !['function', 'undefined'].includes(typeof model.perplexity)) {
      const name = callable ? 'perplexity' : 'generate'
      throw new TamisError('ERR_TAMIS_TYPE', `models[${i}].${name} must be a function`)
    }
    checkText(`models[${i}].name`, model.name)
    return model
  })
  if (all.length === 0) throw new TamisError('ERR_TAMIS_RANGE', 'models must hold the dense model, got none')
  const scored: { name: string; scores: Record<string, number> }[] = []
  for (const model of all) {
    const answered: Answered[] = []
    for (const { prompt, answers } of asked) {
      const text = checkText(`what ${show(model.name)} generated`, await model.generate(prompt, ANSWER))
      answered.push({ prediction: trimmed(text).split('\n')[0] as string, answers })
    }
    const { exactMatch, f1 } = scoreAnswers(answered)
    const surprise = model.perplexity && { perplexity: await model.perplexity() }
    scored.push({ name: model.name, scores: { exactMatch, f1, ...surprise } })
  }
  const [dense, ...others] = scored as [(typeof scored)[number], ...typeof scored]
  const tasks = [
    { name: 'exactMatch', higherIsBetter: true },
    { name: 'f1', higherIsBetter: true },
    { name: 'perplexity', higherIsBetter: false },
  ]
  const isScored = ({ name }: ScoredTask) => scored.some(({ scores }) => Object.hasOwn(scores, name))
  return compareCompressed(dense.scores, others, { tasks: tasks.filter(isScored) })
}
