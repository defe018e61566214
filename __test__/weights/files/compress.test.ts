/** Updates compressed and expanded on disk: the bytes are those of the functions in memory. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { type Tensor, weights } from 'tamis'
import { folder } from '../../corpus/files/support.js'
import {
  bf16,
  f16,
  f32,
  numbers,
  readTensors,
  widen,
  widenAll,
  writeShards,
  writeTensors,
} from './support.js'

type Dict = Record<string, Tensor>

/** Longer than a window, which is four million items of one tensor. */
const LONG = 4_300_009

function update(seed: number, long = LONG): Dict {
  return {
    b: f32([7, 9], numbers(63, seed, 1 / 8)),
    'a.long': f32([long], numbers(long, seed + 1, 1 / 64)),
    'b.x': f16([5, 11], numbers(55, seed + 2)),
    empty: f32([0], new Float32Array()),
    'é"\n': bf16([33], numbers(33, seed + 3)),
  }
}

for (const options of [
  {},
  { density: 1, alpha: 2.5 },
  { density: 0.05, scale: 'mean-abs', encoding: 'bitmask' },
  { density: 0.5, scale: 'mean-abs' },
] as const) {
  test(`compressing with ${JSON.stringify(options)} writes what compressUpdate and writeTernary make`, async (t) => {
    const dir = await folder(t)
    const tensors = update(3)
    const path = await writeTensors(join(dir, 'x.safetensors'), tensors)
    const out = join(dir, 'out.safetensors')
    const { files, scale, kept, bytes, ...told } = await weights.compressUpdateFiles(path, {
      out,
      ...options,
    })
    t.deepEqual(files, [out])
    const { encoding = 'golomb', ...how } = options as { encoding?: 'golomb' | 'bitmask' }
    const compressed = await weights.compressUpdate(widenAll(tensors), how)
    const written = Buffer.from(weights.writeTernary(compressed.tensors, { encoding }))
    const got = await readFile(out)
    t.is(bytes, written.length)
    t.is(got.subarray(0, 2000).toString('latin1'), written.subarray(0, 2000).toString('latin1'))
    t.true(got.equals(written))
    t.is(scale, compressed.scale)
    const { cost } = compressed
    t.deepEqual([kept, told.elements, told.golombParameter], [cost.kept, cost.elements, cost.golombParameter])
    t.deepEqual(
      [told.entropyBits, told.golombBits, told.bitmaskBits, told.denseBits],
      [cost.entropyBits, cost.golombBits, cost.bitmaskBits, cost.denseBits],
    )
    const back = join(dir, 'back.safetensors')
    await weights.expandUpdateFiles(out, { out: back })
    const expanded = (await readTensors(back)).tensors
    for (const [name, tensor] of Object.entries(compressed.tensors)) {
      const want = weights.expandTernary(tensor)
      t.deepEqual([...(expanded[name] as Tensor).dims], [...want.dims])
      const bytesOf = ({ data }: Tensor) =>
        Buffer.from(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength)
      t.true(bytesOf(expanded[name] as Tensor).equals(bytesOf(want)), name)
    }
  })
}

test('an update of a base goes back onto it, with its files', async (t) => {
  const dir = await folder(t)
  const side = { 'config.json': '{"tie_word_embeddings": true, "dtype": "float32"}', 'tokenizer.json': '{}' }
  const dict = (seed: number): [Dict, Dict] => {
    const embed = f32([30, 4], numbers(120, seed))
    return [{ 'wte.weight': embed, w: bf16([50], numbers(50, seed + 1)) }, { 'lm_head.weight': embed }]
  }
  const base = await writeShards(join(dir, 'base'), dict(1), side)
  const tuned = await writeShards(join(dir, 'tuned'), dict(2), side)
  const small = join(dir, 'small')
  const { elements, files } = await weights.compressUpdateFiles(tuned, { base, out: small, density: 0.4 })
  t.is(elements, 170)
  t.deepEqual(files, [join(small, 'update.safetensors')])
  t.deepEqual((await readdir(small)).sort(), [
    'config.json',
    'manifest.json',
    'tokenizer.json',
    'update.safetensors',
  ])
  const out = join(dir, 'out')
  await weights.expandUpdateFiles(small, { base, out, lambda: 0.5 })
  const [{ 'wte.weight': embed, w }] = dict(1)
  const wide = widenAll({ 'wte.weight': embed as Tensor, w: w as Tensor })
  const [{ 'wte.weight': embed2, w: w2 }] = dict(2)
  const tau = weights.taskVector(widenAll({ 'wte.weight': embed2 as Tensor, w: w2 as Tensor }), wide)
  const { tensors } = await weights.compressUpdate(tau, { density: 0.4 })
  const expanded = Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => [name, weights.expandTernary(tensor)]),
  )
  const want = weights.addUpdate(wide, expanded, { lambda: 0.5 })
  const first = (await readTensors(join(out, 'model-00001-of-00002.safetensors'))).tensors
  const second = (await readTensors(join(out, 'model-00002-of-00002.safetensors'))).tensors
  t.deepEqual(first['wte.weight'], want['wte.weight'])
  t.deepEqual(second['lm_head.weight'], want['wte.weight'])
  t.deepEqual(first.w, bf16([50], want.w?.data as Float32Array))
  t.is(await readFile(join(out, 'config.json'), 'utf8'), side['config.json'])
  const half = join(dir, 'half')
  await weights.expandUpdateFiles(small, { base, out: half, dtype: 'float16' })
  t.regex(await readFile(join(half, 'config.json'), 'utf8'), /"dtype": "float16"/)
  const { 'wte.weight': rounded } = (await readTensors(join(half, 'model-00001-of-00002.safetensors')))
    .tensors
  t.is(rounded?.type, 'float16')
  const whole = weights.addUpdate(wide, expanded)
  t.deepEqual(widen(rounded as Tensor), widen(f16([30, 4], whole['wte.weight']?.data as Float32Array)))
})

