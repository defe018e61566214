import test from 'ava'
import { kernels, type Tensor, tensor, weights } from 'tamis'

const normal = (dims: number[], seed: number): Tensor<'float32'> => {
  const n = dims.reduce((a, b) => a * b, 1)
  return { ...(kernels.normalSync(n, { seed }) as Tensor<'float32'>), dims }
}
const at = (x: Tensor, i: number, j: number) => Number(x.data[i * (x.dims[1] as number) + j])

/** W with all but each row's largest half set to 0. */
function pruned(w: Tensor): Tensor {
  return kernels.sparsifySync(w as Tensor<'float32'>, { sparsity: 0.5, scope: 'row' }).values
}

/** `||(W - C - B A) X^T||`, term by term. */
function error(w: Tensor, c: Tensor, x: Tensor | undefined, pair?: { loraA: Tensor; loraB: Tensor }): number {
  const [rows, columns] = w.dims as [number, number]
  const entry = (i: number, j: number) => {
    let sum = at(w, i, j) - at(c, i, j)
    if (pair)
      for (let r = 0; r < (pair.loraA.dims[0] as number); r++)
        sum -= at(pair.loraB, i, r) * at(pair.loraA, r, j)
    return sum
  }
  const difference = Array.from({ length: rows }, (_, i) =>
    Array.from({ length: columns }, (_, j) => entry(i, j)),
  )
  const inputs = x
    ? Array.from({ length: x.dims[0] as number }, (_, t) =>
        Array.from({ length: columns }, (_, j) => at(x, t, j)),
      )
    : Array.from({ length: columns }, (_, t) => Array.from({ length: columns }, (_, j) => (t === j ? 1 : 0)))
  let squares = 0
  for (const row of difference) {
    for (const token of inputs) squares += token.reduce((sum, v, j) => sum + v * (row[j] as number), 0) ** 2
  }
  return Math.sqrt(squares)
}

test('before and after are the errors of the outputs, and no worse than plain SVD of the same rank', async (t) => {
  for (const [out, width, tokens, rank] of [
    [12, 20, 64, 3],
    [20, 12, 64, 3],
    [16, 16, 5, 2],
    [7, 1, 9, 1],
    [1, 7, 9, 1],
  ] as const) {
    const w = normal([out, width], out)
    const c = pruned(w)
    // Features of different strength, since for white inputs both forms are one.
    const x = normal([tokens, width], width)
    for (const i of x.data.keys()) x.data[i] = (x.data[i] as number) * 0.6 ** (i % width)
    const pair = await weights.compensateLowRank(w, c, { rank, inputs: x })
    const plain = await weights.compensateLowRank(w, c, { rank })
    const near = (got: number, want: number) =>
      t.true(Math.abs(got - want) < 1e-4 * (1 + want), `${got} ${want}`)
    near(pair.before, error(w, c, x))
    near(pair.after, error(w, c, x, pair))
    near(plain.before, error(w, c, undefined))
    near(plain.after, error(w, c, undefined, plain))
    t.true(pair.after <= error(w, c, x, plain) * (1 + 1e-5))
    t.true(pair.after < pair.before || pair.before === 0)
    for (let r = 0; r < rank; r++) {
      const column = Array.from({ length: out }, (_, i) => at(pair.loraB, i, r))
      const most = Math.max(...column.map(Math.abs))
      t.true((column.find((b) => Math.abs(b) >= most * (1 - 1e-6)) ?? 0) >= 0)
    }
  }
})

test('second moments stand for their inputs, whatever their scale, and add up over batches', async (t) => {
  const w = normal([6, 9], 1)
  const c = pruned(w)
  const x = normal([2, 10, 9], 2)
  const rank = 2
  const { data } = x
  const half = (k: number): Tensor => ({
    type: 'float32',
    dims: [10, 9],
    data: data.slice(90 * k, 90 * (k + 1)),
  })
  const whole = await weights.gram(x)
  const parts = await weights.gram(half(1), await weights.gram(half(0)))
  for (const [i, g] of whole.data.entries()) t.true(Math.abs(g - (parts.data[i] as number)) < 1e-4)
  const wanted = await weights.compensateLowRank(w, c, { rank, inputs: x })
  const got = await weights.compensateLowRank(w, c, { rank, gram: whole })
  const scaled = tensor(
    'float64',
    [9, 9],
    Array.from(whole.data, (g) => g / 7),
  )
  const other = await weights.compensateLowRank(w, c, { rank, gram: scaled })
  for (const [i, a] of wanted.loraA.data.entries()) {
    t.true(Math.abs(a - (got.loraA.data[i] as number)) < 1e-4)
    // The root of a direction's strength is in both factors: their product stays.
    t.true(Math.abs(a * 7 ** 0.25 - (other.loraA.data[i] as number)) < 1e-4)
  }
  t.true(Math.abs(other.before * Math.sqrt(7) - wanted.before) < 1e-4)
})

test('a rank that is clipped, and tokens fewer than it, give the layer back', async (t) => {
  const w = normal([5, 8], 3)
  const c = pruned(w)
  const { loraA, loraB, before, after } = await weights.compensateLowRank(w, c)
  t.deepEqual(
    [loraA.dims, loraB.dims],
    [
      [5, 8],
      [5, 5],
    ],
  )
  t.true(after === 0 && before > 0)
  t.true(error(w, c, undefined, { loraA, loraB }) < 1e-5)
  const x = normal([3, 8], 4)
  const few = await weights.compensateLowRank(w, c, { rank: 3, inputs: x })
  t.true(error(w, c, x, few) < 1e-5 * few.before && few.after < 1e-6 * few.before)
  const more = await weights.compensateLowRank(w, c, { rank: 4, inputs: x })
  t.true(
    [...more.loraA.data.slice(24)].every((a) => a === 0),
    'directions without strength',
  )
})

