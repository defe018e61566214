/**
 * LLM-KICK's headline, small and on a stand-in: 8-bit rounding costs a model nothing that matters, pruning half of its
 * weights does, and the table says so.
 *
 * The stand-in for a language model is a network of 16 hidden units that tells digits: the class is the token that it
 * predicts, perplexity is that of the classes, and the digit's name is the answer to the question what is seen.
 * @module
 */
import { kernels, type Tensor, tensor, weights } from 'tamis'
import { Conditions } from './check.js'
import { type Digits, digits, percent } from './digits.js'
import { logitsOf, type Mlp, trained, untrained } from './mlp.js'

const [SIDE, HIDDEN, STEPS, BATCH, CLASSES] = [8, 16, 2000, 64, 10] as const
const SPARSITIES = [0.1, 0.3, 0.5]
const TASKS = [
  { name: 'factoid', higherIsBetter: true },
  { name: 'perplexity', higherIsBetter: false },
]

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const { train, test } = digits({ side: SIDE })
  const dense = trained(untrained(SIDE * SIDE, HIDDEN, 2), train, STEPS, BATCH, {
    learningRate: 0.1,
    momentum: 0.9,
  })
  const changed = (change: (x: Tensor) => Tensor): Mlp =>
    dense.map((x) => (x.dims.length === 1 ? x : (change(x) as Tensor<'float32'>)))
  const models = [
    ...SPARSITIES.map((sparsity) => ({
      name: `${percent(sparsity)} pruned`,
      mlp: changed((x) => kernels.sparsifySync(x, { sparsity }).values),
    })),
    {
      name: '8 bits',
      mlp: changed((x) => kernels.dequantizeSync(kernels.quantizeSync(x, { per: 'channel' }))),
    },
  ]
  const judged = models.map(({ name, mlp }) => ({ name, ...judge(mlp, test) }))
  const whole = judge(dense, test)
  const rows = weights.compareCompressed(whole.scores, judged, { tasks: TASKS })
  const row = (name: string) => rows.find((one) => one.name === name) as weights.ComparedModel
  console.log(`      dense: ${show(whole.scores)}`)
  for (const { name, scores } of judged) {
    const { drop, hidden } = row(name)
    console.log(`      ${name}: ${show(scores)}; drops ${show(drop)}; hidden: ${hidden.join(', ') || 'none'}`)
  }
  const [tenth, half, eight] = [row('10.0 % pruned'), row('50.0 % pruned'), row('8 bits')]
  conditions.must(
    '8 bits match on both tasks',
    JSON.stringify(eight.matching),
    TASKS.every(({ name }) => eight.matching[name]),
  )
  conditions.must(
    'half pruned drops more than a tenth on both tasks',
    `${show(half.drop)} against ${show(tenth.drop)}`,
    TASKS.every(({ name }) => (half.drop[name] as number) > (tenth.drop[name] as number)),
  )
  const recounts = judged.every(({ name, said }) => {
    const right = (answers: string[]) => answers.filter((answer, i) => answer === `${test.labels[i]}`).length
    const drop = (100 * (right(whole.said) - right(said))) / right(whole.said)
    return Math.abs(drop - (row(name).drop.factoid as number)) < 1e-9
  })
  conditions.must('the table agrees with a recount of the predictions', `${recounts}`, recounts)
  return conditions
}

/** What a network says to each digit, and its scores. */
function judge(mlp: Mlp, { pixels, labels }: Digits) {
  const logits = logitsOf(mlp, pixels)
  const n = labels.length
  const said = Array.from({ length: n }, (_, i) => {
    const scores = logits.subarray(i * CLASSES, (i + 1) * CLASSES)
    return `${scores.indexOf(Math.max(...scores))}`
  })
  const items = said.map((prediction, i) => ({ prediction, answers: [`${labels[i]}`] }))
  // Windows of two tokens: after the picture comes its class.
  const windows = new Float32Array(2 * n * CLASSES)
  for (let i = 0; i < n; i++) windows.set(logits.subarray(i * CLASSES, (i + 1) * CLASSES), 2 * i * CLASSES)
  const tokens = Uint32Array.from({ length: 2 * n }, (_, i) =>
    i % 2 === 0 ? 0 : (labels[(i - 1) / 2] as number),
  )
  const { perplexity } = weights.perplexity(
    tensor('float32', [n, 2, CLASSES], windows),
    tensor('uint32', [n, 2], tokens),
  )
  return { said, scores: { factoid: weights.matchFactoids(items).accuracy, perplexity } }
}

const show = (scores: Record<string, number>): string =>
  Object.entries(scores)
    .map(([name, score]) => `${name} ${score.toFixed(2)}`)
    .join(', ')
