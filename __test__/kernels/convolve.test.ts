import test from 'ava'
import { kernels, setThreads, type Tensor, tensor } from 'tamis'

const line = tensor('float32', [1, 1, 4], [1, 2, 3, 4])
const ones = tensor('float32', [1, 1, 3], [1, 1, 1])
const run = (options: kernels.ConvolveOptions, weight: Tensor = ones) => [
  ...(kernels.convolveSync(line, weight, options).data as Float32Array),
]

test('paddings', (t) => {
  t.deepEqual(run({ padding: 1 }), [3, 6, 9, 7])
  t.deepEqual(run({ padding: [1], padMode: 'reflect' }), [5, 6, 9, 10])
  t.deepEqual(run({ padding: 'same', padMode: 'replicate' }), [4, 6, 9, 11])
  // An even kernel: the extra zero goes to the right.
  t.deepEqual(run({ padding: 'same' }, tensor('float32', [1, 1, 2], [1, 1])), [3, 5, 7, 4])
})

test('stride, dilation, bias', async (t) => {
  t.deepEqual(run({ stride: 2, padding: 1 }), [3, 9])
  t.deepEqual(run({ dilation: 2, padding: 2 }), [4, 6, 4, 6])
  const y = await kernels.convolve(line, ones, { bias: tensor('float32', [1], [0.5]) })
  t.deepEqual(y, tensor('float32', [1, 1, 2], [6.5, 9.5]))
})

test('one tensor of float64 makes it float64', (t) => {
  const y = kernels.convolveSync(line, tensor('float64', [1, 1, 1], [0.1]))
  t.deepEqual(y, tensor('float64', [1, 1, 4], [0.1, 0.2, 0.1 * 3, 0.4]))
})

test('three axes, and a batch of none', (t) => {
  const x = tensor('float32', [1, 1, 2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8])
  const cube = tensor('float32', [1, 1, 2, 2, 2], [1, 1, 1, 1, 1, 1, 1, 1])
  t.deepEqual(kernels.convolveSync(x, cube), tensor('float32', [1, 1, 1, 1, 1], [36]))
  t.deepEqual(kernels.convolveSync(tensor('float32', [0, 1, 4], []), ones).dims, [0, 1, 2])
})

test.serial('convolutions are the same on 1, 2 and 7 threads', async (t) => {
  t.teardown(() => setThreads(0))
  const x = { ...kernels.normalSync(3 * 130 * 140), dims: [1, 3, 130, 140] }
  const weight = { ...kernels.normalSync(4 * 27, { seed: 1 }), dims: [4, 3, 3, 3] }
  setThreads(1)
  const one = kernels.convolveSync(x, weight, { padding: 'same' })
  for (const count of [2, 7]) {
    setThreads(count)
    t.deepEqual(await kernels.convolve(x, weight, { padding: 'same' }), one)
  }
})

const wrong: [string, () => unknown, { code: string; message: RegExp }][] = [
  [
    'groups that do not divide',
    () => kernels.convolveSync(tensor('float32', [1, 3, 1], [1, 1, 1]), ones, { groups: 2 }),
    { code: 'ERR_TAMIS_SHAPE', message: /^groups/ },
  ],
  [
    'other channels',
    () => kernels.convolveSync(tensor('float32', [1, 2, 3], [1, 1, 1, 1, 1, 1]), ones),
    { code: 'ERR_TAMIS_SHAPE', message: /^channels/ },
  ],
  [
    'another bias',
    () => run({ bias: tensor('float32', [2], [1, 1]) }),
    { code: 'ERR_TAMIS_SHAPE', message: /bias/ },
  ],
  [
    'same with a stride',
    () => run({ padding: 'same', stride: 2 }),
    { code: 'ERR_TAMIS_RANGE', message: /^stride/ },
  ],
  ['a stride of 0', () => run({ stride: 0 }), { code: 'ERR_TAMIS_RANGE', message: /^stride/ }],
  ['strides of two axes', () => run({ stride: [1, 1] }), { code: 'ERR_TAMIS_SHAPE', message: /^stride/ }],
  ['a kernel that is too large', () => run({ dilation: 2 }), { code: 'ERR_TAMIS_SHAPE', message: /^kernel/ }],
  [
    'too much reflection',
    () => run({ padding: 4, padMode: 'reflect' }),
    { code: 'ERR_TAMIS_RANGE', message: /^padding/ },
  ],
  [
    'another word for same',
    () => run({ padding: 'valid' as 'same' }),
    { code: 'ERR_TAMIS_RANGE', message: /^padding/ },
  ],
  [
    'two axes',
    () => kernels.convolveSync(tensor('float32', [1, 1], [1]), ones),
    { code: 'ERR_TAMIS_SHAPE', message: /^rank/ },
  ],
]

for (const [name, call, error] of wrong) {
  test(`refuses ${name}`, (t) => {
    t.throws(call, { name: 'TamisError', ...error })
  })
}
