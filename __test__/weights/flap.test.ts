import test from 'ava'
import { kernels, setThreads, TamisError, type Tensor, tensor, weights } from 'tamis'

const normal = (dims: number[], stream = 0): Tensor<'float32'> => ({
  type: 'float32',
  dims,
  data: kernels.normalSync(
    dims.reduce((a, b) => a * b, 1),
    { stream },
  ).data as Float32Array,
})
const float32 = (...items: number[]) => tensor('float32', [items.length], items)
const near = (
  t: { true(value: boolean, message?: string): void },
  got: ArrayLike<number>,
  want: number[],
) => {
  t.true(got.length === want.length)
  for (const [i, x] of want.entries()) {
    const is = got[i] as number
    t.true(Math.abs(is - x) <= 1e-6 + 1e-5 * Math.abs(x), `${is} for ${x} at ${i}`)
  }
}

/** The definition of one channel, by samples. */
function naive(samples: number[][], estimator: 'authors' | 'variance'): [number, number, number] {
  const sum = (x: number[], of: (x: number) => number) => x.reduce((a, b) => a + of(b), 0)
  let [mean, squaredNorm, fluctuation] = [0, 0, 0]
  for (const [n, x] of samples.entries()) {
    mean = (n * mean + sum(x, (a) => a) / x.length) / (n + 1)
    squaredNorm = (n * squaredNorm + sum(x, (a) => a * a)) / (n + 1)
    const now = mean
    if (n > 0) fluctuation = (fluctuation * (n - 1)) / n + sum(x, (a) => (a - now) ** 2) / (n + 1)
  }
  if (estimator === 'authors') return [mean, fluctuation, squaredNorm]
  const all = samples.flat()
  const middle = sum(all, (a) => a) / all.length
  const spread = sum(all, (a) => (a - middle) ** 2)
  return [middle, all.length < 2 ? 0 : spread / (all.length - 1), squaredNorm]
}

test('statistics are those of the definition, one by one or in batches', (t) => {
  const [samples, tokens, dim] = [9, 13, 5]
  const x = normal([samples, tokens, dim], 1)
  for (const estimator of ['authors', 'variance'] as const) {
    const [whole, parts] = [1, 2].map(() => new weights.ActivationStats(dim, { estimator })) as [
      weights.ActivationStats,
      weights.ActivationStats,
    ]
    whole.add(x)
    for (let b = 0; b < samples; b++) {
      const data = x.data.subarray(b * tokens * dim, (b + 1) * tokens * dim)
      parts.add({ type: 'float32', dims: [tokens, dim], data })
    }
    t.deepEqual(whole.result(), parts.result())
    const channel = (j: number) =>
      Array.from({ length: samples }, (_, b) =>
        Array.from({ length: tokens }, (_, i) => x.data[(b * tokens + i) * dim + j] as number),
      )
    const want = Array.from({ length: dim }, (_, j) => naive(channel(j), estimator))
    const { samples: count, mean, fluctuation, squaredNorm } = whole.result()
    t.is(count, samples)
    near(
      t,
      mean,
      want.map(([a]) => a),
    )
    near(
      t,
      fluctuation,
      want.map(([, a]) => a),
    )
    near(
      t,
      squaredNorm,
      want.map(([, , a]) => a),
    )
  }
})

test('one sample fluctuates by neither estimator but with its own tokens', (t) => {
  const result = (estimator: 'authors' | 'variance', ...items: number[]) => {
    const stats = new weights.ActivationStats(1, { estimator })
    stats.add(tensor('float32', [items.length, 1], items))
    return stats.result().fluctuation[0]
  }
  t.deepEqual([result('authors', 1, 3), result('variance', 1, 3), result('variance', 4)], [0, 2, 0])
})

test('what is refused leaves everything as it was, and no tokens are no sample', (t) => {
  const stats = new weights.ActivationStats(2)
  stats.add(tensor('float32', [0, 2], []))
  stats.add(tensor('float32', [0, 3, 2], []))
  t.throws(() => stats.result(), { message: /^no samples/ })
  stats.add(tensor('float64', [1, 2], [1, 2]))
  const before = stats.result()
  for (const bad of [Number.NaN, Infinity]) {
    t.throws(() => stats.add(tensor('float32', [2, 2], [1, 2, bad, 4])), { message: /^x is not finite/ })
  }
  t.deepEqual(stats.result(), before)
  stats.add({ type: 'bfloat16', dims: [1, 2], data: Uint16Array.of(0x3f80, 0x4000) })
  t.deepEqual(stats.result().mean, before.mean)
})

