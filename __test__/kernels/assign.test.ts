import test from 'ava'
import { kernels, tensor } from 'tamis'

test('apportion takes lists, typed arrays and tensors, at once and as a promise', async (t) => {
  const want = tensor('uint32', [3], [2, 3, 5])
  t.deepEqual(kernels.apportionSync(10, [2, 3, 5]), want)
  t.deepEqual(kernels.apportionSync(10, Float32Array.of(2, 3, 5)), want)
  t.deepEqual(await kernels.apportion(10, tensor('uint32', [3], [2, 3, 5])), want)
  t.deepEqual(await kernels.apportion(0, []), tensor('uint32', [0], []))
  t.deepEqual([...kernels.apportionSync(4, [1, 1], { capacities: [1, Infinity] }).data], [1, 3])
  t.deepEqual(
    [...kernels.apportionSync(4, [1, 1], { capacities: tensor('float64', [2], [1, 9]) }).data],
    [1, 3],
  )
})

test('assign: largest and least, of any type, rectangular and empty', async (t) => {
  const cost = tensor('int32', [2, 3], [4, 1, 3, 2, 0, 5])
  t.deepEqual(kernels.assignSync(cost), { columns: tensor('uint32', [2], [1, 0]), total: 3 })
  t.deepEqual(await kernels.assign(cost, { maximize: true }), {
    columns: tensor('uint32', [2], [0, 2]),
    total: 9,
  })
  t.deepEqual(kernels.assignSync(tensor('float32', [0, 4], [])), {
    columns: tensor('uint32', [0], []),
    total: 0,
  })
})

test('an aborted assignment rejects', async (t) => {
  const signal = AbortSignal.abort()
  await t.throwsAsync(kernels.assign(tensor('float32', [1, 1], [1]), { signal }), {
    code: 'ERR_TAMIS_ABORTED',
  })
})

const wrong: [string, () => unknown, { code: string; message: RegExp }][] = [
  ['a negative total', () => kernels.apportionSync(-1, [1]), { code: 'ERR_TAMIS_RANGE', message: /^total/ }],
  ['half a total', () => kernels.apportionSync(1.5, [1]), { code: 'ERR_TAMIS_RANGE', message: /^total/ }],
  [
    'a negative weight',
    () => kernels.apportionSync(1, [1, -1]),
    { code: 'ERR_TAMIS_RANGE', message: /^weights.*-1 at index 1/ },
  ],
  [
    'weights of 0 alone',
    () => kernels.apportionSync(1, [0, 0]),
    { code: 'ERR_TAMIS_RANGE', message: /^weights/ },
  ],
  [
    'weights that are none',
    () => kernels.apportionSync(1, ['1'] as never),
    { code: 'ERR_TAMIS_TYPE', message: /^weights\[0\] must be a number/ },
  ],
  [
    'no weights',
    () => kernels.apportionSync(1, null as never),
    { code: 'ERR_TAMIS_TYPE', message: /^weights/ },
  ],
  [
    'other capacities',
    () => kernels.apportionSync(1, [1, 1], { capacities: [1] }),
    { code: 'ERR_TAMIS_RANGE', message: /weights.*capacities/ },
  ],
  [
    'too little room',
    () => kernels.apportionSync(5, [1, 1, 0], { capacities: [2, 2, 9] }),
    { code: 'ERR_TAMIS_RANGE', message: /^capacities/ },
  ],
  [
    'more rows than columns',
    () => kernels.assignSync(tensor('float32', [2, 1], [1, 2])),
    { code: 'ERR_TAMIS_SHAPE', message: /rows/ },
  ],
  [
    'infinite costs',
    () => kernels.assignSync(tensor('float32', [1, 1], [Infinity])),
    { code: 'ERR_TAMIS_RANGE', message: /finite/ },
  ],
  [
    'costs of one axis',
    () => kernels.assignSync(tensor('float32', [1], [1])),
    { code: 'ERR_TAMIS_SHAPE', message: /^rank/ },
  ],
]

for (const [name, call, error] of wrong) {
  test(`refuses ${name}`, (t) => {
    t.throws(call, { name: 'TamisError', ...error })
  })
}
