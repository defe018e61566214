import { runInNewContext } from 'node:vm'
import test from 'ava'
import { kernels, TamisError, type Tensor, tensor } from 'tamis'

test('tensor converts numbers as its typed array does', (t) => {
  t.deepEqual(tensor('float32', [2], [1, 2]), { type: 'float32', dims: [2], data: Float32Array.of(1, 2) })
  t.deepEqual(tensor('int64', [2], [1, 2n]).data, BigInt64Array.of(1n, 2n))
  t.deepEqual(tensor('bool', [2], [0, 1]).data, Uint8Array.of(0, 1))
  t.deepEqual(tensor('float64', [], [7]).dims, [])
  t.deepEqual(tensor('uint8', [1], Float32Array.of(3)).data, Uint8Array.of(3))
})

const ok = tensor('float32', [2], [1, 2])
const wrong: [string, unknown, string, RegExp][] = [
  ['no tensor', undefined, 'ERR_TAMIS_TYPE', /^x must be a tensor \{ type, dims, data \}, got undefined/],
  ['a bare array', [1, 2], 'ERR_TAMIS_TYPE', /^x must be a tensor.*got \[1, 2\]/],
  ['a typed array', Float32Array.of(1), 'ERR_TAMIS_TYPE', /^x must be a tensor.*got Float32Array/],
  [
    'an unknown type',
    { ...ok, type: 'string' },
    'ERR_TAMIS_TYPE',
    /type must be one of float32.*got "string"/,
  ],
  ['a type that objects inherit', { ...ok, type: 'toString' }, 'ERR_TAMIS_TYPE', /type must be one of/],
  ['no dims', { ...ok, dims: undefined }, 'ERR_TAMIS_SHAPE', /^x: dims must be a list of integers >= 0/],
  ['broken dims', { ...ok, dims: [0.5] }, 'ERR_TAMIS_SHAPE', /^x: dims must be.*got \[0.5\]/],
  ['negative dims', { ...ok, dims: [-2, -1] }, 'ERR_TAMIS_SHAPE', /^x: dims must be/],
  [
    'dims of another product',
    { ...ok, dims: [3] },
    'ERR_TAMIS_SHAPE',
    /^x: dims \[3\] mean 3 items, but data holds 2/,
  ],
  [
    'data of numbers',
    { ...ok, data: [1, 2] },
    'ERR_TAMIS_TYPE',
    /^x: the data of a float32 tensor must be a Float32Array/,
  ],
  [
    'data of another type',
    { ...ok, data: Int8Array.of(1, 2) },
    'ERR_TAMIS_TYPE',
    /must be a Float32Array, got Int8Array/,
  ],
  [
    'a view without items',
    { ...ok, data: new DataView(new ArrayBuffer(8)) },
    'ERR_TAMIS_TYPE',
    /Float32Array/,
  ],
]

for (const [name, value, code, message] of wrong) {
  test(`refuses ${name}`, (t) => {
    t.throws(() => kernels.topKSync(value as Tensor, { k: 1 }), { instanceOf: TamisError, code, message })
  })
}

test('tensor refuses what it cannot convert', (t) => {
  t.throws(() => tensor('float16' as never, [1], [1]), {
    code: 'ERR_TAMIS_TYPE',
    message: /^type must be one of/,
  })
  t.throws(() => tensor('int8', [3], [1]), { code: 'ERR_TAMIS_SHAPE', message: /dims \[3\]/ })
})

test('tensors of another realm, and objects with getters as runtimes hand them out', (t) => {
  const foreign = runInNewContext(
    '({ type: "float32", dims: [3], data: Float32Array.of(1, 3, 2) })',
  ) as Tensor
  t.is(kernels.topKSync(foreign, { k: 1 }).indices.data[0], 1)
  class Handed {
    get type() {
      return 'float32' as const
    }
    get dims() {
      return [3]
    }
    get data() {
      return Float32Array.of(1, 3, 2)
    }
  }
  t.is(kernels.topKSync(new Handed(), { k: 1 }).values.data[0], 3)
})