test.serial('the same on 1, 2 and 7 threads', (t) => {
  t.teardown(() => setThreads(0))
  const [x, weight] = [normal([3, 100, 700], 2), normal([300, 700], 3)]
  const mask = Uint8Array.from({ length: 700 }, (_, j) => j % 2)
  const [one, ...others] = [1, 2, 7].map((count) => {
    setThreads(count)
    const stats = new weights.ActivationStats(700)
    stats.add(x)
    const summary = stats.result()
    const { mean, squaredNorm } = summary
    return [
      summary,
      weights.scoreChannels(weight, summary),
      weights.pruneInputs(weight, mask, { mean }),
      weights.pruneWanda(weight, squaredNorm),
      weights.pruneMagnitude(weight),
    ]
  })
  for (const other of others) t.deepEqual(other, one)
})

const summary = (dim: number): weights.ActivationSummary => ({
  samples: 1,
  mean: new Float32Array(dim),
  fluctuation: Float32Array.from({ length: dim }, (_, j) => j),
  squaredNorm: Float32Array.from({ length: dim }, (_, j) => j * j),
})

test('scores are those of the definition', (t) => {
  const weight = normal([30, 4], 4)
  const column = (j: number) => [...weight.data].filter((_, i) => i % 4 === j)
  const score = (metric: weights.ChannelMetric) => weights.scoreChannels(weight, summary(4), { metric })
  const squares = [0, 1, 2, 3].map((j) => column(j).reduce((sum, w) => sum + w * w, 0))
  const sizes = [0, 1, 2, 3].map((j) => column(j).reduce((sum, w) => sum + Math.abs(w), 0))
  near(
    t,
    score('wifv'),
    squares.map((x, j) => x * j),
  )
  near(
    t,
    weights.scoreChannels(weight, summary(4)),
    squares.map((x, j) => x * j),
  )
  near(t, score('ifv'), [0, 1, 2, 3])
  near(
    t,
    score('wifn'),
    sizes.map((x, j) => (x / 30) * j),
  )
  near(t, score('magnitude'), squares.map(Math.sqrt))
  t.deepEqual(weights.scoreChannels(normal([0, 2]), null, { metric: 'magnitude' }), new Float32Array(2))
  const tensors = { ...summary(4), fluctuation: float32(0, 1, 2, 3) } as unknown as weights.ActivationSummary
  t.deepEqual(weights.scoreChannels(weight, tensors), score('wifv'))
})

test('AL-AM keeps what is above the threshold, of layers that are compared by their spread', (t) => {
  const layers = (n: number, ...rows: number[][]) => tensor('float32', [rows.length, n], rows.flat())
  const search = (ratio: number, o: object = {}) => {
    const { heads, neurons } = weights.searchStructure(
      {
        attention: layers(2, [1, 2], [10, 20]),
        mlp: layers(3, [3, 1, 2], [30, 10, 20]),
      },
      { headDim: 1, headCost: 2, ratio, ...o },
    )
    return [[...heads.data].join(''), [...neurons.data].join('')]
  }
  // Standardised, the heads of both layers are -0.7 and 0.7, the neurons 1, -1 and 0; of 14 in all 7 are reached at 0.
  t.deepEqual(search(0.5), ['0101', '100100'])
  t.deepEqual(search(0), ['1111', '101101'])
})

test('items that tie with the threshold go, and equal scores count as 0', (t) => {
  const { heads, neurons } = weights.searchStructure(
    {
      attention: tensor('float64', [1, 2], [0.1, -0.1]),
      mlp: tensor('float64', [1, 3], [0.1, 0.1, 0.1]),
    },
    { headDim: 1, ratio: 0.5 },
  )
  t.deepEqual(
    [[...heads.data], [...neurons.data]],
    [
      [0, 0],
      [0, 0, 0],
    ],
  )
  const none = weights.searchStructure(
    { attention: tensor('float32', [2, 0], []), mlp: tensor('float32', [2, 0], []) },
    { headDim: 4, ratio: 0.5 },
  )
  t.deepEqual(
    [none.heads.dims, none.neurons.dims],
    [
      [2, 0],
      [2, 0],
    ],
  )
})

