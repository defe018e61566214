import test from 'ava'
import { kernels, TamisError, tensor, weights } from 'tamis'

const float32 = (...items: number[]) => tensor('float32', [items.length], items)
const list = (...items: number[]) => Float64Array.of(...items)
const mean = (x: Float64Array) => x.reduce((a, b) => a + b, 0) / x.length
const close = (a: number, b: number) => Math.abs(a - b) < 1e-9

test('shares average to what is kept, follow importance, and are at most 1', (t) => {
  for (let seed = 0; seed < 60; seed++) {
    const draws = kernels.normalSync(1 + (seed % 13), { seed, dtype: 'float64' }).data as Float64Array
    const importances = draws.map((x) => Math.exp(2 * x))
    const ratio = (seed % 10) / 10
    const keep = weights.allocateSparsity(importances, { ratio, scale: 0.5, temperature: seed % 4 })
    t.true(close(mean(keep), 1 - ratio))
    t.true(keep.every((share) => share > 0 && share <= 1 + 1e-12))
    for (const [i, x] of importances.entries()) {
      for (const [j, y] of importances.entries()) {
        if (x > y) t.true((keep[i] as number) >= (keep[j] as number))
      }
    }
  }
})

test('equal importances keep the same, one block its share, and ratio 0 all', (t) => {
  t.deepEqual(weights.allocateSparsity(list(0.1, 0.1, 0.1), { ratio: 0.5 }), list(0.5, 0.5, 0.5))
  t.deepEqual(weights.allocateSparsity(list(7), { ratio: 0.3 }), list(1 - 0.3))
  t.deepEqual(weights.allocateSparsity(list(2, 2), { ratio: 0 }), list(1, 1))
  const all = weights.allocateSparsity(list(1, 5, 9), { ratio: 0, scale: 1 })
  t.true(all.every((share) => close(share, 1)))
  const far = weights.allocateSparsity(list(-1e300, 1e300), { ratio: 0.5, scale: 1e-300 })
  t.true(close(mean(far), 0.5) && far.every((share) => share >= 0 && share <= 1))
  t.deepEqual(
    weights.allocateSparsity(tensor('float32', [2], [1, 2]), { ratio: 0.5, scale: 1 }),
    weights.allocateSparsity(list(1, 2), { ratio: 0.5, scale: 1 }),
  )
})

test('ranks average to the one that is asked for, and are at least 1', (t) => {
  t.deepEqual(weights.allocateRanks(list(3, 3, 3), { rank: 8 }), Uint32Array.of(8, 8, 8))
  t.deepEqual(weights.allocateRanks(list(-100, 0, 100), { rank: 1, scale: 1 }), Uint32Array.of(1, 1, 2))
  t.deepEqual(weights.allocateRanks(list(1), { rank: 2.5 }), Uint32Array.of(3))
})

test('a score counts the columns that are not all zero', (t) => {
  const down = tensor('float32', [2, 4], [1, 0, 1, 0, 0, 0, -1, 0])
  const up = tensor('float32', [4, 2], [0, 1, 1, 1, 0, 0, 0, 0])
  const gate = tensor('float64', [4, 2], [0, 1, 0, 0, 0, -1e-40, 0, 0])
  const norms = float32(4, 4, 16, 4)
  t.deepEqual(weights.scoreFfn({ down, up, gate }, norms), Float32Array.of(3, 1, 4, 0))
  t.deepEqual(weights.scoreFfn({ down, up, gate }, norms, { power: 2 }), Float32Array.of(6, 2, 16, 0))
  t.deepEqual(weights.scoreFfn({ down }, norms), Float32Array.of(1, 0, 2, 0))
  // A neuron that is never active makes its column of down zero.
  t.deepEqual(
    weights.scoreFfn({ down, up }, float32(0, 4, 0, 4), { power: 0 }),
    Float32Array.of(0.5, 0.5, 0, 0),
  )
})

/** What the authors' three normalised matrices come to. */
test('scores are those of the sum of three matrices', (t) => {
  const [d, n] = [5, 7]
  const draw = (stream: number) => kernels.normalSync(d * n, { stream }).data as Float32Array
  const [down, up, gate] = [draw(1), draw(2), draw(3)]
  const norms = draw(4)
    .subarray(0, n)
    .map((x) => x * x)
  const got = weights.scoreFfn(
    {
      down: tensor('float32', [d, n], down),
      up: tensor('float32', [n, d], up),
      gate: tensor('float32', [n, d], gate),
    },
    norms,
    { power: 1.5 },
  )
  for (let j = 0; j < n; j++) {
    const x = Math.sqrt(norms[j] as number)
    const columns = [
      Array.from({ length: d }, (_, i) => Math.abs(down[i * n + j] as number) * x),
      Array.from({ length: d }, (_, i) => Math.abs(up[j * d + i] as number)),
      Array.from({ length: d }, (_, i) => Math.abs(gate[j * d + i] as number)),
    ].map((column) => column.map((a) => a / column.reduce((s, b) => s + b, 0)))
    const want = columns.flat().reduce((s, a) => s + a, 0) / d
    t.true(Math.abs((got[j] as number) - want * x ** 1.5) < 1e-5)
  }
})