test('an adapter goes and comes back as a folder', async (t) => {
  const dir = await folder(t)
  const adapter = join(dir, 'adapter')
  await writeTensors(join(adapter, 'adapter_model.safetensors'), update(5, 1000))
  await writeFile(join(adapter, 'adapter_config.json'), '{"peft_type":"LORA"}')
  const small = join(dir, 'small')
  await weights.compressUpdateFiles(adapter, { out: small })
  const back = join(dir, 'back')
  const { files } = await weights.expandUpdateFiles(small, { out: back, dtype: 'bfloat16' })
  t.deepEqual(files, [join(back, 'adapter_model.safetensors')])
  t.deepEqual((await readdir(back)).sort(), [
    'adapter_config.json',
    'adapter_model.safetensors',
    'manifest.json',
  ])
  const { tensors, metadata } = await readTensors(files[0] as string)
  t.deepEqual(metadata, { format: 'pt' })
  t.true(Object.values(tensors).every((tensor) => tensor.type === 'bfloat16'))
})

test('what is no compressed update, or a damaged one, is refused', async (t) => {
  const dir = await folder(t)
  const out = join(dir, 'out.safetensors')
  const plain = await writeTensors(join(dir, 'plain.safetensors'), { w: f32([9], numbers(9, 1)) })
  const refused = async (path: string, message: RegExp, options: object = {}) => {
    const call = weights.expandUpdateFiles(path, { out, ...options })
    await t.throwsAsync(call, { name: 'TamisError', message })
    t.false((await readdir(dir)).includes('out.safetensors'))
  }
  await refused(plain, /plain\.safetensors: not a ternary file/)
  const small = join(dir, 'small.safetensors')
  for (const encoding of ['golomb', 'bitmask'] as const) {
    await weights.compressUpdateFiles(plain, { out: small, encoding, force: true, density: 1 })
    const { tensors, metadata } = await readTensors(small)
    const change = async (
      message: RegExp,
      more: Record<string, Tensor>,
      about: Record<string, string> = {},
    ) => {
      const path = await writeTensors(
        join(dir, 'changed.safetensors'),
        { ...tensors, ...more },
        { ...metadata, ...about },
      )
      await refused(path, message)
    }
    await change(/unsupported version "2"/, {}, { version: '2' })
    await change(/not a ternary file/, {}, { format: 'x' })
    await change(/unknown encoding "x"/, {}, { encoding: 'x' })
    await change(/shapes are damaged/, {}, { shapes: '{"w":3}' })
    await change(/too many items/, {}, { shapes: '{"w":[4294967296,4294967296]}' })
    await change(/the tensor "v\.scale" is missing/, {}, { shapes: '{"w":[9],"v":[2]}' })
    await change(/"w\.scale" is not finite/, { 'w.scale': f32([1], Float32Array.of(Number.NaN)) })
    await change(/"w\.scale" is F32 of shape \[2\]/, { 'w.scale': f32([2], numbers(2, 1)) })
    const uint8 = (...data: number[]): Tensor => ({
      type: 'uint8',
      dims: [data.length],
      data: Uint8Array.from(data),
    })
    if (encoding === 'golomb') {
      const stream = (tensors['w.golomb'] as Tensor).data as Uint8Array
      await change(/golomb stream is truncated/, { 'w.golomb': uint8(...stream.subarray(0, 10)) })
      await change(/golomb stream is corrupt/, { 'w.golomb': uint8(99, ...stream.subarray(1)) })
    } else {
      await change(/"w\.negative" is U8 of shape \[1\]/, { 'w.negative': uint8(1) })
      await change(/must not both hold a bit/, { 'w.negative': uint8(255, 1), 'w.positive': uint8(1, 0) })
      await change(/no bit behind the last/, { 'w.negative': uint8(0, 255), 'w.positive': uint8(0, 0) })
    }
  }
  const base = await writeTensors(join(dir, 'base.safetensors'), { v: f32([9], numbers(9, 1)) })
  await refused(small, /base\.safetensors: updates differ in tensors: "w" is missing here/, { base })
  await writeTensors(base, { w: f32([3, 3], numbers(9, 1)) })
  await refused(small, /"w" is of another shape \(shape mismatch\)/, { base })
  await refused(small, /unknown task "x".*holds one update/, { task: 'x' })
})

test('arguments of compressing are checked before a file is touched', async (t) => {
  const refused = async (options: object, message: RegExp) => {
    const call = weights.compressUpdateFiles('x', { out: 'out', ...options } as weights.CompressFilesOptions)
    await t.throwsAsync(call, { name: 'TamisError', message })
  }
  await refused({ density: 1.5 }, /density must be in \(0, 1\]/)
  await refused({ alpha: 0 }, /alpha must be positive/)
  await refused({ scale: 'none' }, /unknown scale/)
  await refused({ encoding: 'zip' }, /unknown encoding/)
  const dir = await folder(t)
  await mkdir(join(dir, 'd'))
  const empty = await writeTensors(join(dir, 'e.safetensors'), { e: f32([0], new Float32Array()) })
  await t.throwsAsync(weights.compressUpdateFiles(empty, { out: join(dir, 'o.safetensors') }), {
    message: /update is empty/,
  })
  const zero = await writeTensors(join(dir, 'z.safetensors'), { z: f32([10], new Float32Array(10)) })
  const { scale, kept } = await weights.compressUpdateFiles(zero, { out: join(dir, 'o.safetensors') })
  t.deepEqual([scale, kept], [0, 0])
})
