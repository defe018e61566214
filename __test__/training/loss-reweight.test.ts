import test from 'ava'
import { kernels, type Tensor, tensor, training } from 'tamis'

const STRATEGIES = ['linUpper', 'quadratic', 'extremes', 'upper', 'uniform'] as const
const float64 = (items: number[]) => tensor('float64', [items.length], items)
const weigh = (items: number[], options?: training.ReweightOptions) => [
  ...training.weighSamples(float64(items), options).weights.data,
]

/** The definition, step by step. */
function naive(
  l: number[],
  strategy: training.ReweightStrategy,
  temperature: number,
  delta: number,
): number[] {
  if (strategy === 'uniform') return l.map(() => 1 / l.length)
  const [low, high] = [Math.min(...l), Math.max(...l)]
  const f = l.map((x) => {
    const h = (delta * (2 * x - low - high)) / Math.max(high - low, 1e-6)
    if (strategy === 'linUpper') return Math.min(h + delta, delta)
    if (strategy === 'quadratic') return 1 - (h * h) / (delta * delta)
    return strategy === 'extremes' ? Math.abs(h) : h / 2 + delta / 2
  })
  const raised = f.map((x) => Math.exp((x - Math.max(...f)) / temperature))
  return raised.map((x) => x / raised.reduce((a, b) => a + b, 0))
}

test('weights are those of the definition, sum to 1, and their ratio is bounded', (t) => {
  for (let seed = 0; seed < 40; seed++) {
    const n = 1 + (seed % 37)
    const l = [...kernels.normalSync(n, { seed, dtype: 'float64' }).data].map((x) => 3 + 2 * x)
    for (const strategy of STRATEGIES) {
      const [temperature, delta] = [0.1 + 0.3 * (seed % 5), 0.5 + (seed % 3)]
      const got = weigh(l, { strategy, temperature, delta })
      const want = naive(l, strategy, temperature, delta)
      for (const [i, w] of got.entries()) t.true(Math.abs(w - (want[i] as number)) <= 1e-6, strategy)
      t.true(Math.abs(got.reduce((a, b) => a + b, 0) - 1) < 1e-5)
      const range = strategy === 'quadratic' ? 1 : delta
      t.true(Math.max(...got) <= Math.exp(range / temperature) * Math.min(...got) * (1 + 1e-5))
    }
  }
})

test('the order of the samples does not matter to each', (t) => {
  const l = [2, 0.5, 9, 4, 4, 1]
  const forward = weigh(l)
  t.deepEqual(weigh([...l].reverse()).reverse(), forward)
})

test('one loss, equal losses and losses of hardly a range', (t) => {
  for (const strategy of STRATEGIES) {
    t.deepEqual(weigh([7], { strategy }), [1])
    t.deepEqual(weigh([0.3, 0.3, 0.3, 0.3], { strategy }), [0.25, 0.25, 0.25, 0.25])
    for (const w of weigh([1, 1 + 1e-9], { strategy })) t.true(Math.abs(w - 0.5) < 1e-2)
  }
})

test('losses at the end of float64, and temperatures at theirs', (t) => {
  const huge = [-Number.MAX_VALUE, 0, Number.MAX_VALUE]
  for (const strategy of STRATEGIES) {
    t.deepEqual(weigh(huge, { strategy }), weigh([-1, 0, 1], { strategy }), strategy)
    t.deepEqual(weigh([1, 2, 9, 4], { strategy, temperature: Infinity }), [0.25, 0.25, 0.25, 0.25])
  }
  t.deepEqual(weigh([1, 2, 9], { strategy: 'upper', temperature: 1e-300 }), [0, 0, 1])
})

