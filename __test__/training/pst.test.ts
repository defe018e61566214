import test from 'ava'
import { kernels, type Tensor, tensor, training } from 'tamis'

type Weights = training.PstWeights

const normal = (seed: number, ...dims: number[]) => {
  const n = dims.reduce((product, side) => product * side, 1)
  return tensor('float32', dims, kernels.normalSync(n, { seed }).data as Float32Array)
}
const at = (x: Tensor, ...place: number[]): number => {
  const offset = place.reduce((sum, i, axis) => sum * (x.dims[axis] as number) + i, 0)
  return x.data[offset] as number
}
const range = (n: number) => Array.from({ length: n }, (_, i) => i)
const sum = (terms: number[]) => terms.reduce((a, b) => a + b, 0)

function layer(out: number, width: number, r1 = 2, r2 = 3): Weights {
  return {
    weight: normal(1, out, width),
    bias: normal(2, out),
    weight_U: normal(3, out, r1),
    weight_V: normal(4, r1, width),
    mask_scores_A: normal(5, out, r2),
    mask_scores_B: normal(6, r2, width),
    mask_scores_R: normal(7, out),
    mask_scores_C: normal(8, width),
  }
}

/** The updated weight and the scores, entry by entry. */
function naive(w: Weights, beta: number, alpha1: number, alpha2: number) {
  const [out, width] = w.weight.dims as [number, number]
  const low = (a: Tensor, b: Tensor, i: number, j: number) =>
    sum(range(b.dims[0] as number).map((k) => at(a, i, k) * at(b, k, j)))
  const updated = range(out * width).map((n) => {
    const [i, j] = [Math.floor(n / width), n % width]
    return at(w.weight, i, j) + beta * low(w.weight_U, w.weight_V, i, j)
  })
  const scores = updated.map((x, n) => {
    const [i, j] = [Math.floor(n / width), n % width]
    const lines = at(w.mask_scores_R, i) + at(w.mask_scores_C, j)
    return Math.abs(x) + alpha1 * low(w.mask_scores_A, w.mask_scores_B, i, j) + alpha2 * lines
  })
  return { updated, scores }
}

test('the lowest scores are masked', (t) => {
  for (const [out, width, sparsity] of [
    [7, 11, 0.5],
    [40, 30, 0.9],
    [3, 5, 0],
  ] as const) {
    const w = layer(out, width)
    const options = { sparsity, weightBeta: 0.5, maskAlpha1: 2, maskAlpha2: 0.25 }
    const { weight, mask } = training.pstMergeWeight(w, options)
    const { updated, scores } = naive(w, 0.5, 2, 0.25)
    const dropped = Math.floor(out * width * sparsity + 1e-6)
    const order = range(out * width).sort((a, b) => (scores[a] as number) - (scores[b] as number))
    const gone = new Set(order.slice(0, dropped))
    t.deepEqual([weight.dims, mask.dims, mask.type], [[out, width], [out, width], 'uint8'])
    for (const n of range(out * width)) {
      t.is(mask.data[n], gone.has(n) ? 0 : 1)
      const want = gone.has(n) ? 0 : (updated[n] as number)
      t.true(Math.abs((weight.data[n] as number) - want) < 1e-5)
    }
  }
})

test('of equal scores the later are pruned first, and the start ranks by magnitude', (t) => {
  const weight = tensor('float32', [2, 3], [1, -1, 1, 2, -1, 0])
  const w = { weight, ...training.pstInit(weight) }
  const masked = (sparsity: number) => [...training.pstMergeWeight(w, { sparsity }).mask.data]
  t.deepEqual(masked(1 / 6), [1, 1, 1, 1, 1, 0])
  t.deepEqual(masked(0.5), [1, 1, 0, 1, 0, 0])
  t.deepEqual(masked(0), [1, 1, 1, 1, 1, 1])
  t.deepEqual([...training.pstMergeWeight(w, { sparsity: 0 }).weight.data], [...weight.data])
})

