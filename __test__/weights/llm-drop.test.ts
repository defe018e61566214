import test from 'ava'
import { kernels, setThreads, TamisError, type Tensor, tensor, weights } from 'tamis'

const METRICS = ['cosine', 'angular', 'mse', 'mae'] as const
const normal = (dims: number[], stream = 0): Tensor => ({
  type: 'float32',
  dims,
  data: kernels.normalSync(
    dims.reduce((a, b) => a * b, 1),
    { stream },
  ).data,
})
const list = (...items: number[]) => tensor('float64', [items.length], items)
const near = (a: number, b: number) => Math.abs(a - b) <= 1e-12 + 1e-7 * Math.abs(b)

/** The definition, of one token. */
function naive(x: number[], y: number[], metric: (typeof METRICS)[number]): number {
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, j) => sum + value * (b[j] as number), 0)
  const norm = (a: number[]) => Math.max(Math.sqrt(dot(a, a)), 1e-8)
  const off = x.map((value, j) => value - (y[j] as number))
  if (metric === 'mse') return dot(off, off) / x.length
  if (metric === 'mae') return off.reduce((sum, value) => sum + Math.abs(value), 0) / x.length
  const cosine = dot(x, y) / (norm(x) * norm(y))
  return metric === 'cosine' ? cosine : Math.acos(Math.min(1, Math.max(-1, cosine))) / Math.PI
}

test('similarities are those of the definition, over all tokens', (t) => {
  const [input, output] = [normal([3, 50, 7], 1), normal([3, 50, 7], 2)]
  for (const metric of METRICS) {
    for (const residual of [true, false]) {
      const values = Array.from({ length: 150 }, (_, token) => {
        const x = [...(input.data as Float32Array).subarray(7 * token, 7 * token + 7)]
        const o = [...(output.data as Float32Array).subarray(7 * token, 7 * token + 7)]
        return naive(x, residual ? x.map((value, j) => value + (o[j] as number)) : o, metric)
      })
      const want = values.reduce((a, b) => a + b, 0)
      for (const reduce of ['mean', 'sum'] as const) {
        const stats = new weights.SimilarityStats(2, { metric, residual, reduce })
        stats.add(1, input, output)
        const [never, got] = stats.result()
        t.true(Number.isNaN(never))
        t.true(near(got as number, reduce === 'sum' ? want : want / 150), `${metric} ${residual} ${got}`)
      }
    }
  }
})

test('how tokens are cut into calls does not show, nor does the type of halves', (t) => {
  const [x, y] = [normal([5000, 4], 3), normal([5000, 4], 4)]
  const run = (size: number) => {
    const stats = new weights.SimilarityStats(1)
    for (let at = 0; at < 5000; at += size) {
      const part = ({ data }: Tensor) =>
        (data as Float32Array).subarray(4 * at, 4 * Math.min(5000, at + size))
      const dims = [part(x).length / 4, 4]
      stats.add(0, { type: 'float32', dims, data: part(x) }, { type: 'float32', dims, data: part(y) })
    }
    return stats.result()
  }
  t.deepEqual(run(7), run(5000))
  t.deepEqual(run(4096), run(5000))
  const one: Tensor = { type: 'float16', dims: [1, 2], data: Uint16Array.of(0x3c00, 0xc000) }
  const same = tensor('float32', [1, 2], [1, -2])
  const stats = new weights.SimilarityStats(1, { residual: false, metric: 'mae' })
  stats.add(0, one, one)
  stats.add(0, same, same)
  t.deepEqual(stats.result(), Float64Array.of(0))
})

test.serial('the same on 1, 2 and 7 threads', (t) => {
  t.teardown(() => setThreads(0))
  const [x, y] = [normal([700, 300], 5), normal([700, 300], 6)]
  const [one, ...others] = [1, 2, 7].map((count) => {
    setThreads(count)
    const stats = new weights.SimilarityStats(1, { metric: 'angular' })
    stats.add(0, x, y)
    return stats.result()
  })
  for (const other of others) t.deepEqual(other, one)
})

test('a token of zeros has cosine 0, no tokens are none', (t) => {
  const stats = new weights.SimilarityStats(2)
  const zero = tensor('float32', [1, 2], [0, 0])
  stats.add(0, zero, zero)
  stats.add(1, tensor('float32', [0, 2], []), tensor('float32', [0, 2], []))
  t.deepEqual(stats.result(), Float64Array.of(0, Number.NaN))
})