test('UL-UM drops the same share of each layer, and keeps what ties with the lowest that stays', (t) => {
  const search = (mlp: Tensor, ratio: number) =>
    weights.searchStructure(
      { attention: tensor('float32', [1, 4], [1, -3, 2, 2]), mlp },
      { headDim: 2, ratio, structure: 'UL-UM' },
    )
  const { heads, neurons } = search(tensor('float32', [1, 4], [1, 5, 1, 3]), 0.5)
  t.deepEqual(
    [[...heads.data], [...neurons.data]],
    [
      [1, 0],
      [0, 1, 0, 1],
    ],
  )
  t.deepEqual([...search(tensor('float32', [1, 4], [2, 5, 2, 2]), 0.5).neurons.data], [1, 1, 1, 1])
  t.deepEqual([...search(tensor('float32', [1, 3], [2, 5, 1]), 0).neurons.data], [1, 1, 1])
  t.deepEqual([...search(tensor('float32', [1, 1], [2]), 0.99999999).neurons.data], [0])
})

test('what inputs gave on average goes into the bias', (t) => {
  const [weight, x] = [normal([6, 10], 5), normal([50, 10], 6)]
  const mask = Uint8Array.from({ length: 10 }, (_, j) => (j % 3 === 0 ? 1 : 0))
  const stats = new weights.ActivationStats(10)
  stats.add(x)
  const { mean } = stats.result()
  const bias = Float32Array.from({ length: 6 }, (_, i) => i)
  const pruned = weights.pruneInputs(weight, tensor('bool', [10], mask), { mean, bias })
  t.deepEqual(pruned.weight.dims, [6, 4])
  t.deepEqual(
    [...pruned.weight.data],
    [...weight.data].filter((_, i) => mask[i % 10]),
  )
  const want = Array.from(bias, (b, i) =>
    mean.reduce((sum, m, j) => (mask[j] ? sum : sum + (weight.data[10 * i + j] as number) * m), b),
  )
  near(t, pruned.bias as Float32Array, want)
  t.deepEqual(weights.pruneInputs(weight, mask, { mean: tensor('float32', [10], mean), bias }), pruned)
})

test('no mean leaves the bias, no kept channel the weight empty', (t) => {
  const weight = tensor('float32', [2, 2], [1, 2, 3, 4])
  const keep = Uint8Array.of(1, 0)
  t.deepEqual(weights.pruneInputs(weight, keep), { weight: tensor('float32', [2, 1], [1, 3]) })
  t.deepEqual(weights.pruneInputs(weight, keep, { bias: float32(5, 6) }).bias, Float32Array.of(5, 6))
  const none = weights.pruneInputs(weight, Uint8Array.of(0, 0), { mean: float32(1, 10) })
  t.deepEqual(none, { weight: tensor('float32', [2, 0], []), bias: Float32Array.of(21, 43) })
  const halves: Tensor = { type: 'float16', dims: [1, 2], data: Uint16Array.of(0x3c00, 0x4000) }
  const half = weights.pruneInputs(halves, keep, { mean: float32(0, 3) })
  t.deepEqual(half.weight, { type: 'float16', dims: [1, 1], data: Uint16Array.of(0x3c00) })
  t.deepEqual(half.bias, Float32Array.of(6))
})

test('outputs go by groups of rows', (t) => {
  const weight = tensor('float64', [4, 2], [1, 2, 3, 4, 5, 6, 7, 8])
  const bias = float32(1, 2, 3, 4)
  t.deepEqual(weights.pruneOutputs(weight, Uint8Array.of(1, 0), { bias, groupSize: 2 }), {
    weight: tensor('float64', [2, 2], [1, 2, 3, 4]),
    bias: Float32Array.of(1, 2),
  })
  t.deepEqual(
    weights.pruneOutputs(weight, Uint8Array.of(0, 1, 0, 1)).weight.data,
    Float64Array.of(3, 4, 7, 8),
  )
  const none = weights.pruneOutputs(weight, Uint8Array.of(0, 0, 0, 0), { bias })
  t.deepEqual(none, { weight: tensor('float64', [0, 2], []), bias: new Float32Array(0) })
})