test('slopes are those of the definition', (t) => {
  const [out, width, rows] = [5, 6, 4]
  const w = layer(out, width)
  const options = { sparsity: 0.4, weightBeta: 0.5, maskAlpha1: 2, maskAlpha2: 0.25 }
  const input = normal(20, 2, 2, width)
  const gradOutput = normal(21, 2, 2, out)
  const { output, grads } = training.pstLinear(input, w, { ...options, gradOutput })
  const { weight, mask } = training.pstMergeWeight(w, options)
  const { updated } = naive(w, 0.5, 2, 0.25)
  const x = (r: number, j: number) => input.data[r * width + j] as number
  const gy = (r: number, i: number) => gradOutput.data[r * out + i] as number
  const close = (got: Tensor | undefined, want: (n: number) => number, dims: number[]) => {
    t.deepEqual(got?.dims, dims)
    for (const [n, value] of [...((got as Tensor).data as Float32Array)].entries()) {
      t.true(Math.abs(value - want(n)) < 2e-5, `${n}: ${value} ${want(n)}`)
    }
  }
  close(
    output,
    (n) => {
      const [r, i] = [Math.floor(n / out), n % out]
      return at(w.bias as Tensor, i) + sum(range(width).map((j) => x(r, j) * at(weight, i, j)))
    },
    [2, 2, out],
  )
  const g = (i: number, j: number) => sum(range(rows).map((r) => gy(r, i) * x(r, j)))
  const ds = (i: number, j: number) => g(i, j) * (updated[i * width + j] as number)
  const dw = (i: number, j: number) =>
    at(mask, i, j) * g(i, j) + ds(i, j) * Math.sign(updated[i * width + j] as number)
  const all = grads as NonNullable<typeof grads>
  close(
    all.input,
    (n) => {
      const [r, j] = [Math.floor(n / width), n % width]
      return sum(range(out).map((i) => gy(r, i) * at(weight, i, j)))
    },
    [2, 2, width],
  )
  close(
    all.weight_U,
    (n) => 0.5 * sum(range(width).map((j) => dw(Math.floor(n / 2), j) * at(w.weight_V, n % 2, j))),
    [out, 2],
  )
  close(
    all.weight_V,
    (n) => 0.5 * sum(range(out).map((i) => at(w.weight_U, i, Math.floor(n / width)) * dw(i, n % width))),
    [2, width],
  )
  close(
    all.mask_scores_A,
    (n) => 2 * sum(range(width).map((j) => ds(Math.floor(n / 3), j) * at(w.mask_scores_B, n % 3, j))),
    [out, 3],
  )
  close(
    all.mask_scores_B,
    (n) => 2 * sum(range(out).map((i) => at(w.mask_scores_A, i, Math.floor(n / width)) * ds(i, n % width))),
    [3, width],
  )
  close(all.mask_scores_R, (n) => 0.25 * sum(range(width).map((j) => ds(n, j))), [out])
  close(all.mask_scores_C, (n) => 0.25 * sum(range(out).map((i) => ds(i, n))), [width])
})

test('without a slope of the output there are none, and no rows have none', (t) => {
  const w = layer(2, 3)
  t.deepEqual(Object.keys(training.pstLinear(normal(1, 3), w)), ['output'])
  const empty = tensor('float32', [0, 3], [])
  const { output, grads } = training.pstLinear(empty, w, { gradOutput: tensor('float32', [0, 2], []) })
  t.deepEqual(
    [output.dims, grads?.input.dims],
    [
      [0, 2],
      [0, 3],
    ],
  )
  t.true(grads?.weight_U.data.every((x) => x === 0))
})

test('the start is drawn from streams 0 and 1', (t) => {
  const init = training.pstInit(normal(1, 3, 2), { weightRank: 2, maskRank: 4, seed: 9n })
  t.deepEqual(init.weight_U.data, kernels.normalSync(6, { seed: 9 }).data as Float32Array)
  t.deepEqual(init.mask_scores_A.data, kernels.normalSync(12, { seed: 9, stream: 1 }).data as Float32Array)
  for (const name of ['weight_V', 'mask_scores_B', 'mask_scores_R', 'mask_scores_C'] as const) {
    t.true(init[name].data.every((x) => x === 0))
  }
  t.deepEqual(training.pstInit(normal(1, 3, 2)).mask_scores_A.dims, [3, 8])
})

test('half types are widened', (t) => {
  const brain = { type: 'bfloat16', dims: [1, 2], data: Uint16Array.of(0x3f80, 0xc000) } as const
  const w = { weight: brain, ...training.pstInit(brain, { weightRank: 1, maskRank: 1 }) }
  const { weight } = training.pstMergeWeight(w, { sparsity: 0.5 })
  t.deepEqual([...weight.data], [0, -2])
})

test('the schedule grows from the initial to the final sparsity', (t) => {
  const options = { totalSteps: 100, finalSparsity: 0.8, initialSparsity: 0.2 }
  t.is(training.cubicSparsity(0, options), 0.2)
  t.is(training.cubicSparsity(10, options), 0.2)
  t.is(training.cubicSparsity(71, options), 0.8)
  t.is(training.cubicSparsity(1000, options), 0.8)
  const steps = tensor('uint32', [101], range(101))
  const all = training.cubicSparsity(steps, options)
  t.is(all.type, 'float64')
  for (const step of range(101)) {
    t.is(all.data[step], training.cubicSparsity(step, options))
    if (step > 0) t.true((all.data[step] as number) >= (all.data[step - 1] as number))
  }
})

