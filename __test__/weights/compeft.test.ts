import test from 'ava'
import { kernels, setThreads, TamisError, type Tensor, tensor, weights } from 'tamis'

const float32 = (...items: number[]) => tensor('float32', [items.length], items)

test('names are ordered by their UTF-8 bytes: the first of equal magnitudes is kept', async (t) => {
  // In UTF-16 the astral name would come first.
  const update = { '\u{1f600}': float32(1), '\uff5e': float32(-1), '10': float32(1), '9': float32(1) }
  const { tensors } = await weights.compressUpdate(update, { density: 0.75 })
  const kept = Object.entries(tensors).filter(
    ([, { positive, negative }]) => positive.data[0] || negative.data[0],
  )
  t.deepEqual(kept.map(([name]) => name).sort(), ['10', '9', '\uff5e'].sort())
})

test('ternarize is compressUpdate of one tensor, at once and as a promise', async (t) => {
  const x = kernels.normalSync(1001, { seed: 3 })
  for (const options of [{}, { density: 0.05, alpha: 4 }, { scale: 'mean-abs' }, { density: 1 }] as const) {
    const { tensors, scale } = await weights.compressUpdate({ x }, options)
    t.deepEqual(tensors.x, kernels.ternarizeSync(x, options))
    t.deepEqual(tensors.x, await kernels.ternarize(x, options))
    t.is(tensors.x?.scale, scale)
  }
})

test('halves are widened, float64 is ranked and summed as it is', async (t) => {
  const half: Tensor = { type: 'float16', dims: [3], data: Uint16Array.of(0x3c00, 0xc000, 0x3800) }
  t.deepEqual(kernels.ternarizeSync(half), kernels.ternarizeSync(float32(1, -2, 0.5)))
  const close = tensor('float64', [2], [1, 1 + 1e-12])
  t.deepEqual([...kernels.ternarizeSync(close, { density: 0.5 }).positive.data], [2])
  const mixed = await weights.compressUpdate({ a: close, b: half }, { density: 0.5 })
  t.deepEqual([...(mixed.tensors.b?.negative.data ?? [])], [2])
})

test('nothing but zeros: scale 0, no bits, nothing kept', async (t) => {
  const { tensors, scale, cost } = await weights.compressUpdate({ w: float32(0, -0, 0) }, { density: 1 })
  t.is(scale, 0)
  t.is(cost.kept, 0)
  t.is(cost.golombBits, 16)
  t.deepEqual(weights.expandTernary(tensors.w as never).data, new Float32Array(3))
})

test('one item: the scale is its magnitude', async (t) => {
  t.is((await weights.compressUpdate({ w: float32(-3) })).scale, 3)
})

test('both encodings of a file hold the same, with metadata and names of all kinds', async (t) => {
  const update = Object.fromEntries(
    ['a', 'a-b', '0', 'é', '\u{1f600}', '__proto__', 'q"\\'].map((name, i) => [
      name,
      kernels.normalSync(70_001 * (i === 0 ? 1 : 0) + i * 13, { seed: i }),
    ]),
  )
  const { tensors } = await weights.compressUpdate(update, { density: 0.07 })
  for (const encoding of ['golomb', 'bitmask'] as const) {
    const file = weights.writeTernary(tensors, { encoding })
    const back = weights.readTernary(file)
    t.deepEqual(Object.entries(back).sort(), Object.entries(tensors).sort())
    const padded = Buffer.concat([Buffer.from('12345'), file]).subarray(5)
    t.deepEqual(weights.readTernary(padded), back)
    t.deepEqual(weights.readTernary(tensor('uint8', [file.length], file)), back)
  }
})

test('a payload comes back from any density', (t) => {
  for (const density of [1e-6, 0.001, 0.2, 1]) {
    const x = kernels.ternarizeSync(kernels.normalSync(200_003, { seed: 9 }), { density })
    const { dims, scale } = x
    t.deepEqual(weights.decodeTernary(weights.encodeTernary(x), { encoding: 'golomb', dims, scale }), x)
  }
})

test.serial('the same on 1, 2 and 7 threads', async (t) => {
  t.teardown(() => setThreads(0))
  const x = kernels.normalSync(1_300_001)
  const update = { a: x, b: kernels.normalSync(70_001, { seed: 1 }) }
  const y = kernels.normalSync(1300)
  const matrix = kernels.ternarizeSync({ ...kernels.normalSync(1_300_000), dims: [1000, 1300] })
  const run = async () => {
    const { tensors, scale } = await weights.compressUpdate(update, { density: 0.1 })
    const mean = await weights.compressUpdate(update, { density: 0.1, scale: 'mean-abs' })
    return [scale, mean, weights.writeTernary(tensors), weights.multiplyTernary(matrix, y)]
  }
  setThreads(1)
  const one = await run()
  for (const count of [2, 7]) {
    setThreads(count)
    t.deepEqual(await run(), one)
  }
})