test('nothing to compensate, and nothing there', async (t) => {
  const w = normal([3, 4], 5)
  const same = await weights.compensateLowRank(w, w, { rank: 2, inputs: normal([6, 4], 6) })
  t.deepEqual([same.before, same.after], [0, 0])
  t.true([...same.loraA.data, ...same.loraB.data].every((x) => x === 0))
  const none = tensor('float32', [0, 4], [])
  const empty = await weights.compensateLowRank(none, none)
  t.deepEqual([empty.loraA.dims, empty.loraB.dims, empty.before, empty.after], [[0, 4], [0, 0], 0, 0])
  t.deepEqual((await weights.gram(tensor('float32', [0, 2], []))).data, new Float32Array(4))
  t.deepEqual((await weights.gram(tensor('float32', [2], [1, 2]))).dims, [2, 2])
})

test('halves and doubles, and a signal', async (t) => {
  const w = tensor('float64', [2, 2], [1, 2, 3, 4])
  const half: Tensor = { type: 'bfloat16', dims: [2, 2], data: Uint16Array.of(0x3f80, 0x4000, 0x4040, 0) }
  const { loraA, loraB } = await weights.compensateLowRank(w, half, { rank: 1 })
  t.true(Math.abs(at(loraB, 1, 0) * at(loraA, 0, 1) - 4) < 1e-5)
  const stopped = weights.compensateLowRank(w, half, { signal: AbortSignal.abort() })
  t.is((await t.throwsAsync(stopped))?.message, 'the operation was aborted')
})

const w = tensor('float32', [2, 3], [1, 2, 3, 4, 5, 6])
const f = (dims: number[], items: number[]) => tensor('float32', dims, items)
const x = f([2, 3], [1, 0, 2, 3, 1, 1])
const g = f([3, 3], [2, 0, 0, 0, 2, 0, 0, 0, 2])
const compensate = (o: object, c: Tensor = f([2, 3], [0, 0, 0, 0, 0, 0]), of: Tensor = w) =>
  weights.compensateLowRank(of, c, o)
const wrong: [string, () => Promise<unknown>, RegExp][] = [
  ['weights of different shape', () => compensate({}, f([3, 2], [1, 2, 3, 4, 5, 6])), /^shape mismatch/],
  ['a vector', () => compensate({}, f([1], [1]), f([1], [1])), /^weight must be 2-d/],
  ['inputs of another width', () => compensate({ inputs: f([1, 2], [1, 2]) }), /^shape mismatch: inputs/],
  ['a number as inputs', () => compensate({ inputs: f([], [1]) }), /^shape mismatch: inputs/],
  ['a gram of another width', () => compensate({ gram: f([2, 2], [1, 0, 0, 1]) }), /^shape mismatch: gram/],
  ['both', () => compensate({ inputs: x, gram: g }), /^inputs and gram exclude each other/],
  ['rank 0', () => compensate({ rank: 0 }), /^rank must be a positive integer, got 0/],
  ['a broken rank', () => compensate({ rank: 1.5 }), /^rank must be a positive integer/],
  ['a rank as text', () => compensate({ rank: '4' }), /^rank must be a positive integer/],
  ['inputs of zeros', () => compensate({ inputs: f([1, 3], [0, 0, 0]) }), /^inputs are all zero/],
  ['no inputs', () => compensate({ inputs: f([0, 3], []) }), /^inputs are all zero/],
  ['a gram of zeros', () => compensate({ gram: f([3, 3], Array(9).fill(0)) }), /^inputs are all zero/],
  [
    'NaN in the weight',
    () => compensate({}, undefined, f([2, 3], [NaN, 2, 3, 4, 5, 6])),
    /^weight is not finite/,
  ],
  [
    'infinity in the other',
    () => compensate({}, f([2, 3], [0, 0, 0, 0, 0, Infinity])),
    /^compressed is not finite/,
  ],
  ['NaN in the inputs', () => compensate({ inputs: f([1, 3], [1, NaN, 1]) }), /^inputs is not finite/],
  [
    'NaN in the gram',
    () => compensate({ gram: f([3, 3], [1, 0, 0, 0, NaN, 0, 0, 0, 1]) }),
    /^gram is not finite/,
  ],
  [
    'a gram that is none',
    () => compensate({ gram: f([3, 3], [1, 2, 0, 0, 1, 0, 0, 0, 1]) }),
    /^gram must be symmetric/,
  ],
  [
    'integers',
    () => compensate({}, tensor('int8', [2, 3], [0, 0, 0, 0, 0, 0])),
    /^compressed must be float32/,
  ],
  ['an unknown option', () => compensate({ ranks: 1 }), /unknown option "ranks"/],
  ['a scalar', () => weights.gram(f([], [1])), /^shape mismatch: inputs/],
  ['a sum of another width', () => weights.gram(x, f([2, 2], [1, 0, 0, 1])), /^shape mismatch: into/],
  ['NaN among tokens', () => weights.gram(f([1, 1], [NaN])), /^inputs is not finite/],
  ['infinity in the sum', () => weights.gram(f([1, 1], [1]), f([1, 1], [Infinity])), /^into is not finite/],
  ['a sum beyond float32', () => weights.gram(f([1, 1], [3e38])), /not finite/],
]
for (const [what, call, message] of wrong) {
  test(`refused: ${what}`, async (t) => {
    t.regex((await t.throwsAsync(call))?.message ?? '', message)
  })
}