test('Wanda compares within rows, magnitudes over the tensor; ties keep the lower index', (t) => {
  const weight = tensor('float32', [2, 4], [1, -1, 2, 1, 8, 8, 9, -9])
  const { weight: sparse, mask } = weights.pruneWanda(weight, float32(4, 4, 1, 4), { sparsity: 0.5 })
  t.deepEqual([...mask.data], [1, 1, 0, 0, 1, 0, 0, 1])
  t.deepEqual([...sparse.data], [1, -1, 0, 0, 8, 0, 0, -9])
  t.deepEqual([...weights.pruneMagnitude(weight).mask.data], [0, 0, 0, 0, 1, 1, 1, 1])
  const grouped = weights.pruneMagnitude(weight, { sparsity: 7, pattern: [1, 2] })
  t.deepEqual([...grouped.mask.data], [1, 0, 1, 0, 1, 0, 1, 0])
  t.deepEqual([...weights.pruneMagnitude(weight, { sparsity: 0 }).weight.data], [...weight.data])
  t.deepEqual(weights.pruneWanda(tensor('float32', [0, 2], []), float32(1, 1)).weight.dims, [0, 2])
  const double = weights.pruneWanda(tensor('float64', [1, 2], [1, 2]), float32(9, 1))
  t.deepEqual(double.weight, tensor('float64', [1, 2], [1, 0]))
})