test('multiplyTernary and dotTernary are those of the expanded tensors', (t) => {
  const a = kernels.ternarizeSync({ ...kernels.normalSync(7 * 150), dims: [7, 150] }, { density: 0.3 })
  const b = kernels.ternarizeSync({ ...kernels.normalSync(7 * 150, { seed: 5 }), dims: [7, 150] })
  const [wide, other] = [weights.expandTernary(a).data, weights.expandTernary(b).data]
  const dot = wide.reduce((sum, item, i) => sum + item * (other[i] as number), 0)
  t.true(Math.abs(weights.dotTernary(a, b) - dot) < 1e-4)
  const batch = { ...kernels.normalSync(300, { seed: 8 }), dims: [2, 150] }
  const y = weights.multiplyTernary(a, batch)
  t.deepEqual(y.dims, [2, 7])
  for (const [i, got] of y.data.entries()) {
    const [r, c] = [Math.floor(i / 7), i % 7]
    let want = 0
    for (let j = 0; j < 150; j++) want += (wide[c * 150 + j] as number) * (batch.data[r * 150 + j] as number)
    t.true(Math.abs(got - want) < 1e-4)
  }
  const double = tensor('float64', [150], Array.from(batch.data.slice(0, 150)))
  t.is(weights.multiplyTernary(a, double).type, 'float64')
  t.deepEqual(weights.multiplyTernary(a, double).dims, [7])
})

test('a promise has its own copy', async (t) => {
  const x = kernels.normalSync(100_000)
  const want = await weights.compressUpdate({ x })
  const changed = { type: 'float32' as const, dims: [100_000], data: x.data.slice() as Float32Array }
  const running = weights.compressUpdate({ x: changed })
  changed.data.fill(0)
  t.deepEqual(await running, want)
})

test('a stopped promise rejects', async (t) => {
  const signal = AbortSignal.abort()
  await t.throwsAsync(weights.compressUpdate({ w: float32(1) }, { signal }), { code: 'ERR_TAMIS_ABORTED' })
})

const t3 = () => kernels.ternarizeSync(tensor('float32', [3], [3, -2, 0.1]), { density: 0.7 })
const payload = () => weights.encodeTernary(t3())
const decode = (bytes: Uint8Array, dims = [3]) =>
  weights.decodeTernary(bytes, { encoding: 'golomb', dims, scale: 1 })
const changed = (bytes: Uint8Array, at: number, byte: number) => {
  const copy = Uint8Array.from(bytes)
  copy[at] = byte
  return copy
}
/** A file of this header. */
const file = (header: object) => {
  const text = Buffer.from(JSON.stringify(header))
  const head = Buffer.alloc(8)
  head.writeBigUInt64LE(BigInt(text.length))
  return Uint8Array.from(Buffer.concat([head, text]))
}
const ours = (metadata: object) =>
  file({ __metadata__: { format: 'tamis.ternary', version: '1', ...metadata } })