test('what is refused leaves everything as it was', (t) => {
  const stats = new weights.SimilarityStats(1)
  const x = tensor('float32', [1, 2], [1, 2])
  stats.add(0, x, x)
  for (const bad of [Number.NaN, Infinity, -Infinity]) {
    t.throws(() => stats.add(0, x, tensor('float32', [1, 2], [0, bad])), { message: /is not finite/ })
  }
  t.true(near(stats.result()[0] as number, 1))
})

const dropped = (similarities: weights.LayerSimilarities, drop: number) => {
  const { attention, mlp } = weights.dropLayers(similarities, { drop })
  return [[...attention], [...mlp]]
}

test('the most alike go, ties to attention and the lower index, dropped ones never', (t) => {
  const attention = list(0.5, 0.9, -Infinity, 0.9)
  const mlp = Float64Array.of(0.9, -0.5)
  t.deepEqual(dropped({ attention }, 1), [[1], []])
  t.deepEqual(dropped({ attention }, 3), [[0, 1, 3], []])
  t.deepEqual(dropped({ attention, mlp }, 2), [[1, 3], []])
  t.deepEqual(dropped({ attention, mlp }, 3), [[1, 3], [0]])
  t.deepEqual(dropped({ attention, mlp }, 5), [
    [0, 1, 3],
    [0, 1],
  ])
  t.deepEqual(dropped({ mlp }, 1), [[], [0]])
  t.deepEqual(dropped({ attention, mlp }, 0), [[], []])
  t.deepEqual(dropped({ mlp: list() }, 0), [[], []])
  t.deepEqual(dropped({ mlp: list(Infinity, 1) }, 1), [[], [0]])
})

test('the run of blocks is the best of all', (t) => {
  const [states, tokens, width] = [7, 11, 5]
  const hidden = normal([states, tokens, width], 8)
  const token = (i: number, row: number) => {
    const at = (i * tokens + row) * width
    return [...(hidden.data as Float32Array).subarray(at, at + width)]
  }
  for (let drop = 1; drop < states; drop++) {
    const means = Array.from({ length: states - drop }, (_, i) => {
      const cosines = Array.from({ length: tokens }, (_, row) =>
        naive(token(i, row), token(i + drop, row), 'cosine'),
      )
      return cosines.reduce((a, b) => a + b, 0) / tokens
    })
    const best = means.indexOf(Math.max(...means))
    const { blocks, similarity } = weights.dropBlockRun(hidden, { drop })
    t.deepEqual(
      [...blocks],
      Array.from({ length: drop }, (_, i) => best + i),
    )
    t.true(near(similarity, means[best] as number))
  }
  const none = weights.dropBlockRun(hidden, { drop: 0 })
  t.deepEqual(none.blocks, new Uint32Array(0))
  t.true(near(none.similarity, 1))
  const same = tensor('float32', [4, 1, 1], [1, 2, 3, 4])
  t.deepEqual(weights.dropBlockRun(same, { drop: 1 }), { blocks: Uint32Array.of(0), similarity: 1 })
})

test('names of dropped layers go, and those that only look like them stay', (t) => {
  const names = [
    'model.layers.1.self_attn.q_proj.weight',
    'model.layers.1.input_layernorm.weight',
    'model.layers.11.self_attn.q_proj.weight',
    'model.layers.1.self_attn_norm.weight',
    'model.mylayers.1.self_attn.q_proj.weight',
    'model.layers.1.mlp.up_proj.weight',
    'model.layers.1.post_attention_layernorm.weight',
    'layers.1.self_attn.k_proj.weight',
    'model.layers.1.self_attn',
  ]
  const kept = (attention: number[] | Uint32Array, mlp: number[]) =>
    weights.namesWithoutLayers(names, { attention, mlp }).map((name) => names.indexOf(name))
  t.deepEqual(kept([], []), [0, 1, 2, 3, 4, 5, 6, 7, 8])
  t.deepEqual(kept([1], []), [2, 3, 4, 5, 6, 8])
  t.deepEqual(kept(Uint32Array.of(11), [1]), [0, 1, 3, 4, 7, 8])
})

