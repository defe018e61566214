import test from 'ava'
import { kernels, setThreads, type Tensor, tensor } from 'tamis'

const numbers = [3, 1, 3, 0, 2, 1]
const plain = ['float32', 'float64', 'int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64'] as const

for (const type of plain) {
  test(`topK of ${type} keeps the type`, async (t) => {
    const x = tensor(type, [2, 3], numbers)
    const want = {
      values: tensor(type, [2, 2], [3, 3, 2, 1]),
      indices: tensor('uint32', [2, 2], [0, 2, 1, 2]),
    }
    t.deepEqual(kernels.topKSync(x, { k: 2 }), want)
    t.deepEqual(await kernels.topK(x, { k: 2 }), want)
    const least = kernels.topKSync(x, { k: 1, largest: false })
    t.deepEqual(least.values, tensor(type, [2, 1], [1, 0]))
  })
}

test('topK of half types goes by their numbers', (t) => {
  // 1, -2, NaN, -0, 65504 (float16); 1, -2, NaN, -0, 3.39e38 (bfloat16)
  const bits = {
    float16: [0x3c00, 0xc000, 0x7e00, 0x8000, 0x7bff],
    bfloat16: [0x3f80, 0xc000, 0x7fc0, 0x8000, 0x7f7f],
  }
  for (const type of ['float16', 'bfloat16'] as const) {
    const x: Tensor<'float16' | 'bfloat16'> = { type, dims: [5], data: Uint16Array.from(bits[type]) }
    const { values, indices } = kernels.topKSync(x, { k: 5 })
    t.deepEqual([...indices.data], [4, 0, 3, 1, 2])
    t.deepEqual(
      values.data,
      Uint16Array.from([4, 0, 3, 1, 2], (i) => bits[type][i] as number),
    )
    t.deepEqual([...kernels.topKSync(x, { k: 5, largest: false }).indices.data], [1, 3, 0, 4, 2])
  }
})

test('NaN comes last both ways, equal values by index, -0 equals 0', (t) => {
  const x = tensor('float32', [6], [0, Number.NaN, -0, 5, 5, -Infinity])
  t.deepEqual([...kernels.topKSync(x, { k: 6 }).indices.data], [3, 4, 0, 2, 5, 1])
  t.deepEqual([...kernels.topKSync(x, { k: 6, largest: false }).indices.data], [5, 0, 2, 3, 4, 1])
  t.deepEqual([...kernels.topKSync(x, { k: 3, sorted: false }).indices.data], [0, 3, 4])
})

test('k = 0 and empty rows give empty axes', (t) => {
  t.deepEqual(kernels.topKSync(tensor('float32', [2, 3], numbers), { k: 0 }).values.dims, [2, 0])
  t.deepEqual(kernels.topKSync(tensor('float32', [2, 0], []), { k: 0 }).indices.dims, [2, 0])
  t.deepEqual(kernels.topKSync(tensor('float64', [0, 4], []), { k: 3 }).indices.dims, [0, 3])
})

test('gumbelTopK: a row uses the stream of its number', (t) => {
  const row = tensor('float64', [4], [0, 1, -1, 0.5])
  const rows = tensor('float64', [2, 4], [...row.data, ...row.data])
  const both = kernels.gumbelTopKSync(rows, { k: 2, seed: 5, stream: 8 })
  const second = kernels.gumbelTopKSync(row, { k: 2, seed: 5, stream: 9 })
  t.deepEqual(both.indices.dims, [2, 2])
  t.deepEqual(both.indices.data.slice(2), second.indices.data)
  t.deepEqual(both.keys.data.slice(2), second.keys.data)
})

