import test from 'ava'
import { corpus, kernels, type Tensor, tensor } from 'tamis'

const float32 = (...items: number[]) => tensor('float32', [items.length], items)

/** -ln softmax(row)[label]. */
function naive(row: number[], label: number): number {
  const most = Math.max(...row)
  return most + Math.log(row.reduce((sum, x) => sum + Math.exp(x - most), 0)) - (row[label] as number)
}

/** The bits of numbers that float16 holds. */
function half(x: number): number {
  if (x === 0) return 0
  const exponent = Math.floor(Math.log2(Math.abs(x)))
  const mantissa = Math.round((Math.abs(x) / 2 ** exponent - 1) * 1024)
  return (x < 0 ? 0x8000 : 0) + ((exponent + 15) << 10) + mantissa
}

test('losses are means over the tokens that count', (t) => {
  const [n, length, classes] = [3, 5, 37]
  const draws = [...kernels.normalSync(n * length * classes, { seed: 1 }).data].map((x) => Math.fround(3 * x))
  const labels = [...kernels.belowSync(n * length, classes, { seed: 2 }).data]
  const mask = Array.from({ length: n * length }, (_, i) => (i % 3 === 0 ? 0 : 1))
  const want = Array.from({ length: n }, (_, sequence) => {
    let [sum, count] = [0, 0]
    for (let token = 0; token < length; token++) {
      const at = sequence * length + token
      if (mask[at] === 0) continue
      sum += naive(draws.slice(at * classes, (at + 1) * classes), labels[at] as number)
      count++
    }
    return sum / count
  })
  const logits = tensor('float32', [n, length, classes], draws)
  for (const type of ['int64', 'int32', 'uint32', 'int16', 'uint8', 'int8'] as const) {
    const got = corpus.sequenceLoss(logits, tensor(type, [n, length], labels), {
      mask: tensor('uint8', [n, length], mask),
    })
    t.deepEqual([got.type, got.dims], ['float32', [n]])
    for (const [i, loss] of got.data.entries()) t.true(Math.abs(loss - (want[i] as number)) < 1e-6)
  }
})

test('half types are read as what they are', (t) => {
  const items = [1, -2, 0.5, 0, 4, -0.25]
  const [row, other] = [items.slice(0, 3), items.slice(3)]
  const want = (naive(row, 2) + naive(other, 1)) / 2
  const bits = Uint16Array.from(items, half)
  const brain = new Uint16Array(new Uint32Array(Float32Array.from(items).buffer).map((x) => x >>> 16))
  const labels = tensor('int32', [1, 2], [2, 1])
  for (const logits of [
    { type: 'float16', dims: [1, 2, 3], data: bits },
    { type: 'bfloat16', dims: [1, 2, 3], data: brain },
    tensor('float64', [1, 2, 3], items),
  ] as Tensor[]) {
    const loss = corpus.sequenceLoss(logits, labels).data[0] as number
    t.true(Math.abs(loss - want) < 1e-6, logits.type)
  }
})

test('what does not count may be anything', (t) => {
  const logits = tensor('float32', [1, 2, 2], [0, 0, NaN, Infinity])
  const labels = tensor('int64', [1, 2], [1, -100])
  const mask = tensor('bool', [1, 2], [1, 0])
  t.is(corpus.sequenceLoss(logits, labels, { mask }).data[0], Math.fround(Math.LN2))
})

test('a class that cannot be has no probability', (t) => {
  const logits = tensor('float32', [2, 1, 3], [0, 0, -Infinity, 0, 0, -Infinity])
  const losses = corpus.sequenceLoss(logits, tensor('int32', [2, 1], [0, 2]))
  t.deepEqual([...losses.data], [Math.fround(Math.LN2), Infinity])
})

test('no sequences have no losses', (t) => {
  const losses = corpus.sequenceLoss(tensor('float32', [0, 4, 5], []), tensor('int32', [0, 4], []))
  t.deepEqual([...losses.data], [])
})

test('the highest reductions are kept, equal ones by index', (t) => {
  const prior = float32(3, 1, 5, 5, 2, 9)
  const conditional = float32(2, 1, 4, 4, 2, 9)
  for (const options of [{ count: 2 }, { tau: 3 }, { tau: 2.5 }]) {
    const { indices, scores, threshold } = corpus.filterByLossReduction(prior, conditional, options)
    t.deepEqual([...indices.data], [0, 2])
    t.deepEqual([...scores.data], [1, 0, 1, 1, 0, 0])
    t.is(threshold, 1)
  }
  const all = corpus.filterByLossReduction(prior, conditional, { tau: 1 })
  t.deepEqual([[...all.indices.data], all.threshold], [[0, 1, 2, 3, 4, 5], 0])
})

test('differences are made in float32, and the share is floored as a number', (t) => {
  const n = 49
  const prior = kernels.uniformSync(n, { seed: 1 })
  const conditional = kernels.uniformSync(n, { seed: 2, dtype: 'float64' })
  const { indices, scores } = corpus.filterByLossReduction(prior, conditional, { tau: 49 })
  t.is(indices.data.length, 1)
  for (const [i, score] of scores.data.entries()) {
    t.is(score, Math.fround((prior.data[i] as number) - Math.fround(conditional.data[i] as number)))
  }
  const best = [...scores.data].reduce((a, b) => Math.max(a, b))
  t.is(scores.data[indices.data[0] as number], best)
})

