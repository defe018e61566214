import test from 'ava'
import { kernels, setThreads, type Tensor, tensor } from 'tamis'

test('types of codes follow bits and scheme', (t) => {
  const x = tensor('float32', [2, 2], [-1, 0.5, 0.25, 1])
  const type = (bits: number, scheme: 'symmetric' | 'asymmetric') =>
    kernels.quantizeSync(x, { bits, scheme }).codes.type
  t.is(type(2, 'symmetric'), 'int8')
  t.is(type(8, 'symmetric'), 'int8')
  t.is(type(9, 'symmetric'), 'int16')
  t.is(type(16, 'symmetric'), 'int16')
  t.is(type(8, 'asymmetric'), 'uint8')
  t.is(type(16, 'asymmetric'), 'uint16')
  t.is(kernels.quantizeSync(x).zero, undefined)
})

for (const scheme of ['symmetric', 'asymmetric'] as const) {
  for (const bits of [2, 5, 8, 11, 16]) {
    test(`${scheme} codes of ${bits} bits come back within half a step`, async (t) => {
      const x = kernels.normalSync(3000, { seed: bits })
      for (const options of [{}, { per: 'channel', axis: 1 }, { per: 'group', groupSize: 7 }] as const) {
        const q = await kernels.quantize({ ...x, dims: [30, 10, 10] }, { bits, scheme, ...options })
        const back = await kernels.dequantize(q)
        t.deepEqual(back, kernels.dequantizeSync(q))
        t.deepEqual(back.dims, [30, 10, 10])
        const step = Math.max(...q.scale.data)
        const furthest = Math.max(...back.data.map((item, i) => Math.abs(item - (x.data[i] as number))))
        t.true(furthest <= step * 0.51, `${furthest} ${step}`)
      }
    })
  }
}

test('scales have the dims of what shares them', (t) => {
  const x = tensor(
    'float32',
    [2, 3, 5],
    Array.from({ length: 30 }, (_, i) => i),
  )
  const dims = (options: object) => kernels.quantizeSync(x, options).scale.dims
  t.deepEqual(dims({}), [1])
  t.deepEqual(dims({ per: 'channel' }), [2])
  t.deepEqual(dims({ per: 'channel', axis: 2 }), [5])
  t.deepEqual(dims({ per: 'group', groupSize: 2 }), [2, 3, 3])
  t.deepEqual(dims({ per: 'group' }), [2, 3, 1])
  const last = kernels.quantizeSync(x, { per: 'channel', axis: 2 })
  t.deepEqual(
    [...last.scale.data],
    Array.from({ length: 5 }, (_, i) => Math.fround((25 + i) / 127)),
  )
})

test('zeros have a scale of 1, nothing has no codes', (t) => {
  const zeros = kernels.quantizeSync(tensor('float32', [2], [0, -0]), { scheme: 'asymmetric' })
  t.deepEqual(
    [[...zeros.codes.data], [...zeros.scale.data], [...(zeros.zero?.data ?? [])]],
    [[0, 0], [1], [0]],
  )
  const none = kernels.quantizeSync(tensor('float32', [0, 4], []), { per: 'group', groupSize: 2 })
  t.deepEqual(
    [none.codes.dims, none.scale.dims],
    [
      [0, 4],
      [0, 2],
    ],
  )
  t.deepEqual(kernels.dequantizeSync(none).dims, [0, 4])
  const scalar = kernels.quantizeSync(tensor('float32', [], [3]))
  t.deepEqual([...kernels.dequantizeSync(scalar).data], [Math.fround(127 * Math.fround(3 / 127))])
})

test('halves and float64 are worked on in float32', (t) => {
  const want = kernels.quantizeSync(tensor('float32', [2], [1, -2]))
  t.deepEqual(kernels.quantizeSync(tensor('float64', [2], [1, -2])), want)
  const half: Tensor = { type: 'float16', dims: [2], data: Uint16Array.of(0x3c00, 0xc000) }
  t.deepEqual(kernels.quantizeSync(half), want)
  const brain: Tensor = { type: 'bfloat16', dims: [2], data: Uint16Array.of(0x3f80, 0xc000) }
  t.deepEqual(kernels.quantizeSync(brain), want)
})

test.serial('the same on 1, 2 and 7 threads', async (t) => {
  t.teardown(() => setThreads(0))
  const long = kernels.normalSync(300_000)
  const run = async () => {
    const q = await kernels.quantize(long, { per: 'group', scheme: 'asymmetric', bits: 4 })
    return [q, kernels.quantizeSync(long), await kernels.dequantize(q)]
  }
  setThreads(1)
  const one = await run()
  for (const count of [2, 7]) {
    setThreads(count)
    t.deepEqual(await run(), one)
  }
})

const x = () => tensor('float32', [2, 2], [1, 2, 3, 4])
const q = () => kernels.quantizeSync(x(), { scheme: 'asymmetric' })
const wrong: [string, () => unknown, string, RegExp][] = [
  [
    'one bit',
    () => kernels.quantizeSync(x(), { bits: 1 }),
    'RANGE',
    /^bits must be an integer from 2 to 16, got 1/,
  ],
  [
    'one bit, asymmetric',
    () => kernels.quantizeSync(x(), { bits: 1, scheme: 'asymmetric' }),
    'RANGE',
    /^bits/,
  ],
  ['17 bits', () => kernels.quantizeSync(x(), { bits: 17 }), 'RANGE', /^bits/],
  [
    'an axis that is not there',
    () => kernels.quantizeSync(x(), { per: 'channel', axis: 2 }),
    'RANGE',
    /^axis must be below 2/,
  ],
  ['a negative axis', () => kernels.quantizeSync(x(), { per: 'channel', axis: -1 }), 'RANGE', /^axis/],
  ['groups of nothing', () => kernels.quantizeSync(x(), { per: 'group', groupSize: 0 }), 'RANGE', /group/],
  [
    'groups of a scalar',
    () => kernels.quantizeSync(tensor('float32', [], [1]), { per: 'group' }),
    'SHAPE',
    /group/,
  ],
  ['infinity', () => kernels.quantizeSync(tensor('float32', [1], [Infinity])), 'RANGE', /finite/],
  [
    'what float32 cannot hold',
    () => kernels.quantizeSync(tensor('float64', [1], [1e300])),
    'RANGE',
    /finite/,
  ],
  [
    'another scheme',
    () => kernels.quantizeSync(x(), { scheme: 'log' as 'symmetric' }),
    'RANGE',
    /^unknown scheme/,
  ],
  [
    'codes of another type',
    () => kernels.dequantizeSync({ ...q(), codes: tensor('int8', [1], [1]) }),
    'TYPE',
    /^codes/,
  ],
  [
    'scales of other dims',
    () => kernels.dequantizeSync({ ...q(), scale: tensor('float32', [2], [1, 1]) }),
    'SHAPE',
    /^shape: scale/,
  ],
  ['no zero point', () => kernels.dequantizeSync({ ...q(), zero: undefined as never }), 'TYPE', /^zero/],
]

for (const [name, call, code, message] of wrong) {
  test(`refuses ${name}`, (t) => {
    t.throws(call, { name: 'TamisError', code: `ERR_TAMIS_${code}`, message })
  })
}
