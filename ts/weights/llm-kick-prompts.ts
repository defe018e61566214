/**
 * Prompts of the benchmark LLM-KICK, kept to the letter, and a task of its kind that needs no data.
 * @module
 */
import { TamisError } from '../errors.js'
import { philoxSync } from '../kernels/index.js'
import { checkCount, checkOptions, type Seed, show } from '../options.js'
import { refuse } from '../ternary.js'

/** A question of which one of several answers is right. */
export interface ChoiceItem {
  question: string
  /** 2 to 26, lettered from A on. */
  choices: string[]
  /** The letter of the right one; of an example. */
  answer?: string | undefined
}

/** A question, its accepted answers, and a text that holds one. */
export interface RetrievalItem {
  context: string
  question: string
  answers: string[]
}

const CONSONANTS = 'bcdfghjklmnprstvz'
const VOWELS = 'aeiou'
/** Letters of a name. */
const LETTERS = 6
/** Numbers have four digits. */
const [LEAST, NUMBERS] = [1000, 9000]

/** What Python calls white space, which the benchmark's scripts trim and split by. */
const BLANK = '[\\p{White_Space}\\x1c-\\x1f]+'
const BLANKS = new RegExp(BLANK, 'gu')
const ENDS = new RegExp(`^${BLANK}|${BLANK}$`, 'gu')

/** Without white space at both ends. */
export function trimmed(text: string): string {
  return text.replace(ENDS, '')
}

/** The runs of what is no white space. */
export function words(text: string): string[] {
  return text.split(BLANKS).filter((word) => word !== '')
}

export function checkText(name: string, value: unknown): string {
  if (typeof value === 'string') return value
  throw new TamisError('ERR_TAMIS_TYPE', `${name} must be a string, got ${show(value)}`)
}

export function checkRecord(name: string, value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)) {
    return value as Record<string, unknown>
  }
  throw new TamisError('ERR_TAMIS_TYPE', `${name} must be an object, got ${show(value)}`)
}

export function checkList(name: string, value: unknown): unknown[] {
  if (Array.isArray(value)) return Array.from(value as unknown[])
  throw new TamisError('ERR_TAMIS_TYPE', `${name} must be a list, got ${show(value)}`)
}

/**
 * The prompt of a multiple-choice question, after examples with their answers (MMLU's form). The letter that a model
 * predicts is the last character of the one token it generates. If the prompt is too long for the model's window, leave
 * out examples from the end, one by one.
 * @param options - `subject`: words joined by `_`; `examples`: each with its answer, default none
 * @throws TamisError `2 to 26 choices are needed`, `example needs an answer`
 * @example
 * import { weights } from 'tamis'
 * const item = { question: 'Capital of France?', choices: ['Rome', 'Paris'] }
 * const prompt = weights.choicePrompt(item, { subject: 'world_geography' })
 * console.log(prompt.endsWith('A. Rome\nB. Paris\nAnswer:')) // true
 */
export function choicePrompt(
  item: ChoiceItem,
  options: { subject: string; examples?: readonly ChoiceItem[] | undefined },
): string {
  const o = checkOptions('options', options, ['subject', 'examples'])
  const subject = checkText('subject', o.subject)
  const examples = checkList('examples', o.examples ?? []).map((example, i) => {
    const name = `examples[${i}]`
    const asked = choiceQuestion(name, example)
    const { answer } = example as ChoiceItem
    if (answer === undefined)
      throw new TamisError('ERR_TAMIS_TYPE', `example needs an answer: ${name} has none`)
    return `${asked} ${checkText(`${name}.answer`, answer)}\n\n`
  })
  const about = subject
    .split('_')
    .map((word) => ` ${word}`)
    .join('')
  const head = `The following are multiple choice questions (with answers) about ${about}.\n\n`
  return head + examples.join('') + choiceQuestion('item', item)
}

function choiceQuestion(name: string, value: unknown): string {
  const item = checkRecord(name, value)
  const choices = checkList(`${name}.choices`, item.choices)
  if (choices.length < 2 || choices.length > 26) {
    throw new TamisError('ERR_TAMIS_RANGE', `2 to 26 choices are needed, ${name} has ${choices.length}`)
  }
  const lines = choices.map(
    (choice, i) => `\n${String.fromCharCode(65 + i)}. ${checkText(`${name}.choices[${i}]`, choice)}`,
  )
  return `${checkText(`${name}.question`, item.question)}${lines.join('')}\nAnswer:`
}

/**
 * The prompt of a question, after a text that answers it or without (TriviaQA's form). The prediction is the first line of
 * what the model goes on with, trimmed, of at most 32 tokens.
 * @param options - `context`: the text; `maxContext`: so many UTF-16 units of it, default 3072
 * @throws TamisError `maxContext`
 * @example
 * import { weights } from 'tamis'
 * const prompt = weights.contextPrompt('What is the code?', { context: 'The code is 7.' })
 * console.log(prompt.split('\n').at(-2)) // Q: What is the code?
 */
export function contextPrompt(
  question: string,
  options?: { context?: string | undefined; maxContext?: number | undefined },
): string {
  const asked = checkText('question', question)
  const o = checkOptions('options', options, ['context', 'maxContext'])
  const most = checkCount('maxContext', o.maxContext ?? 3072)
  const text = o.context === undefined ? undefined : checkText('context', o.context).slice(0, most)
  const head =
    text === undefined
      ? 'Answer these questions:'
      : `${text}\n\nBased on these texts, answer these questions:`
  return trimmed(`${head}\n\nQ: ${asked}\nA:`)
}

/**
 * Items for {@link contextPrompt} that need no data: in each some lines `The code of NAME is NUMBER.`, and the question
 * what one of the codes is. O(count facts).
 * @param options - `count`: items, default 100; `facts`: lines of each, default 20; `seed`: default 0
 * @throws TamisError `facts must be positive`, `count`, `seed`
 * @example
 * import { weights } from 'tamis'
 * const [item] = weights.retrievalTask({ count: 1, facts: 4, seed: 7 })
 * console.log(item?.question, item?.answers) // What is the code of zabute? [ '3251' ]
 */
export function retrievalTask(options?: {
  count?: number | undefined
  facts?: number | undefined
  seed?: Seed | undefined
}): RetrievalItem[] {
  const o = checkOptions('options', options, ['count', 'facts', 'seed'])
  const count = checkCount('count', o.count ?? 100)
  const facts = o.facts ?? 20
  if (!Number.isInteger(facts) || facts < 1 || facts > 2 ** 24) refuse('facts must be positive', facts)
  const perFact = LETTERS + 1
  return Array.from({ length: count }, (_, stream) => {
    const { data } = philoxSync(facts * perFact + 1, { seed: o.seed ?? 0, stream })
    const below = (at: number, bound: number): number => Math.floor(((data[at] as number) * bound) / 2 ** 32)
    const known = Array.from({ length: facts }, (_, fact) => {
      const at = fact * perFact
      const name = Array.from({ length: LETTERS }, (_, i) => {
        const letters = i % 2 === 0 ? CONSONANTS : VOWELS
        return letters[below(at + i, letters.length)]
      }).join('')
      return { name, number: `${LEAST + below(at + LETTERS, NUMBERS)}` }
    })
    const { name, number } = known[below(facts * perFact, facts)] as { name: string; number: string }
    return {
      context: known.map((fact) => `The code of ${fact.name} is ${fact.number}.`).join('\n'),
      question: `What is the code of ${name}?`,
      answers: [number],
    }
  })
}