test('a loss may be infinite under one model', (t) => {
  const found = corpus.filterByLossReduction(float32(Infinity, 1, 2), float32(1, Infinity, 1), { count: 2 })
  t.deepEqual([...found.scores.data], [Infinity, -Infinity, 1])
  t.deepEqual([[...found.indices.data], found.threshold], [[0, 2], 1])
})

const logits = tensor('float32', [2, 2, 3], [1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3])
const labels = (...items: number[]) => tensor('int32', [2, 2], items)
const filter = (prior: Tensor, conditional: Tensor, options: object) =>
  corpus.filterByLossReduction(prior, conditional, options as { tau: number })
const two = float32(1, 2)
const wrong: [string, () => unknown, RegExp][] = [
  [
    'other lengths',
    () => filter(two, float32(1), { tau: 1 }),
    /^prior and conditional must have the same length/,
  ],
  ['no losses', () => filter(float32(), float32(), { tau: 1 }), /^losses must be of at least one/],
  ['NaN', () => filter(two, float32(1, NaN), { tau: 1 }), /^losses must be numbers.*sequence 1/],
  [
    'infinite twice',
    () => filter(float32(Infinity, 1), float32(Infinity, 1), { count: 1 }),
    /^losses must be/,
  ],
  ['-Infinity', () => filter(float32(-Infinity, 1), two, { count: 1 }), /^losses must be/],
  ['a matrix', () => filter(tensor('float32', [1, 2], [1, 2]), two, { count: 1 }), /^rank/],
  ['integers', () => filter(tensor('int32', [2], [1, 2]), two, { count: 1 }), /^prior must be float32/],
  ['a tau above n', () => filter(two, two, { tau: 3 }), /^tau leaves nothing of 2 sequences/],
  ['a tau below 1', () => filter(two, two, { tau: 0.5 }), /^tau must be at least 1/],
  ['a tau of NaN', () => filter(two, two, { tau: NaN }), /^tau must be at least 1/],
  ['a tau that is no number', () => filter(two, two, { tau: '2' }), /^tau must be at least 1/],
  ['a count of 0', () => filter(two, two, { count: 0 }), /^count must be between 1 and 2/],
  ['a count above n', () => filter(two, two, { count: 3 }), /^count must be between 1 and 2/],
  ['half a count', () => filter(two, two, { count: 1.5 }), /^count must be between 1 and 2/],
  ['both', () => filter(two, two, { count: 1, tau: 1 }), /^give either tau or count/],
  ['neither', () => filter(two, two, {}), /^give either tau or count/],
  ['an unknown option', () => filter(two, two, { k: 1 }), /unknown option "k"/],
  [
    'a label that is no class',
    () => corpus.sequenceLoss(logits, labels(0, 1, 2, 3)),
    /^label out of range.*token 1 of sequence 1/,
  ],
  ['a negative label', () => corpus.sequenceLoss(logits, labels(0, -1, 2, 2)), /^label out of range/],
  [
    'a label beyond uint32',
    () => corpus.sequenceLoss(logits, tensor('int64', [2, 2], [0, 1, 2, 2 ** 32])),
    /^label out of range/,
  ],
  [
    'nothing that counts',
    () => corpus.sequenceLoss(logits, labels(0, 1, 2, 0), { mask: tensor('uint8', [2, 2], [1, 0, 0, 0]) }),
    /^sequence 1 has no active token/,
  ],
  [
    'no tokens',
    () => corpus.sequenceLoss(tensor('float32', [1, 0, 3], []), tensor('int32', [1, 0], [])),
    /^sequence 0 has no active token/,
  ],
  [
    'labels of another shape',
    () => corpus.sequenceLoss(logits, tensor('int32', [4], [0, 0, 0, 0])),
    /^shape: labels/,
  ],
  [
    'labels that are floats',
    () => corpus.sequenceLoss(logits, tensor('float32', [2, 2], [0, 0, 0, 0])),
    /^labels must be/,
  ],
  [
    'a mask of another shape',
    () => corpus.sequenceLoss(logits, labels(0, 0, 0, 0), { mask: tensor('uint8', [2], [1, 1]) }),
    /^shape: mask/,
  ],
  [
    'logits of rank 2',
    () => corpus.sequenceLoss(tensor('float32', [2, 3], [1, 2, 3, 4, 5, 6]), labels(0, 0, 0, 0)),
    /^rank/,
  ],
  [
    'logits that are NaN',
    () => corpus.sequenceLoss(tensor('float32', [1, 1, 2], [NaN, 0]), tensor('int32', [1, 1], [1])),
    /^logits must be numbers/,
  ],
]
for (const [what, call, message] of wrong) {
  test(`refused: ${what}`, (t) => {
    t.regex(t.throws(call)?.message ?? '', message)
  })
}
