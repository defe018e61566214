import test from 'ava'
import { kernels, type Tensor, tensor, weights } from 'tamis'

const score = (prediction: string, ...answers: string[]) =>
  weights.scoreAnswers([{ prediction, answers }]).items[0] as { exactMatch: 0 | 1; f1: number }

test('answers match without case, punctuation, articles and white space', (t) => {
  for (const [prediction, answer] of [
    ['THE Beatles!', 'beatles'],
    ['george_orwell', 'George Orwell'],
    ['It\u2019s a\u00b4 dog', 'it s dog'],
    ['x\u00a0\u2003y\x1fz', 'x y z'],
    ['(an) apple', 'Apple.'],
    ['\u00c9COLE', '\u00e9cole'],
  ] as const) {
    t.deepEqual(score(prediction, answer), { exactMatch: 1, f1: 1 }, prediction)
  }
})

test('an article inside a word of any alphabet is none', (t) => {
  t.is(score('\u00e9a', 'a1 \u00e9a').f1, 2 / 3)
  t.is(score('the\u00e4 cat', 'the\u00e4').exactMatch, 1)
  t.is(score('theatre', 'atre').exactMatch, 1)
})

test('nothing matches nothing', (t) => {
  for (const [prediction, answer] of [
    ['', 'Paris'],
    ['The', 'Paris'],
    ['Paris', 'the'],
    ['', ''],
    ['?!', '...'],
  ] as const) {
    t.deepEqual(score(prediction, answer), { exactMatch: 0, f1: 0 }, `${prediction}|${answer}`)
  }
})

test('F1 counts words as often as they stand, each measure at its best answer', (t) => {
  t.is(score('x x y', 'x y y').f1, 2 / 3)
  t.deepEqual(score('red fox', 'fox red', 'red'), { exactMatch: 1, f1: 1 })
  const { exactMatch, f1 } = weights.scoreAnswers([
    { prediction: 'x', answers: ['x'] },
    { prediction: 'x', answers: ['y'] },
  ])
  t.deepEqual([exactMatch, f1], [50, 50])
})

test('factoids match without spaces and case', (t) => {
  const items = [
    { prediction: 'the ans wer', answers: ['Answer'] },
    { prediction: 'no', answers: ['yes', 'N O'] },
    { prediction: 'maybe', answers: [' '] },
    { prediction: '', answers: ['x'] },
  ]
  const { matches, accuracy } = weights.matchFactoids(items)
  t.deepEqual([[...matches.data], matches.dims, accuracy], [[1, 1, 0, 0], [4], 50])
})

test('prompts of choices', (t) => {
  const item = { question: 'Q?', choices: ['x', 'y'] }
  t.is(
    weights.choicePrompt(item, { subject: 'law' }),
    'The following are multiple choice questions (with answers) about  law.\n\nQ?\nA. x\nB. y\nAnswer:',
  )
  const choices = Array.from({ length: 26 }, (_, i) => `${i}`)
  t.true(weights.choicePrompt({ question: 'Q', choices }, { subject: 'a_b' }).includes('\nZ. 25\nAnswer:'))
})

test('prompts with a text are cut in it alone', (t) => {
  const asked = 'answer these questions:\n\nQ: Why?\nA:'
  t.is(weights.contextPrompt('Why?'), `A${asked.slice(1)}`)
  t.is(
    weights.contextPrompt('Why?', { context: 'abcdef', maxContext: 3 }),
    `abc\n\nBased on these texts, ${asked}`,
  )
  t.is(weights.contextPrompt('Why?', { context: '' }), `Based on these texts, ${asked}`)
})

test('perplexity is that of the definition', (t) => {
  const [n, length, classes] = [3, 4, 23]
  const draws = [...kernels.normalSync(n * length * classes, { seed: 3, dtype: 'float64' }).data]
  const tokens = [...kernels.belowSync(n * length, classes, { seed: 4 }).data]
  let all = 0
  for (let window = 0; window < n; window++) {
    let own = 0
    for (let i = 0; i + 1 < length; i++) {
      const row = draws.slice((window * length + i) * classes, (window * length + i + 1) * classes)
      const total = row.reduce((sum, x) => sum + Math.exp(x), 0)
      own += Math.log(total) - (row[tokens[window * length + i + 1] as number] as number)
    }
    all += own / (length - 1)
  }
  const logits = tensor('float64', [n, length, classes], draws)
  const got = weights.perplexity(logits, tensor('uint32', [n, length], tokens))
  t.true(Math.abs(got.perplexity - Math.exp(all / n)) < 1e-10)
  t.deepEqual([got.windows, got.tokens], [3, 9])
})