const w = layer(2, 3)
const x = normal(1, 4, 3)
const merge = (changes: object, options?: object) =>
  training.pstMergeWeight({ ...w, ...changes } as Weights, options)
const linear = (input: Tensor, options?: object) => training.pstLinear(input, w, options)
const schedule = (options: object) => training.cubicSparsity(1, options as { totalSteps: number })
const wrong: [string, () => unknown, RegExp][] = [
  ['a weight that is no matrix', () => merge({ weight: normal(1, 6) }), /^weight must be a matrix/],
  ['no weight', () => merge({ weight: undefined }), /^weight must be a tensor/],
  ['a bias of another length', () => merge({ bias: normal(1, 3) }), /^bias must have shape \[out\]/],
  ['U', () => merge({ weight_U: normal(1, 3, 2) }), /^weight_u must have shape \[out, rank\]/],
  ['U that is a vector', () => merge({ weight_U: normal(1, 2) }), /^weight_u must have shape \[out, rank\]/],
  ['V of another rank', () => merge({ weight_V: normal(1, 3, 3) }), /^weight_v must have shape \[rank, in\]/],
  ['A', () => merge({ mask_scores_A: normal(1, 3, 3) }), /^mask_scores_a must have shape \[out, rank\]/],
  ['B', () => merge({ mask_scores_B: normal(1, 3, 2) }), /^mask_scores_b must have shape \[rank, in\]/],
  ['R', () => merge({ mask_scores_R: normal(1, 3) }), /^mask_scores_r must have shape \[out\]/],
  ['C', () => merge({ mask_scores_C: normal(1, 1, 3) }), /^mask_scores_c must have shape \[in\]/],
  ['no C', () => merge({ mask_scores_C: undefined }), /^mask_scores_C must be a tensor/],
  ['integers', () => merge({ weight: tensor('int32', [2, 3], range(6)) }), /^weight must be float32/],
  [
    'NaN',
    () =>
      merge({
        weight: tensor(
          'float32',
          [2, 3],
          range(6).map(() => NaN),
        ),
      }),
    /finite/,
  ],
  ['a sparsity of 1', () => merge({}, { sparsity: 1 }), /^sparsity must be in \[0, 1\)/],
  ['a sparsity below 0', () => merge({}, { sparsity: -0.1 }), /^sparsity must be in \[0, 1\)/],
  ['a sparsity of NaN', () => linear(x, { sparsity: NaN }), /^sparsity must be in \[0, 1\)/],
  ['an infinite factor', () => merge({}, { maskAlpha1: Infinity }), /^maskAlpha1/],
  ['an unknown option', () => merge({}, { gradOutput: x }), /unknown option "gradOutput"/],
  [
    'weights that are none',
    () => training.pstMergeWeight([] as unknown as Weights),
    /^weights must be an object/,
  ],
  ['an input of another width', () => linear(normal(1, 3, 4)), /^input must have in features/],
  ['a scalar input', () => linear(tensor('float32', [], [1])), /^input must have in features/],
  [
    'a slope of another shape',
    () => linear(x, { gradOutput: normal(1, 2, 4) }),
    /^gradoutput must have the output's shape/,
  ],
  ['a rank of 0', () => training.pstInit(w.weight, { weightRank: 0 }), /^rank must be a positive integer/],
  [
    'a rank beyond memory',
    () => training.pstInit(normal(1, 1000, 1), { weightRank: 2 ** 31 - 1 }),
    /^weightRank is too large/,
  ],
  ['half a rank', () => training.pstInit(w.weight, { maskRank: 1.5 }), /^rank must be a positive integer/],
  ['a start without a matrix', () => training.pstInit(normal(1, 3)), /^weight must be a matrix/],
  [
    'warm-ups of all steps',
    () => schedule({ totalSteps: 9, initialWarmup: 0.5, finalWarmup: 0.5 }),
    /^warm-ups must sum to less than 1/,
  ],
  ['no steps', () => schedule({ totalSteps: 0 }), /^totalSteps must be/],
  ['a sparsity above 1', () => schedule({ totalSteps: 9, finalSparsity: 1.5 }), /^finalSparsity must be/],
  ['a step below 0', () => training.cubicSparsity(-1, { totalSteps: 9 }), /^step must be/],
]
for (const [what, call, message] of wrong) {
  test(`refused: ${what}`, (t) => {
    t.regex(t.throws(call)?.message ?? '', message)
  })
}
