import test from 'ava'
import { kernels, setThreads, type Tensor, threads } from 'tamis'

const draws: Record<string, { sync: (n: number) => Tensor; later: (n: number) => Promise<Tensor> }> = {
  philox: { sync: (n) => kernels.philoxSync(n, { seed: 7 }), later: (n) => kernels.philox(n, { seed: 7 }) },
  uniform: {
    sync: (n) => kernels.uniformSync(n, { seed: 7 }),
    later: (n) => kernels.uniform(n, { seed: 7 }),
  },
  uniform64: {
    sync: (n) => kernels.uniformSync(n, { dtype: 'float64' }),
    later: (n) => kernels.uniform(n, { dtype: 'float64' }),
  },
  normal: { sync: (n) => kernels.normalSync(n), later: (n) => kernels.normal(n) },
  normal64: {
    sync: (n) => kernels.normalSync(n, { dtype: 'float64' }),
    later: (n) => kernels.normal(n, { dtype: 'float64' }),
  },
  gumbel: { sync: (n) => kernels.gumbelSync(n), later: (n) => kernels.gumbel(n) },
  permutation: { sync: (n) => kernels.permutationSync(n), later: (n) => kernels.permutation(n) },
  below: { sync: (n) => kernels.belowSync(n, 1000), later: (n) => kernels.below(n, 1000) },
}

test.serial('draws are the same bytes on 1, 2 and 7 threads, at once and as a promise', async (t) => {
  t.teardown(() => setThreads(0))
  const n = 300_001
  for (const [name, { sync, later }] of Object.entries(draws)) {
    setThreads(1)
    const one = sync(n)
    t.deepEqual(one.dims, [n], name)
    for (const count of [2, 7]) {
      setThreads(count)
      t.is(threads(), count)
      t.deepEqual(sync(n), one, name)
      t.deepEqual(await later(n), one, name)
    }
  }
})

test('a longer draw begins with the shorter one, but for the permutation', (t) => {
  for (const [name, { sync }] of Object.entries(draws)) {
    if (name === 'permutation') continue
    t.deepEqual(
      Array.from(sync(1000).data as Float64Array).slice(0, 100),
      Array.from(sync(100).data as Float64Array),
      name,
    )
  }
})

test('a permutation holds every number once', (t) => {
  const { data } = kernels.permutationSync(1000, { seed: 3 })
  t.deepEqual(
    [...data].sort((a, b) => a - b),
    Array.from({ length: 1000 }, (_, i) => i),
  )
})

test('uniform draws lie within (0, 1), integers under their bound', (t) => {
  for (const dtype of ['float32', 'float64'] as const) {
    const { data } = kernels.uniformSync(10_000, { dtype })
    t.true(data.every((u: number) => u > 0 && u < 1))
  }
  t.true(kernels.belowSync(10_000, 7).data.every((i) => i < 7))
  t.deepEqual(kernels.belowSync(9, 2 ** 32).data, kernels.philoxSync(9).data)
})

test('a seed may be a number, a bigint or a decimal string', (t) => {
  const want = kernels.philoxSync(4, { seed: 12345 })
  t.deepEqual(kernels.philoxSync(4, { seed: 12345n }), want)
  t.deepEqual(kernels.philoxSync(4, { seed: '12345' }), want)
  t.notDeepEqual(kernels.philoxSync(4, { seed: 2n ** 64n - 1n }), want)
  t.notDeepEqual(kernels.philoxSync(4, { seed: 12345, stream: 2 ** 32 - 1 }), want)
})

test('nothing is drawn for n = 0', (t) => {
  for (const { sync } of Object.values(draws)) t.is(sync(0).data.length, 0)
})

const wrong: [string, () => unknown, { code: string; message: RegExp }][] = [
  [
    'n below 0',
    () => kernels.philoxSync(-1),
    { code: 'ERR_TAMIS_RANGE', message: /^n must be an integer.*got -1$/ },
  ],
  ['n that is no integer', () => kernels.normalSync(1.5), { code: 'ERR_TAMIS_RANGE', message: /^n must be/ }],
  ['n above 2^32-1', () => kernels.gumbelSync(2 ** 32), { code: 'ERR_TAMIS_RANGE', message: /^n must be/ }],
  [
    'n of another kind',
    () => kernels.uniformSync('9' as never),
    { code: 'ERR_TAMIS_TYPE', message: /^n must be.*"9"/ },
  ],
  [
    'seed below 0',
    () => kernels.philoxSync(1, { seed: -1 }),
    { code: 'ERR_TAMIS_RANGE', message: /^seed must be/ },
  ],
  [
    'seed above 2^64-1',
    () => kernels.philoxSync(1, { seed: 2n ** 64n }),
    { code: 'ERR_TAMIS_RANGE', message: /^seed/ },
  ],
  [
    'unsafe seed',
    () => kernels.philoxSync(1, { seed: 2 ** 53 }),
    { code: 'ERR_TAMIS_RANGE', message: /^seed/ },
  ],
  [
    'seed of words',
    () => kernels.philoxSync(1, { seed: '0x1' }),
    { code: 'ERR_TAMIS_RANGE', message: /^seed/ },
  ],
  [
    'stream',
    () => kernels.philoxSync(1, { stream: 2 ** 32 }),
    { code: 'ERR_TAMIS_RANGE', message: /^stream must be/ },
  ],
  [
    'bound 0',
    () => kernels.belowSync(1, 0),
    { code: 'ERR_TAMIS_RANGE', message: /^bound must be an integer from 1/ },
  ],
  [
    'dtype',
    () => kernels.uniformSync(1, { dtype: 'int8' as never }),
    { code: 'ERR_TAMIS_RANGE', message: /^dtype must/ },
  ],
  [
    'an unknown option',
    () => kernels.philoxSync(1, { sede: 1 } as never),
    { code: 'ERR_TAMIS_TYPE', message: /unknown option "sede", did you mean "seed"/ },
  ],
  [
    'options of another kind',
    () => kernels.philoxSync(1, 7 as never),
    { code: 'ERR_TAMIS_TYPE', message: /^options/ },
  ],
]