test('judges write as they please', (t) => {
  const pair = (review: string) => weights.parseJudge(review, { task: 'pair' })
  t.deepEqual(pair('8, 6'), { overall: [8, 6] })
  t.deepEqual(pair('  7.5   .5 \r\nbecause'), { overall: [7.5, 0.5] })
  for (const review of ['', '8', '8 6 4', 'a b', '8 NaN', '8 0x1', '\n8 6']) t.is(pair(review), null, review)
  t.is(weights.parseJudge('1 2\n3 4\n5 6', { task: 'summary' }), null)
})

test('drops are relative, and perplexity hides what does not match beside it', (t) => {
  const tasks = [
    { name: 'b', higherIsBetter: true },
    { name: 'perplexity', higherIsBetter: false },
    { name: 'a', higherIsBetter: true },
  ]
  const dense = { a: 50, b: 80, perplexity: 10 }
  const of = (scores: Record<string, number>, tolerance?: number) =>
    weights.compareCompressed(dense, [{ name: 'm', scores }], {
      tasks,
      tolerance,
    })[0] as weights.ComparedModel
  const row = of({ a: 40, b: 40, perplexity: 10.5 })
  t.deepEqual(row.drop, { b: 50, perplexity: 5, a: 20 })
  t.deepEqual([row.matching.perplexity, row.hidden], [true, ['b', 'a']])
  t.deepEqual(of({ a: 40, b: 40, perplexity: 10.6 }).hidden, [])
  t.deepEqual(of({ a: 40, b: 40, perplexity: 10.6 }, 20).hidden, ['b'])
  t.is(of({ a: 50, b: 80, perplexity: Infinity }).matching.perplexity, false)
})

test('retrieval items answer their question', (t) => {
  const items = weights.retrievalTask({ count: 50, facts: 5, seed: 1 })
  t.is(items.length, 50)
  for (const { context, question, answers } of items) {
    const name = /^What is the code of ([a-z]{6})\?$/.exec(question)?.[1]
    t.is(context.split('\n').length, 5)
    t.true(context.includes(`The code of ${name} is ${answers[0]}.`))
    t.regex(answers[0] ?? '', /^[1-9]\d{3}$/)
  }
  t.deepEqual(weights.retrievalTask({ count: 2, facts: 5, seed: 1 }), items.slice(0, 2))
  t.is(weights.retrievalTask().length, 100)
})

test('models are asked in turn and compared with the first', async (t) => {
  const items = weights.retrievalTask({ count: 4, facts: 2 })
  const asked: [string, number][] = []
  const model = (name: string, right: number, surprise: number) => ({
    name,
    generate: async (prompt: string, most: number) => {
      asked.push([name, most])
      const i = items.findIndex(({ question }) => prompt.includes(question))
      return i < right ? `\n ${items[i]?.answers[0]}\nand so on` : 'never'
    },
    perplexity: async () => surprise,
  })
  const rows = await weights.evaluateCompressed([model('dense', 4, 10), model('small', 1, 10.5)], items)
  t.deepEqual(rows, [
    {
      name: 'small',
      drop: { exactMatch: 75, f1: 75, perplexity: 5 },
      matching: { exactMatch: false, f1: false, perplexity: true },
      hidden: ['exactMatch', 'f1'],
    },
  ])
  t.deepEqual(
    asked.map(([name]) => name),
    [...Array(4).fill('dense'), ...Array(4).fill('small')],
  )
  t.true(asked.every(([, most]) => most === 32))
  const boom = { name: 'x', generate: async () => Promise.reject(new Error('boom')) }
  await t.throwsAsync(weights.evaluateCompressed([boom], items), { message: 'boom' })
  const silent = { name: 'x', generate: async () => 7 as unknown as string }
  await t.throwsAsync(weights.evaluateCompressed([silent], items), { message: /must be a string/ })
  await t.throwsAsync(weights.evaluateCompressed([], items), { message: /^models must hold/ })
  await t.throwsAsync(weights.evaluateCompressed([silent], []), { message: /^no items/ })
})