const w = normal([4, 4], 7)
const ones = (n: number) => new Uint8Array(n).fill(1)
const bad = tensor('float32', [1, 2], [1, Number.NaN])
const scores = (attention: Tensor = normal([2, 4]), mlp: Tensor = normal([2, 3])) => ({ attention, mlp })
const search = (o: object, s = scores()) => weights.searchStructure(s, { headDim: 2, ratio: 0.5, ...o })
const stats = () => new weights.ActivationStats(3)
const wrong: [string, () => unknown, string, RegExp][] = [
  ['no channels', () => new weights.ActivationStats(0), 'RANGE', /^dim must be/],
  [
    'an estimator that is none',
    () => new weights.ActivationStats(1, { estimator: 'x' as 'variance' }),
    'RANGE',
    /^estimator/,
  ],
  [
    'other channels',
    () => stats().add(normal([2, 4])),
    'SHAPE',
    /^x: expected 3 channels, got dims \[2, 4\]/,
  ],
  ['one axis', () => stats().add(normal([3])), 'SHAPE', /^rank: x/],
  ['nothing added', () => stats().result(), 'RANGE', /^no samples/],
  [
    'a weight of one axis',
    () => weights.scoreChannels(normal([4]), summary(4)),
    'SHAPE',
    /^weight must be 2-d/,
  ],
  ['no statistics', () => weights.scoreChannels(w, null), 'TYPE', /^stats must be/],
  [
    'another fluctuation',
    () => weights.scoreChannels(w, summary(3)),
    'SHAPE',
    /^fluctuation must have 4 items/,
  ],
  [
    'other norms',
    () => weights.scoreChannels(w, summary(3), { metric: 'wifn' }),
    'SHAPE',
    /^squaredNorm must have/,
  ],
  [
    'a metric that is none',
    () => weights.scoreChannels(w, summary(4), { metric: 'x' as 'ifv' }),
    'RANGE',
    /^metric/,
  ],
  ['NaN to score', () => weights.scoreChannels(bad, summary(2)), 'RANGE', /^weight is not finite/],
  [
    'NaN to score by ifv',
    () => weights.scoreChannels(bad, summary(2), { metric: 'ifv' }),
    'RANGE',
    /^weight is not finite/,
  ],
  [
    'a fluctuation of NaN',
    () => weights.scoreChannels(w, { ...summary(4), fluctuation: new Float32Array(4).fill(NaN) }),
    'RANGE',
    /^fluctuation is not finite/,
  ],
  ['ratio 1', () => search({ ratio: 1 }), 'RANGE', /^ratio must be between 0 and 1/],
  ['ratio below 0', () => search({ ratio: -0.1 }), 'RANGE', /^ratio must be between 0 and 1/],
  ['no ratio', () => search({ ratio: undefined }), 'TYPE', /^ratio must be between 0 and 1/],
  ['heads of 3', () => search({ headDim: 3 }), 'SHAPE', /^headDim must divide the 4 channels/],
  ['heads of 0', () => search({ headDim: 0 }), 'RANGE', /^headDim must be/],
  ['heads that cost nothing', () => search({ headCost: 0 }), 'RANGE', /^headCost must be/],
  ['a structure that is none', () => search({ structure: 'AL-MM' }), 'RANGE', /^structure must be/],
  ['other layers', () => search({}, scores(normal([3, 4]))), 'SHAPE', /^shape: scores/],
  ['NaN to search', () => search({}, scores(bad, bad)), 'RANGE', /^attention is not finite/],
  [
    'squares without end',
    () => search({}, scores(tensor('float64', [2, 2], [1, 2, 1e300, 3]))),
    'RANGE',
    /^attention is not finite/,
  ],
  ['a mask of another length', () => weights.pruneInputs(w, ones(3)), 'SHAPE', /^mask must have 4 items/],
  ['no mask', () => weights.pruneInputs(w, undefined as never), 'TYPE', /^mask must be/],
  [
    'another mean',
    () => weights.pruneInputs(w, ones(4), { mean: float32(1) }),
    'SHAPE',
    /^mean must have 4 items/,
  ],
  [
    'another bias',
    () => weights.pruneInputs(w, ones(4), { bias: float32(1) }),
    'SHAPE',
    /^bias must have 4 items/,
  ],
  [
    'a mean of NaN',
    () => weights.pruneInputs(w, ones(4), { mean: float32(1, NaN, 1, 1) }),
    'RANGE',
    /^mean is not finite/,
  ],
  ['NaN in inputs', () => weights.pruneInputs(bad, ones(2)), 'RANGE', /^weight is not finite/],
  ['rows of another mask', () => weights.pruneOutputs(w, ones(3)), 'SHAPE', /^mask must have 4 items/],
  [
    'groups that do not fit',
    () => weights.pruneOutputs(w, ones(1), { groupSize: 3 }),
    'SHAPE',
    /^groupSize must divide.*mask/,
  ],
  ['NaN in outputs', () => weights.pruneOutputs(bad, ones(1)), 'RANGE', /^weight is not finite/],
  [
    'sparsity 1',
    () => weights.pruneMagnitude(w, { sparsity: 1 }),
    'RANGE',
    /^sparsity must be between 0 and 1/,
  ],
  [
    'sparsity NaN',
    () => weights.pruneWanda(w, ones(4) as never, { sparsity: NaN }),
    'RANGE',
    /^sparsity must be between 0 and 1/,
  ],
  [
    'norms of another length',
    () => weights.pruneWanda(w, float32(1)),
    'SHAPE',
    /^squaredNorm must have 4 items/,
  ],
  [
    'norms below 0',
    () => weights.pruneWanda(w, float32(1, 1, -1, 1)),
    'RANGE',
    /^squaredNorm must hold finite/,
  ],
  [
    'a row that m does not divide',
    () => weights.pruneMagnitude(w, { pattern: [2, 3] }),
    'SHAPE',
    /divisible by 3/,
  ],
  [
    'a pattern that is none',
    () => weights.pruneMagnitude(w, { pattern: [3, 2] }),
    'RANGE',
    /^pattern must be/,
  ],
  ['NaN for Wanda', () => weights.pruneWanda(bad, float32(1, 1)), 'RANGE', /^weight is not finite/],
  ['NaN for magnitudes', () => weights.pruneMagnitude(bad), 'RANGE', /^weight is not finite/],
  ['integers', () => weights.pruneMagnitude(tensor('int8', [1, 1], [1])), 'TYPE', /^weight must be float32/],
]
for (const [name, call, code, message] of wrong) {
  test(`refuses ${name}`, (t) => {
    const error = t.throws(call, { instanceOf: TamisError, message })
    t.is(error?.code, `ERR_TAMIS_${code}` as never)
  })
}

test('inputs are not changed', (t) => {
  const weight = normal([3, 4], 8)
  const norms = float32(1, 2, 3, 4)
  const before = structuredClone([weight, norms])
  weights.pruneWanda(weight, norms)
  weights.pruneInputs(weight, ones(4), { mean: norms }).weight.data.fill(0 as never)
  weights.pruneOutputs(weight, ones(3)).weight.data.fill(0 as never)
  t.deepEqual([weight, norms], before)
})