test('as many as the share comes to in multiples, the lower index of equal ones', (t) => {
  const scores = tensor('float32', [1, 10], [5, 5, 5, 9, 1, 1, 1, 7, 7, 7])
  const kept = (share: number, multiple: number) =>
    [...weights.selectNeurons(scores, list(share), { multiple }).data].join('')
  t.is(kept(0.5, 1), '1001000111')
  t.is(kept(0.29, 1), '0001000110')
  t.is(kept(0.25, 1), '0001000110')
  t.is(kept(0.45, 4), '0001000111')
  t.is(kept(0.6, 4), '1111100111')
  t.is(kept(0, 4), '0001000111')
  t.is(kept(-3, 4), '0001000111')
  t.is(kept(1.7, 4), '1111111111')
  t.is(kept(0.1, 128), '1111111111')
  const none = weights.selectNeurons(tensor('float32', [2, 0], []), list(1, 0.5))
  t.deepEqual(none, tensor('uint8', [2, 0], []))
  const halves = weights.selectNeurons(
    { type: 'bfloat16', dims: [1, 2], data: Uint16Array.of(0x3f80, 0x4000) },
    float32(0.5),
    { multiple: 1 },
  )
  t.deepEqual([...halves.data], [0, 1])
})

const down = tensor('float32', [2, 3], [1, 2, 3, 4, 5, 6])
const up = tensor('float32', [3, 2], [1, 2, 3, 4, 5, 6])
const norms = float32(1, 1, 1)
const scores = tensor('float32', [2, 2], [1, 2, 3, 4])
const wrong: [string, () => unknown, string, RegExp][] = [
  [
    'ratio 1',
    () => weights.allocateSparsity(list(1), { ratio: 1 }),
    'RANGE',
    /^ratio must be between 0 and 1/,
  ],
  [
    'ratio -1',
    () => weights.allocateSparsity(list(1), { ratio: -1 }),
    'RANGE',
    /^ratio must be between 0 and 1/,
  ],
  [
    'ratio NaN',
    () => weights.allocateSparsity(list(1), { ratio: NaN }),
    'RANGE',
    /^ratio must be between 0 and 1/,
  ],
  [
    'no importances',
    () => weights.allocateSparsity(list(), { ratio: 0.5 }),
    'RANGE',
    /^importances must be finite/,
  ],
  [
    'importances of NaN',
    () => weights.allocateSparsity(list(1, NaN), { ratio: 0.5 }),
    'RANGE',
    /^importances must be finite/,
  ],
  [
    'an infinite importance',
    () => weights.allocateRanks(list(Infinity), { rank: 1 }),
    'RANGE',
    /^importances must be/,
  ],
  [
    'importances that are none',
    () => weights.allocateRanks('x' as never, { rank: 1 }),
    'TYPE',
    /^importances/,
  ],
  ['scale 0', () => weights.allocateSparsity(list(1), { ratio: 0.5, scale: 0 }), 'RANGE', /^scale must be/],
  [
    'temperature below 0',
    () => weights.allocateSparsity(list(1), { ratio: 0.5, temperature: -1 }),
    'RANGE',
    /^temperature/,
  ],
  ['rank 0', () => weights.allocateRanks(list(1), { rank: 0 }), 'RANGE', /^rank must be/],
  ['down of one axis', () => weights.scoreFfn({ down: norms }, norms), 'SHAPE', /^down must be 2-d/],
  ['other norms', () => weights.scoreFfn({ down }, float32(1)), 'SHAPE', /^squaredNorm must have 3 items/],
  ['norms below 0', () => weights.scoreFfn({ down }, float32(1, -1, 1)), 'RANGE', /^squaredNorm must hold/],
  ['up like down', () => weights.scoreFfn({ down, up: down }, norms), 'SHAPE', /^up must have dims \[3, 2\]/],
  [
    'gate like down',
    () => weights.scoreFfn({ down, up, gate: down }, norms),
    'SHAPE',
    /^gate must have dims/,
  ],
  ['a power of NaN', () => weights.scoreFfn({ down }, norms, { power: NaN }), 'RANGE', /^power must be/],
  [
    'NaN',
    () => weights.scoreFfn({ down: tensor('float32', [1, 3], [1, NaN, 1]) }, norms),
    'RANGE',
    /^down is not finite/,
  ],
  ['too few shares', () => weights.selectNeurons(scores, list(1)), 'SHAPE', /^keep must be 2 finite numbers/],
  [
    'a share of NaN',
    () => weights.selectNeurons(scores, list(1, NaN)),
    'RANGE',
    /^keep must be 2 finite numbers/,
  ],
  [
    'multiple 0',
    () => weights.selectNeurons(scores, list(1, 1), { multiple: 0 }),
    'RANGE',
    /^multiple must be/,
  ],
  [
    'a broken multiple',
    () => weights.selectNeurons(scores, list(1, 1), { multiple: 1.5 }),
    'RANGE',
    /^multiple must be/,
  ],
  ['scores of one axis', () => weights.selectNeurons(norms, list(1)), 'SHAPE', /^rank: scores/],
  [
    'scores of NaN',
    () => weights.selectNeurons(tensor('float32', [1, 1], [NaN]), list(1)),
    'RANGE',
    /^scores must not/,
  ],
]
for (const [name, call, code, message] of wrong) {
  test(`refuses ${name}`, (t) => {
    const error = t.throws(call, { instanceOf: TamisError, message })
    t.is(error?.code, `ERR_TAMIS_${code}` as never)
  })
}