const wrong: [string, () => unknown, string, RegExp][] = [
  [
    'density 0',
    () => weights.compressUpdate({ w: float32(1) }, { density: 0 }),
    'RANGE',
    /^density must be in \(0, 1\], got 0/,
  ],
  [
    'density NaN',
    () => weights.compressUpdate({ w: float32(1) }, { density: Number.NaN }),
    'RANGE',
    /^density must be in \(0, 1\]/,
  ],
  [
    'alpha 0',
    () => weights.compressUpdate({ w: float32(1) }, { alpha: 0 }),
    'RANGE',
    /^alpha must be positive, got 0/,
  ],
  [
    'alpha infinite',
    () => weights.compressUpdate({ w: float32(1) }, { alpha: Infinity }),
    'RANGE',
    /^alpha must be positive/,
  ],
  [
    'an alpha that overflows',
    () => weights.compressUpdate({ w: float32(9, 1) }, { alpha: 1e300 }),
    'RANGE',
    /^scale must be finite/,
  ],
  ['no tensors', () => weights.compressUpdate({}), 'RANGE', /^update is empty/],
  ['no items', () => weights.compressUpdate({ w: float32() }), 'RANGE', /^update is empty/],
  ['nothing to ternarize', () => kernels.ternarize(float32()), 'RANGE', /^update is empty/],
  [
    'NaN',
    () => weights.compressUpdate({ a: float32(1), w: float32(1, Number.NaN) }),
    'RANGE',
    /"w" is not finite/,
  ],
  ['infinity', () => kernels.ternarize(float32(Infinity)), 'RANGE', /^x is not finite/],
  ['integers', () => weights.compressUpdate({ w: tensor('int8', [1], [1]) }), 'TYPE', /"w" must be float32/],
  [
    'another scale',
    () => weights.compressUpdate({ w: float32(1) }, { scale: 'max' as 'std' }),
    'RANGE',
    /^unknown scale/,
  ],
  [
    'another encoding',
    () => weights.encodeTernary(t3(), { encoding: 'rle' as 'golomb' }),
    'RANGE',
    /^unknown encoding/,
  ],
  [
    'another encoding of a file',
    () => weights.writeTernary({}, { encoding: 'rle' as 'golomb' }),
    'RANGE',
    /^unknown encoding/,
  ],
  [
    'another encoding to decode',
    () => weights.decodeTernary(payload(), { encoding: 'bitmask' as 'golomb', dims: [3], scale: 1 }),
    'RANGE',
    /^unknown encoding/,
  ],
  [
    'a dot of other dims',
    () => weights.dotTernary(t3(), { ...t3(), dims: [3, 1] }),
    'SHAPE',
    /^shape mismatch/,
  ],
  ['a vector times', () => weights.multiplyTernary(t3(), float32(1, 1, 1)), 'SHAPE', /^shape mismatch/],
  [
    'other columns',
    () => weights.multiplyTernary({ ...t3(), dims: [1, 3] }, float32(1, 1)),
    'SHAPE',
    /^shape mismatch/,
  ],
  [
    'masks of another length',
    () => weights.expandTernary({ ...t3(), dims: [9] }),
    'SHAPE',
    /^shape: t.positive/,
  ],
  ['both bits of one', () => weights.encodeTernary({ ...t3(), negative: t3().positive }), 'RANGE', /both/],
  [
    'a bit behind the end',
    () => weights.expandTernary({ ...t3(), positive: tensor('uint8', [1], [8]) }),
    'RANGE',
    /behind the last/,
  ],
  ['no bytes', () => decode(new Uint8Array(0)), 'FORMAT', /golomb stream is truncated/],
  ['a stream cut short', () => decode(payload().slice(0, -1)), 'FORMAT', /golomb stream is truncated/],
  ['a table behind the end', () => decode(changed(payload(), 12, 200)), 'FORMAT', /golomb stream is corrupt/],
  ['a gap behind the end', () => decode(payload(), [1]), 'FORMAT', /golomb stream is corrupt/],
  ['a parameter that is none', () => decode(changed(payload(), 0, 17)), 'FORMAT', /golomb stream is corrupt/],
  ['bytes behind', () => decode(Uint8Array.of(...payload(), 0)), 'FORMAT', /golomb stream is corrupt/],
  ['no file', () => weights.readTernary(new Uint8Array(3)), 'FORMAT', /^not a ternary file/],
  [
    'a header behind the end',
    () => weights.readTernary(new Uint8Array(8).fill(9)),
    'FORMAT',
    /^not a ternary file/,
  ],
  ['another format', () => weights.readTernary(ours({ format: 'pt' })), 'FORMAT', /^not a ternary file/],
  ['no metadata', () => weights.readTernary(file({})), 'FORMAT', /^not a ternary file/],
  ['another version', () => weights.readTernary(ours({ version: '2' })), 'FORMAT', /^unsupported version/],
  [
    'a file of another encoding',
    () => weights.readTernary(ours({ encoding: 'zip' })),
    'RANGE',
    /^unknown encoding/,
  ],
  [
    'a file without shapes',
    () => weights.readTernary(ours({ encoding: 'golomb' })),
    'FORMAT',
    /^not a ternary file/,
  ],
  [
    'a tensor that is not there',
    () => weights.readTernary(ours({ encoding: 'golomb', shapes: '{"w":[1]}' })),
    'FORMAT',
    /^not a ternary file: it has no tensor "w.scale"/,
  ],
  ['what is no record', () => weights.compressUpdate([] as never), 'TYPE', /^update must be an object/],
  [
    'what is no ternary tensor',
    () => weights.expandTernary(float32(1) as never),
    'TYPE',
    /^t must be a ternary tensor/,
  ],
]

for (const [name, call, code, message] of wrong) {
  test(`refuses ${name}`, async (t) => {
    const error = await t.throwsAsync(async () => call(), { instanceOf: TamisError, message })
    t.is(error?.code, `ERR_TAMIS_${code}` as never)
  })
}