test('gumbelTopK takes every float type', (t) => {
  const want = kernels.gumbelTopKSync(tensor('float64', [3], [0, 1, -2]), { k: 3 })
  t.deepEqual(kernels.gumbelTopKSync(tensor('float32', [3], [0, 1, -2]), { k: 3 }), want)
  const half: Tensor = { type: 'float16', dims: [3], data: Uint16Array.of(0, 0x3c00, 0xc000) }
  t.deepEqual(kernels.gumbelTopKSync(half, { k: 3 }), want)
  const brain: Tensor = { type: 'bfloat16', dims: [3], data: Uint16Array.of(0, 0x3f80, 0xc000) }
  t.deepEqual(kernels.gumbelTopKSync(brain, { k: 3 }), want)
})

test.serial('selection is the same on 1, 2 and 7 threads, at once and as a promise', async (t) => {
  t.teardown(() => setThreads(0))
  const x = kernels.normalSync(400_000)
  const run = async () => [
    kernels.topKSync(x, { k: 1000 }),
    await kernels.topK({ ...x, dims: [4000, 100] }, { k: 10, largest: false }),
    kernels.gumbelTopKSync(x, { k: 1000 }),
    await kernels.gumbelTopK({ ...x, dims: [40, 10_000] }, { k: 10, seed: 4 }),
  ]
  setThreads(1)
  const one = await run()
  for (const count of [2, 7]) {
    setThreads(count)
    t.deepEqual(await run(), one)
  }
})

const x = () => tensor('float32', [2, 3], numbers)
const weights = (...items: number[]) => tensor('float64', [items.length], items)
const wrong: [string, () => unknown, { code: string; message: RegExp }][] = [
  [
    'k above the row',
    () => kernels.topKSync(x(), { k: 4 }),
    { code: 'ERR_TAMIS_RANGE', message: /^k must be.*to 3.*got 4/ },
  ],
  ['k below 0', () => kernels.topKSync(x(), { k: -1 }), { code: 'ERR_TAMIS_RANGE', message: /^k must/ }],
  [
    'no k',
    () => kernels.topKSync(x(), {} as never),
    { code: 'ERR_TAMIS_RANGE', message: /^k must.*undefined/ },
  ],
  [
    'a scalar',
    () => kernels.topKSync(tensor('int8', [], [1]), { k: 1 }),
    { code: 'ERR_TAMIS_SHAPE', message: /^rank: x/ },
  ],
  [
    'dims that do not fit the data',
    () => kernels.topKSync({ ...x(), dims: [7] }, { k: 1 }),
    { code: 'ERR_TAMIS_SHAPE', message: /^x: dims \[7\] mean 7 items, but data holds 6/ },
  ],
  [
    'largest of another kind',
    () => kernels.topKSync(x(), { k: 1, largest: 1 as never }),
    { code: 'ERR_TAMIS_TYPE', message: /^largest/ },
  ],
  [
    'fewer weights than k',
    () => kernels.gumbelTopKSync(weights(0, -Infinity), { k: 2 }),
    { code: 'ERR_TAMIS_RANGE', message: /fewer/ },
  ],
  [
    'k above the weights',
    () => kernels.gumbelTopKSync(weights(0, 1), { k: 3 }),
    { code: 'ERR_TAMIS_RANGE', message: /k must.*fewer/ },
  ],
  [
    'NaN',
    () => kernels.gumbelTopKSync(weights(0, Number.NaN), { k: 1 }),
    { code: 'ERR_TAMIS_RANGE', message: /finite.*NaN at index 1/ },
  ],
  [
    '+Infinity',
    () => kernels.gumbelTopKSync(weights(Infinity), { k: 1 }),
    { code: 'ERR_TAMIS_RANGE', message: /finite/ },
  ],
  [
    'temperature 0',
    () => kernels.gumbelTopKSync(weights(0), { k: 1, temperature: 0 }),
    { code: 'ERR_TAMIS_RANGE', message: /^temperature must/ },
  ],
  [
    'integers as weights',
    () => kernels.gumbelTopKSync(x().type && tensor('int8', [1], [1]), { k: 1 }),
    { code: 'ERR_TAMIS_TYPE', message: /^logWeights must be float32/ },
  ],
  [
    'three axes',
    () => kernels.gumbelTopKSync(tensor('float32', [1, 1, 1], [0]), { k: 1 }),
    { code: 'ERR_TAMIS_SHAPE', message: /^rank: logWeights/ },
  ],
  [
    'more rows than streams',
    () => kernels.gumbelTopKSync(tensor('float32', [2, 1], [0, 0]), { k: 1, stream: 2 ** 32 - 1 }),
    { code: 'ERR_TAMIS_RANGE', message: /^stream/ },
  ],
]