const stats = () => new weights.SimilarityStats(2)
const x = tensor('float32', [1, 2], [1, 2])
const wrong: [string, () => unknown, string, RegExp][] = [
  ['no layers', () => new weights.SimilarityStats(0), 'RANGE', /^layers must be/],
  [
    'a metric that is none',
    () => new weights.SimilarityStats(1, { metric: 'l2' as 'mse' }),
    'RANGE',
    /^metric/,
  ],
  [
    'a reduction that is none',
    () => new weights.SimilarityStats(1, { reduce: 'max' as 'sum' }),
    'RANGE',
    /^reduce/,
  ],
  ['a layer out of range', () => stats().add(2, x, x), 'RANGE', /^layer must be below 2, got 2/],
  ['a layer below 0', () => stats().add(-1, x, x), 'RANGE', /^layer must be/],
  ['a broken layer', () => stats().add(0.5, x, x), 'RANGE', /^layer must be/],
  ['other shapes', () => stats().add(0, x, tensor('float32', [2, 1], [1, 2])), 'SHAPE', /^shape: output/],
  ['one axis', () => stats().add(0, list(1), list(1)), 'SHAPE', /^rank: input/],
  ['no features', () => stats().add(0, normal([2, 0]), normal([2, 0])), 'SHAPE', /^shape: input/],
  ['integers', () => stats().add(0, tensor('int32', [1, 1], [1]), x), 'TYPE', /^input must be float32/],
  ['neither kind', () => weights.dropLayers({}, { drop: 0 }), 'TYPE', /^similarities must have/],
  [
    'NaN',
    () => weights.dropLayers({ mlp: list(1, Number.NaN) }, { drop: 1 }),
    'RANGE',
    /^mlp must not hold NaN/,
  ],
  [
    'more than there are',
    () => weights.dropLayers({ mlp: list(1, -Infinity) }, { drop: 2 }),
    'RANGE',
    /^drop/,
  ],
  ['less than none', () => weights.dropLayers({ mlp: list(1) }, { drop: -1 }), 'RANGE', /^drop must be/],
  ['half a layer', () => weights.dropLayers({ mlp: list(1) }, { drop: 0.5 }), 'RANGE', /^drop must be/],
  ['no number', () => weights.dropLayers({ mlp: list(1) }, {} as { drop: number }), 'TYPE', /^drop must be/],
  ['one state', () => weights.dropBlockRun(normal([1, 2, 3]), { drop: 0 }), 'SHAPE', /^hidden must hold/],
  ['no token', () => weights.dropBlockRun(normal([3, 0, 3]), { drop: 0 }), 'SHAPE', /^hidden must hold/],
  ['two axes', () => weights.dropBlockRun(normal([3, 3]), { drop: 0 }), 'SHAPE', /^rank: hidden/],
  [
    'more blocks than there are',
    () => weights.dropBlockRun(normal([3, 1, 1]), { drop: 3 }),
    'RANGE',
    /^drop/,
  ],
  [
    'a state that is not finite',
    () => weights.dropBlockRun(tensor('float32', [2, 1, 1], [1, NaN]), { drop: 1 }),
    'RANGE',
    /^hidden is not finite/,
  ],
  [
    'names that are none',
    () => weights.namesWithoutLayers([1] as never, { attention: [], mlp: [] }),
    'TYPE',
    /^names/,
  ],
  [
    'a hole of names',
    () => weights.namesWithoutLayers(new Array(2), { attention: [], mlp: [] }),
    'TYPE',
    /^names/,
  ],
  ['no layers to go', () => weights.namesWithoutLayers([], null as never), 'TYPE', /^dropped must be/],
  [
    'half a layer to go',
    () => weights.namesWithoutLayers([], { attention: [0.5], mlp: [] }),
    'RANGE',
    /^attention/,
  ],
]
for (const [name, call, code, message] of wrong) {
  test(`refuses ${name}`, (t) => {
    const error = t.throws(call, { instanceOf: TamisError, message })
    t.is(error?.code, `ERR_TAMIS_${code}` as never)
  })
}

test('lists of any length are taken', (t) => {
  const attention = new Float64Array(300_000)
  attention[7] = 1
  t.deepEqual(weights.dropLayers({ attention, mlp: attention }, { drop: 2 }), {
    attention: Uint32Array.of(7),
    mlp: Uint32Array.of(7),
  })
})