test('weights are uniform until the burn-in is over', (t) => {
  const l = [1, 2, 3, 10]
  const burnt = weigh(l)
  const uniform = [0.25, 0.25, 0.25, 0.25]
  t.deepEqual(weigh(l, { step: 999 }), uniform)
  t.deepEqual(weigh(l, { step: 1000 }), burnt)
  t.deepEqual(weigh(l, { step: 5, burnIn: 6 }), uniform)
  t.deepEqual(weigh(l, { step: 6, burnIn: 6 }), burnt)
  t.deepEqual(weigh(l, { step: 0, burnIn: 0 }), burnt)
  t.deepEqual(weigh(l, { burnIn: 2000 }), burnt)
})

test('the gradient is n times weight and share of the tokens, and the loss follows it', (t) => {
  const losses = tensor('float32', [4], [1, 2, 3, 4])
  const tokenCounts = tensor('uint32', [4], [5, 0, 3, 2])
  const { loss, grad, weights } = training.reweightLoss(losses, { tokenCounts })
  t.deepEqual(weights.data, training.weighSamples(losses).weights.data)
  t.is(grad.data[1], 0)
  let sum = 0
  for (const [i, count] of [5, 0, 3, 2].entries()) {
    const want = 4 * (weights.data[i] as number) * (count / 10)
    t.true(Math.abs((grad.data[i] as number) - want) < 1e-6)
    sum += want * (losses.data[i] as number)
  }
  t.true(Math.abs(loss - sum) < 1e-6)
  const even = training.reweightLoss(losses)
  t.true(Math.abs(even.loss - weights.data.reduce((s, w, i) => s + w * (i + 1), 0)) < 1e-6)
})

const l = tensor('float32', [3], [1, 2, 3])
const of = (...items: number[]) => tensor('float32', [items.length], items)
const counts = (...items: number[]) => ({ tokenCounts: tensor('uint32', [items.length], items) as Tensor })
const wrong: [string, () => unknown, RegExp][] = [
  ['no losses', () => training.weighSamples(of()), /^losses must be a non-empty vector/],
  [
    'a matrix',
    () => training.weighSamples(tensor('float32', [1, 3], [1, 2, 3])),
    /^losses must be a non-empty/,
  ],
  ['integers', () => training.weighSamples(tensor('int32', [1], [1])), /^losses must be float32 or float64/],
  ['NaN', () => training.weighSamples(of(1, Number.NaN)), /^losses must be finite, got NaN at item 1/],
  ['infinity', () => training.reweightLoss(of(Infinity)), /^losses must be finite/],
  ['temperature 0', () => training.weighSamples(l, { temperature: 0 }), /^temperature must be positive/],
  ['temperature NaN', () => training.weighSamples(l, { temperature: NaN }), /^temperature must be positive/],
  ['delta 0', () => training.weighSamples(l, { delta: 0 }), /^delta must be positive/],
  ['delta infinite', () => training.weighSamples(l, { delta: Infinity }), /^delta must be positive/],
  [
    'a strategy that is none',
    () => training.weighSamples(l, { strategy: 'mid' as 'upper' }),
    /^unknown strategy: strategy must be one of .*got "mid"/,
  ],
  [
    'a strategy by inheritance',
    () => training.weighSamples(l, { strategy: 'toString' as 'upper' }),
    /^unknown strategy/,
  ],
  ['a step below 0', () => training.weighSamples(l, { step: -1 }), /^step must be/],
  ['a broken burn-in', () => training.weighSamples(l, { burnIn: 1.5 }), /^burnIn must be/],
  ['an unknown option', () => training.weighSamples(l, { temprature: 1 } as object), /temprature/],
  ['token counts for the weights', () => training.weighSamples(l, counts(1, 1, 1) as object), /tokenCounts/],
  [
    'too few counts',
    () => training.reweightLoss(l, counts(1, 1)),
    /^tokencounts must have one count per loss, got dims \[2\] for 3/,
  ],
  ['counts of 0', () => training.reweightLoss(l, counts(0, 0, 0)), /^tokencounts must not all be zero/],
]
for (const [what, call, message] of wrong) {
  test(`refused: ${what}`, (t) => {
    t.regex(t.throws(call)?.message ?? '', message)
  })
}