for (const [name, call, error] of wrong) {
  test(`refuses ${name}`, (t) => {
    t.throws(call, { name: 'TamisError', ...error })
  })
}

test('a promise rejects with what the call at once throws', async (t) => {
  await t.throwsAsync(() => kernels.below(3, 0), { code: 'ERR_TAMIS_RANGE', message: /^bound must be/ })
  await t.throwsAsync(() => kernels.philox(1, { sede: 1 } as never), { message: /did you mean "seed"/ })
  await t.throwsAsync(() => kernels.philox(1, 'x' as never), { message: /^options must be an object/ })
})

test.serial('more than there is memory for is refused before it is asked of the system', (t) => {
  const available = process.availableMemory
  t.teardown(() => {
    process.availableMemory = available
  })
  process.availableMemory = () => 2e9
  for (const { sync } of Object.values(draws)) {
    const error = t.throws(() => sync(2 ** 32 - 1), { code: 'ERR_TAMIS_RANGE' })
    t.regex(error?.message ?? '', /^n is too large: it needs \d+\.\d GB of memory, and 2\.0 GB are free$/)
  }
})

test('an aborted signal rejects, and its reason is the cause', async (t) => {
  const controller = new AbortController()
  const call = kernels.philox(10, { signal: controller.signal })
  controller.abort('enough')
  const error = await t.throwsAsync(call, { code: 'ERR_TAMIS_ABORTED' })
  t.is(error?.cause, 'enough')
  await t.throwsAsync(() => kernels.normal(10, { signal: AbortSignal.abort() }), {
    code: 'ERR_TAMIS_ABORTED',
  })
  await t.throwsAsync(() => kernels.normal(10, { signal: 1 as never }), {
    message: /^signal must be an AbortSignal/,
  })
})

test('thousands of calls at once share the threads', async (t) => {
  const calls = Array.from({ length: 5000 }, (_, stream) => kernels.philox(4, { stream }))
  const results = await Promise.all(calls)
  t.deepEqual(results[4321], kernels.philoxSync(4, { stream: 4321 }))
})

test('a call that blocks fills memory of the caller, and refuses what is none for it', async (t) => {
  for (const [name, f, g] of [
    ['uniform', kernels.uniformSync, kernels.uniform],
    ['normal', kernels.normalSync, kernels.normal],
    ['gumbel', kernels.gumbelSync, kernels.gumbel],
  ] as const) {
    for (const dtype of ['float32', 'float64'] as const) {
      const all = dtype === 'float32' ? new Float32Array(70_010) : new Float64Array(70_010)
      const out = all.subarray(3, 70_004)
      const drawn = f(out.length, { seed: 5, stream: 2, dtype, out })
      t.is(drawn.data, out)
      t.deepEqual(drawn, f(out.length, { seed: 5, stream: 2, dtype }), name)
      t.deepEqual([...all.subarray(0, 3), ...all.subarray(70_004)], Array(9).fill(0), name)
      t.throws(() => f(4, { dtype, out }), { code: 'ERR_TAMIS_SHAPE', message: /^out: / })
      t.throws(() => f(2, { dtype, out: new Uint32Array(2) as never }), { code: 'ERR_TAMIS_TYPE' })
    }
    t.throws(() => f(2, { out: new Float64Array(2) }), { code: 'ERR_TAMIS_TYPE', message: /Float32Array/ })
    const shared = new Float32Array(new SharedArrayBuffer(8))
    t.throws(() => f(2, { out: shared }), { code: 'ERR_TAMIS_TYPE', message: /SharedArrayBuffer/ })
    t.deepEqual(f(2, { out: undefined }), f(2), name)
    t.deepEqual(f(0, { out: new Float32Array() }).dims, [0])
    await t.throwsAsync(g(2, { out: new Float32Array(2) } as never), { message: /unknown option "out"/ })
  }
  const out = new Uint32Array(9)
  t.is(kernels.philoxSync(9, { seed: 1, out }).data, out)
  t.deepEqual(out, kernels.philoxSync(9, { seed: 1 }).data)
  t.is(kernels.belowSync(9, 7, { seed: 1, out }).data, out)
  t.deepEqual(out, kernels.belowSync(9, 7, { seed: 1 }).data)
  t.throws(() => kernels.belowSync(9, 0, { out }), { message: /bound/ })
  t.throws(() => kernels.philoxSync(8, { out }), { code: 'ERR_TAMIS_SHAPE' })
  t.throws(() => kernels.philoxSync(9, { out: new Int32Array(9) as never }), { code: 'ERR_TAMIS_TYPE' })
})