const logits = (...dims: number[]) =>
  tensor('float32', dims, new Float32Array(dims.reduce((a, b) => a * b, 1)))
const tokens = (dims: number[], ...items: number[]) => tensor('uint32', dims, items)
const compare = (dense: object, scores: object) =>
  weights.compareCompressed(
    dense as Record<string, number>,
    [{ name: 'm', scores: scores as Record<string, number> }],
    {
      tasks: [{ name: 'toString', higherIsBetter: true }],
    },
  )
const item = { question: 'Q', choices: ['x', 'y'] }
const infinite = (at: number) => {
  const x = logits(1, 2, 2)
  x.data[at] = at % 2 === 0 ? NaN : -Infinity
  return x as Tensor
}
const wrong: [string, () => unknown, RegExp][] = [
  ['no items', () => weights.scoreAnswers([]), /^no items/],
  ['no factoids', () => weights.matchFactoids([]), /^no items/],
  [
    'an item without answers',
    () => weights.matchFactoids([{ prediction: 'x', answers: [] }]),
    /^answers must not be empty/,
  ],
  [
    'an answer that is no string',
    () => score('x', 5 as unknown as string),
    /^items\[0\]\.answers\[0\] must be a string/,
  ],
  [
    'logits and tokens of different shape',
    () => weights.perplexity(logits(2, 3, 4), tokens([2, 2], 0, 0, 0, 0)),
    /^shape mismatch/,
  ],
  [
    'logits of rank 2',
    () => weights.perplexity(logits(2, 3), tokens([2, 3], 0, 0, 0, 0, 0, 0)),
    /^shape mismatch/,
  ],
  [
    'a window of one token',
    () => weights.perplexity(logits(2, 1, 3), tokens([2, 1], 0, 0)),
    /^window needs two tokens/,
  ],
  [
    'a token out of range',
    () => weights.perplexity(logits(1, 2, 3), tokens([1, 2], 0, 3)),
    /^token out of range/,
  ],
  [
    'a first token out of range',
    () => weights.perplexity(logits(1, 2, 3), tokens([1, 2], 3, 0)),
    /^token out of range/,
  ],
  ['a logit of NaN', () => weights.perplexity(infinite(0), tokens([1, 2], 0, 0)), /^not finite/],
  [
    'an infinite logit of the last token',
    () => weights.perplexity(infinite(3), tokens([1, 2], 0, 0)),
    /^not finite/,
  ],
  ['no windows', () => weights.perplexity(logits(0, 2, 3), tokens([0, 2])), /^no windows/],
  ['a missing score', () => compare({ toString: 1 }, {}), /^missing score: "m".*"toString"/],
  ['a missing dense score', () => compare({}, { toString: 1 }), /^missing score: "dense"/],
  ['a dense score of 0', () => compare({ toString: 0 }, { toString: 1 }), /^dense score must not be zero/],
  [
    'one choice',
    () => weights.choicePrompt({ question: 'Q', choices: ['x'] }, { subject: 's' }),
    /^2 to 26 choices are needed/,
  ],
  [
    '27 choices',
    () => weights.choicePrompt({ question: 'Q', choices: Array(27).fill('x') }, { subject: 's' }),
    /^2 to 26 choices/,
  ],
  [
    'an example without its answer',
    () => weights.choicePrompt(item, { subject: 's', examples: [item] }),
    /^example needs an answer/,
  ],
  ['no subject', () => weights.choicePrompt(item, {} as { subject: string }), /^subject must be a string/],
  ['no facts', () => weights.retrievalTask({ facts: 0 }), /^facts must be positive/],
  ['a task of no judge', () => weights.parseJudge('1 2', { task: 'x' as 'pair' }), /^task must be/],
]
for (const [what, call, message] of wrong) {
  test(`refused: ${what}`, (t) => {
    t.regex(t.throws(call)?.message ?? '', message)
  })
}