for (const [name, call, error] of wrong) {
  test(`refuses ${name}`, (t) => {
    t.throws(call, { name: 'TamisError', ...error })
  })
}

test('a promise has its own copy: what happens to the data meanwhile does not matter', async (t) => {
  const data = Float32Array.from({ length: 100_000 }, (_, i) => (i * 7919) % 100_003)
  const dims = [data.length]
  const want = kernels.topKSync({ type: 'float32', dims, data: data.slice() }, { k: 50 })

  const changed = { type: 'float32' as const, dims: [...dims], data: data.slice() }
  const first = kernels.topK(changed, { k: 50 })
  changed.data.fill(0)
  changed.dims[0] = 1
  t.deepEqual(await first, want)

  const transferred: Tensor<'float32'> = { type: 'float32', dims, data: data.slice() }
  const second = kernels.topK(transferred, { k: 50 })
  structuredClone(transferred.data, { transfer: [transferred.data.buffer as ArrayBuffer] })
  t.is(transferred.data.length, 0)
  t.deepEqual(await second, want)
})

test('data whose buffer was transferred is refused', (t) => {
  const gone = tensor('float64', [3], [1, 2, 3])
  structuredClone(gone.data, { transfer: [gone.data.buffer as ArrayBuffer] })
  t.throws(() => kernels.topKSync(gone, { k: 1 }), {
    code: 'ERR_TAMIS_SHAPE',
    message: /^x: dims \[3\] mean 3 items, but its buffer was transferred or detached$/,
  })
})

test('data may be shared memory, a view into a buffer, or a Node buffer', (t) => {
  const shared = new Float32Array(new SharedArrayBuffer(24))
  shared.set(numbers)
  const want = kernels.topKSync(tensor('float32', [6], numbers), { k: 6 })
  t.deepEqual(kernels.topKSync({ type: 'float32', dims: [6], data: shared }, { k: 6 }), want)
  const view = new Float32Array(new ArrayBuffer(64), 12, 6)
  view.set(numbers)
  t.deepEqual(kernels.topKSync({ type: 'float32', dims: [6], data: view }, { k: 6 }), want)
  const sharedBytes = Buffer.from(new SharedArrayBuffer(6))
  sharedBytes.set(numbers)
  const most = kernels.topKSync({ type: 'uint8', dims: [6], data: sharedBytes }, { k: 1 })
  t.deepEqual(most.values.data, Uint8Array.of(3))
  const bytes = kernels.topKSync({ type: 'uint8', dims: [6], data: Buffer.from(numbers) }, { k: 2 })
  t.deepEqual([...bytes.values.data], [3, 3])
})

test('results can be sent to another thread, which copies them, and handed back in', (t) => {
  const { data } = kernels.uniformSync(1000)
  const sent = structuredClone(data, { transfer: [data.buffer as ArrayBuffer] }) as Float32Array
  t.deepEqual(sent, kernels.uniformSync(1000).data)
  const again = kernels.topKSync({ type: 'float32', dims: [1000], data: sent }, { k: 3 })
  t.deepEqual(kernels.topKSync(again.values, { k: 3 }).values, again.values)
})

test('inputs are not changed', (t) => {
  const input = x()
  kernels.topKSync(input, { k: 2 })
  t.deepEqual(input, x())
})
