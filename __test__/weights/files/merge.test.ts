/** Models merged on disk: the numbers are those of the functions in memory, to the bit, and everything else goes along. */
import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Tensor, weights } from 'tamis'
import { folder } from '../../corpus/files/support.js'
import {
  bf16,
  f16,
  f32,
  fromBfloat16,
  numbers,
  readTensors,
  toBfloat16,
  toFloat16,
  widen,
  widenAll,
  writeShards,
  writeTensors,
} from './support.js'

type Dict = Record<string, Tensor>

/** Two windows and a piece of one tensor, and small ones around it whose sums tie. */
const LONG = 900_017

function model(seed: number, long = LONG): Dict {
  return {
    'b.weight': f32([7, 9], numbers(63, seed, 1 / 8)),
    'a.long': f32([long], numbers(long, seed + 1, 1 / 64)),
    'c.half': f16([5, 11], numbers(55, seed + 2)),
    'd.brain': bf16([33], numbers(33, seed + 3)),
    'e.empty': f32([0, 4], new Float32Array()),
    'f.scalar': f32([], numbers(1, seed + 4)),
  }
}

async function setUp(t: ExecutionContext, models = 3, long = LONG) {
  const dir = await folder(t)
  const base = model(100, long)
  const others = Array.from({ length: models }, (_, i) => model(200 + 10 * i, long))
  const paths = await Promise.all(others.map((one, i) => writeTensors(join(dir, `m${i}.safetensors`), one)))
  const basePath = await writeTensors(join(dir, 'base.safetensors'), base)
  const wide = widenAll(base)
  const updates = others.map((one) => weights.taskVector(widenAll(one), wide))
  return { dir, base, others, paths, basePath, wide, updates, out: join(dir, 'out.safetensors') }
}

/** The tensors are those, in the types of `like`, rounded to nearest even. */
function same(t: ExecutionContext, got: Dict, want: Dict, like: Dict): void {
  t.deepEqual(Object.keys(got).sort(), Object.keys(want).sort())
  for (const [name, tensor] of Object.entries(want)) {
    const { type, dims, data } = got[name] as Tensor
    t.is(type, like[name]?.type as Tensor['type'])
    t.deepEqual([...dims], [...tensor.dims])
    const numbers = tensor.data as Float32Array
    const rounded =
      type === 'float32' ? numbers : Uint16Array.from(numbers, type === 'float16' ? toFloat16 : toBfloat16)
    const bytes = (x: { buffer: ArrayBufferLike; byteOffset: number; byteLength: number }) =>
      Buffer.from(x.buffer as ArrayBuffer, x.byteOffset, x.byteLength)
    t.true(bytes(rounded).equals(bytes(data as Uint16Array)), name)
  }
}

for (const options of [
  {},
  { density: 1 },
  { density: 0.001, merge: 'max' },
  { density: 0.3, merge: 'sum', weights: [1, -0.5, 2] },
  { density: 0.3, scope: 'tensor', lambda: 0.7 },
  { density: 0.5, scope: 'tensor', merge: 'mean', weights: [0.2, 0.3, 0.5] },
] as const) {
  test(`ties ${JSON.stringify(options)} gives the numbers of mergeTies`, async (t) => {
    const { base, paths, basePath, wide, updates, out } = await setUp(t)
    const { lambda = 1, ...ties } = options as { lambda?: number }
    const { files, tensors, elements } = await weights.mergeFiles(paths, { base: basePath, out, ...options })
    t.deepEqual(files, [out])
    t.deepEqual([tensors, elements], [6, LONG + 63 + 55 + 33 + 1])
    const merged = await weights.mergeTies(updates, ties)
    const want = weights.addUpdate(wide, merged, { lambda })
    same(t, (await readTensors(out)).tensors, want, base)
  })
}

test('sums that cancel take the sign of the majority, found out only at the end', async (t) => {
  const dir = await folder(t)
  const n = 300_000
  const first = numbers(n, 1, 1 / 4)
  const second = first.map((x, i) => (i % 3 === 0 ? -x : -Math.abs(x) * 2))
  const taus = [first, second].map((data) => ({ a: f32([2], data.slice(0, 2)), w: f32([n], data) }))
  const paths = await Promise.all(taus.map((tau, i) => writeTensors(join(dir, `${i}.safetensors`), tau)))
  for (const scope of ['global', 'tensor'] as const) {
    for (const density of [1, 0.4]) {
      const out = join(dir, `${scope}-${density}.safetensors`)
      await weights.mergeFiles(paths, { out, density, scope })
      const want = await weights.mergeTies(taus, { density, scope })
      same(t, (await readTensors(out)).tensors, want, taus[0] as Dict)
    }
  }
})

test('consensus gives the numbers of mergeConsensus, and the histogram', async (t) => {
  const { base, paths, basePath, wide, updates, out } = await setUp(t)
  for (const [agree, maskLambda] of [
    [2, 0.4],
    [1, [0.3, 0.4, 0.6]],
  ] as const) {
    const { histogram } = await weights.mergeFiles(paths, {
      method: 'consensus',
      base: basePath,
      out,
      force: true,
      agree,
      maskLambda,
      lambda: 0.5,
    })
    const { masks } = await weights.maskTasks(updates, { lambda: maskLambda })
    const consensus = await weights.consensusMask(masks, { agree })
    t.deepEqual(histogram, Array.from(consensus.histogram.data as Uint32Array))
    const merged = await weights.mergeConsensus(updates, masks, { agree })
    same(t, (await readTensors(out)).tensors, weights.addUpdate(wide, merged, { lambda: 0.5 }), base)
  }
})

test('task arithmetic and linear are weighted sums', async (t) => {
  const { base, paths, basePath, wide, updates, out } = await setUp(t)
  const sum = (list: number[]) =>
    Object.fromEntries(
      Object.entries(wide).map(([name, { dims, data }]) => {
        const item = (i: number) =>
          updates.reduce((s, update, u) => s + (list[u] as number) * (update[name]?.data[i] as number), 0)
        return [
          name,
          f32(
            [...dims],
            Float32Array.from(data, (_, i) => item(i)),
          ),
        ]
      }),
    )
  await weights.mergeFiles(paths, { method: 'task-arithmetic', base: basePath, out, weights: [1, 2, -1] })
  const want = weights.addUpdate(wide, sum([1, 2, -1]))
  same(t, (await readTensors(out)).tensors, want, base)
  await weights.mergeFiles(paths, {
    method: 'linear',
    base: basePath,
    out,
    weights: [1, 2, 1],
    lambda: 2,
    force: true,
  })
  const mean = weights.addUpdate(wide, sum([0.25, 0.5, 0.25]), { lambda: 2 })
  same(t, (await readTensors(out)).tensors, mean, base)
})

test('TALL masks are written as writeTasks does, and each task is recovered', async (t) => {
  const { base, dir, paths, basePath, wide, updates, out } = await setUp(t)
  const { densities, method } = await weights.mergeFiles(paths, {
    method: 'tall-masks',
    base: basePath,
    out,
    tasks: ['z', 'a', 'é'],
  })
  t.is(method, 'tall-masks')
  const { masks, densities: shares } = await weights.maskTasks(updates)
  t.deepEqual(densities, { z: shares[0], a: shares[1], é: shares[2] } as Record<string, number>)
  const ones = updates.map((update) => new Map(Object.entries(update)))
  const merged = Object.fromEntries(
    Object.entries(wide).map(([name, { dims, data }]) => {
      const sums = Float32Array.from(data, (_, i) =>
        ones.reduce((s, update) => Math.fround(s + (update.get(name)?.data[i] as number)), 0),
      )
      return [name, f32([...dims], sums)]
    }),
  )
  const [z, a, e] = masks as [weights.MaskDict, weights.MaskDict, weights.MaskDict]
  const bytes = weights.writeTasks(merged, { z, a, é: e })
  t.true(Buffer.from(bytes).equals(await readFile(out)))
  const recovered = join(dir, 'recovered.safetensors')
  await weights.expandUpdateFiles(out, { task: 'é', base: basePath, out: recovered })
  const want = weights.addUpdate(wide, weights.readTask(bytes, 'é'))
  same(t, (await readTensors(recovered)).tensors, want, base)
  await t.throwsAsync(weights.expandUpdateFiles(out, { base: basePath, out: recovered, force: true }), {
    code: 'ERR_TAMIS_RANGE',
    message: /unknown task.*"z", "a", "é", got none/,
  })
})

test('without a base the inputs are updates, and with ones they begin at 1', async (t) => {
  const { others, paths, out } = await setUp(t, 2, 1000)
  const wide = others.map(widenAll)
  await weights.mergeFiles(paths, { out })
  same(t, (await readTensors(out)).tensors, await weights.mergeTies(wide), others[0] as Dict)
  const ones = Object.fromEntries(
    Object.entries(wide[0] as Dict).map(([name, { dims, data }]) => [
      name,
      f32([...dims], new Float32Array(data.length).fill(1)),
    ]),
  )
  await weights.mergeFiles(paths, { out, ones: true, force: true })
  const merged = await weights.mergeTies(wide.map((one) => weights.taskVector(one, ones)))
  same(t, (await readTensors(out)).tensors, weights.addUpdate(ones, merged), others[0] as Dict)
})

test('a sharded folder keeps its shards, its index and its side files', async (t) => {
  const dir = await folder(t)
  const { 'a.long': long, 'b.weight': weight, ...rest } = model(1, 1000) as Record<string, Tensor>
  const shards = [{ 'a.long': long as Tensor, 'b.weight': weight as Tensor }, rest]
  const side = {
    'config.json': '{ "model_type": "x",\n "torch_dtype": "float32" }',
    'tokenizer.json': '{"a":1}',
    'tokenizer/vocab.txt': 'x\ny',
    'pytorch_model.bin': 'old weights',
    '.gitattributes': 'x',
  }
  const base = await writeShards(join(dir, 'base'), shards, side)
  const { 'a.long': one, ...others } = model(2, 1000)
  const tuned = await writeShards(join(dir, 'tuned'), [others, { 'a.long': one as Tensor }])
  const out = join(dir, 'merged')
  const { files, manifest, warnings } = await weights.mergeFiles([tuned], {
    base,
    out,
    method: 'task-arithmetic',
    dtype: 'bfloat16',
  })
  const names = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
  t.deepEqual(
    files,
    names.map((name) => join(out, name)),
  )
  t.deepEqual(
    (await readdir(out, { recursive: true })).sort(),
    [
      ...names,
      'config.json',
      'manifest.json',
      'model.safetensors.index.json',
      'tokenizer',
      'tokenizer.json',
      'tokenizer/vocab.txt',
    ].sort(),
  )
  t.regex(warnings.join(), /left out: pytorch_model\.bin/)
  const text = (name: string) => readFile(join(out, name), 'utf8')
  t.is(await text('config.json'), '{ "model_type": "x",\n "torch_dtype": "bfloat16" }')
  t.is(await text('tokenizer.json'), side['tokenizer.json'])
  const index = JSON.parse(await text('model.safetensors.index.json'))
  const [first, second] = await Promise.all(files.map(readTensors))
  t.deepEqual(Object.keys(first?.tensors ?? {}).sort(), ['a.long', 'b.weight'])
  t.is(index.weight_map['a.long'], names[0])
  t.is(index.weight_map['d.brain'], names[1])
  t.is(index.metadata.note, 'kept')
  t.is(index.metadata.total_size, 2 * (1000 + 63 + 55 + 33 + 1))
  t.deepEqual(first?.metadata, { format: 'pt' })
  t.true(
    [first, second].every((file) => Object.values(file?.tensors ?? {}).every((x) => x.type === 'bfloat16')),
  )
  const { method, options, inputs, outputs } = JSON.parse(await readFile(manifest, 'utf8'))
  t.deepEqual([method, options.dtype, inputs.length, outputs.length], ['task-arithmetic', 'bfloat16', 4, 2])
  const again = join(dir, 'one.safetensors')
  await weights.mergeFiles([tuned], { base, out: again, method: 'task-arithmetic', dtype: 'bfloat16' })
  t.is(Object.keys((await readTensors(again)).tensors).length, 6)
})

test('rounding is to nearest even, and what does not fit is refused by name', async (t) => {
  const dir = await folder(t)
  const x = Float32Array.of(
    1 + 2 ** -8,
    1 + 3 * 2 ** -8,
    -1 - 2 ** -8,
    65519,
    2 ** -24,
    2 ** -25,
    3 * 2 ** -25,
  )
  const path = await writeTensors(join(dir, 'x.safetensors'), { x: f32([7], x) })
  const to = async (dtype: 'float16' | 'bfloat16') => {
    const out = join(dir, `${dtype}.safetensors`)
    await weights.mergeFiles([path], { out, method: 'linear', dtype })
    return widen((await readTensors(out)).tensors.x as Tensor).data
  }
  const half = await to('float16')
  t.deepEqual(Array.from(half), [1 + 2 ** -8, 1 + 3 * 2 ** -8, -1 - 2 ** -8, 65504, 2 ** -24, 0, 2 ** -23])
  t.deepEqual(Array.from(await to('bfloat16')).slice(0, 4), [1, 1 + 2 ** -6, -1, 65536])
  const large = await writeTensors(join(dir, 'large.safetensors'), {
    y: f32([70_000], numbers(70_000, 1)),
    'too large': f32([2], Float32Array.of(1, 65520)),
  })
  const out = join(dir, 'out.safetensors')
  await t.throwsAsync(weights.mergeFiles([large], { out, method: 'linear', dtype: 'float16' }), {
    code: 'ERR_TAMIS_RANGE',
    message: /out\.safetensors: the tensor "too large" does not fit float16: its item 1 is 65520/,
  })
  t.deepEqual(
    (await readdir(dir)).filter((name) => name.includes('out')),
    [],
  )
})

test('tied weights enter once and are written as their original is', async (t) => {
  const dir = await folder(t)
  const embed = (seed: number) => f32([20, 3], numbers(60, seed))
  const side = { 'config.json': '{"tie_word_embeddings": true}' }
  const dict = (seed: number) => ({
    'model.embed_tokens.weight': embed(seed),
    w: f32([40], numbers(40, seed + 5)),
  })
  const withHead = (seed: number) => ({ ...dict(seed), 'lm_head.weight': embed(seed) })
  const base = await writeShards(join(dir, 'base'), [withHead(1)], side)
  // One keeps both, one the embedding alone, one the head alone.
  const { 'model.embed_tokens.weight': only, ...rest } = dict(4)
  const models = await Promise.all([
    writeShards(join(dir, 'm0'), [withHead(2)], side),
    writeShards(join(dir, 'm1'), [dict(3)]),
    writeShards(join(dir, 'm2'), [{ ...rest, 'lm_head.weight': only }], side),
  ])
  const out = join(dir, 'out.safetensors')
  const { elements } = await weights.mergeFiles(models, { base, out, density: 0.3 })
  t.is(elements, 100)
  const updates = [2, 3, 4].map((seed) => weights.taskVector(dict(seed), dict(1)))
  const want = weights.addUpdate(dict(1), await weights.mergeTies(updates, { density: 0.3 }))
  const all = { ...want, 'lm_head.weight': want['model.embed_tokens.weight'] as Tensor }
  same(t, (await readTensors(out)).tensors, all, withHead(1))
  const untied = await writeShards(join(dir, 'm3'), [{ ...withHead(2), 'lm_head.weight': embed(9) }], side)
  await t.throwsAsync(weights.mergeFiles([untied], { base, out, force: true }), {
    message: /m3.*"lm_head\.weight" differs from "model\.embed_tokens\.weight", though they are tied/,
  })
  const says = await writeShards(join(dir, 'm4'), [withHead(2)], {
    'config.json': '{"tie_word_embeddings": false}',
  })
  await t.throwsAsync(weights.mergeFiles([says], { base, out, force: true }), {
    message: /m4.*not tied.*base says that they are/,
  })
  const { elements: both } = await weights.mergeFiles([says], { out, force: true })
  t.is(both, 160)
  const { elements: once } = await weights.mergeFiles([says], {
    out,
    force: true,
    tied: { 'lm_head.weight': 'model.embed_tokens.weight' },
  })
  t.is(once, 100)
})

test('what is no weight, or is skipped, stays as it is in the base', async (t) => {
  const dir = await folder(t)
  const ids: Tensor = { type: 'int64', dims: [3], data: BigInt64Array.of(0n, 1n, 2n) }
  const dict = (seed: number) => ({ ids, w: f32([9], numbers(9, seed)), s: f32([5], numbers(5, seed + 1)) })
  const base = await writeTensors(join(dir, 'base.safetensors'), dict(1))
  const one = await writeTensors(join(dir, 'one.safetensors'), dict(2))
  const out = join(dir, 'out.safetensors')
  const { elements } = await weights.mergeFiles([one], { base, out, skip: ['s'], dtype: 'bfloat16' })
  t.is(elements, 9)
  const { tensors, order } = await readTensors(out)
  t.deepEqual(tensors.ids, ids)
  t.deepEqual(order, ['ids', 's', 'w'])
  t.deepEqual(tensors.s, bf16([5], numbers(5, 2)))
  const other = { ...dict(2), ids: { ...ids, data: BigInt64Array.of(0n, 1n, 3n) } }
  const bad = await writeTensors(join(dir, 'bad.safetensors'), other)
  await t.throwsAsync(weights.mergeFiles([bad], { base, out, force: true }), {
    code: 'ERR_TAMIS_FORMAT',
    message: /bad\.safetensors: the tensor "ids" is of type I64 and differs/,
  })
  await weights.mergeFiles([bad], { base, out, force: true, skip: ['ids'] })
  t.deepEqual((await readTensors(out)).tensors.ids, ids)
})

test('inconsistent checkpoints are refused by file and tensor', async (t) => {
  const dir = await folder(t)
  const at = (name: string) => join(dir, name)
  const good = { a: f32([4], numbers(4, 1)), b: f32([2, 3], numbers(6, 2)) }
  const base = await writeTensors(at('base.safetensors'), good)
  const write = (name: string, tensors: Dict) => writeTensors(at(name), tensors)
  const out = at('out.safetensors')
  const refused = async (path: string, message: RegExp, code = 'ERR_TAMIS_FORMAT') => {
    await t.throwsAsync(weights.mergeFiles([path], { base, out }), { name: 'TamisError', code, message })
    t.deepEqual(
      (await readdir(dir)).filter((name) => name.includes('out')),
      [],
    )
  }
  await refused(
    await write('less.safetensors', { a: good.a }),
    /less\.safetensors: updates differ in tensors: "b" is missing here, and is in .*base\.safetensors/,
  )
  await refused(
    await write('more.safetensors', { ...good, c: good.a }),
    /base\.safetensors: updates differ in tensors: "c" is missing here/,
  )
  await refused(
    await write('shape.safetensors', { ...good, b: f32([3, 2], numbers(6, 2)) }),
    /shape\.safetensors: the tensor "b" is of another shape \(shape mismatch\): \[3, 2\] here, \[2, 3\] in/,
  )
  await refused(
    await write('type.safetensors', { ...good, b: { type: 'uint8', dims: [2, 3], data: new Uint8Array(6) } }),
    /type\.safetensors: the tensor "b" is of another type: U8 here, F32 in/,
  )
  for (const bad of [Number.NaN, -Infinity]) {
    const data = numbers(4, 1)
    data[2] = bad
    await refused(
      await write('bad.safetensors', { ...good, a: f32([4], data) }),
      /bad\.safetensors: the tensor "a" is not finite: (NaN|-inf) at its item 2/,
    )
  }
  await refused(at('none.safetensors'), /none\.safetensors: cannot open/, 'ERR_TAMIS_IO')
  await refused(at(''), /holds several files without an index/)
  await writeFile(at('cut.safetensors'), (await readFile(base)).subarray(0, -3))
  await refused(at('cut.safetensors'), /cut\.safetensors: not a safetensors file: its tensors take/)
  await refused(base.replace('base', 'x').replace('.safetensors', '.txt'), /x\.txt/, 'ERR_TAMIS_IO')
  await writeFile(at('x.txt'), '')
  await refused(at('x.txt'), /neither a folder nor a \.safetensors file/, 'ERR_TAMIS_RANGE')
  await mkdir(at('empty'))
  await refused(at('empty'), /holds no file that ends in \.safetensors/)
})

test('an index that lies is refused', async (t) => {
  const dir = await folder(t)
  const a = { a: f32([4], numbers(4, 1)) }
  const b = { b: f32([4], numbers(4, 2)) }
  const path = await writeShards(join(dir, 'model'), [a, b])
  const index = join(path, 'model.safetensors.index.json')
  const [one, two] = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
  for (const [map, message] of [
    ['{"a":"../model/x.safetensors"}', /leads to "\.\.\/model\/x\.safetensors", which is no/],
    ['{"a":"/etc/x.safetensors"}', /which is no/],
    ['{"a":"x.bin"}', /leads to "x\.bin", which is no/],
    [`{"a":"${one}","b":"${one}"}`, /the tensor "b" is missing: weight_map says it is in model-00001/],
    [`{"a":"${one}","b":"gone.safetensors"}`, /gone\.safetensors: cannot open/],
    [`{"a":"${one}","a":"${two}"}`, /names "a" twice/],
    [`{"a":3}`, /not an index/],
    ['[]', /not an index/],
  ] as const) {
    await writeFile(index, `{"metadata":{},"weight_map":${map}}`)
    const out = join(dir, 'out.safetensors')
    await t.throwsAsync(weights.mergeFiles([path], { out }), { name: 'TamisError', message }, map)
  }
  await writeTensors(join(path, one), { ...a, extra: f32([1], numbers(1, 1)) })
  await writeFile(index, JSON.stringify({ weight_map: { a: one, b: two } }))
  await t.throwsAsync(weights.mergeFiles([path], { out: join(dir, 'out') }), {
    message: /the tensor "extra" is in model-00001-of-00002\.safetensors, where weight_map does not say/,
  })
})

test('a disk without room is found out before the work', async (t) => {
  const dir = await folder(t)
  const path = join(dir, 'huge.safetensors')
  const bytes = 2 ** 50
  const header = Buffer.from(
    JSON.stringify({ w: { dtype: 'F32', shape: [bytes / 4], data_offsets: [0, bytes] } }),
  )
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  await writeFile(path, Buffer.concat([length, header]))
  // A file of holes; a file system that knows no such sizes cannot be asked.
  const made = await truncate(path, 8 + header.length + bytes).then(
    () => true,
    () => false,
  )
  if (!made) {
    t.pass()
    return
  }
  await t.throwsAsync(weights.mergeFiles([path], { out: join(dir, 'out.safetensors'), method: 'linear' }), {
    code: 'ERR_TAMIS_IO',
    message: /out\.safetensors: cannot write: it needs \d+ bytes of disk, and \d+ are free \(free some space/,
  })
  t.deepEqual(await readdir(dir), ['huge.safetensors'])
})

test('outputs that exist, or that would replace an input, are refused', async (t) => {
  const { dir, paths, basePath, out } = await setUp(t, 2, 100)
  await weights.mergeFiles(paths, { base: basePath, out })
  await t.throwsAsync(weights.mergeFiles(paths, { base: basePath, out }), { message: /exists.*--force/ })
  await weights.mergeFiles(paths, { base: basePath, out, force: true })
  await t.throwsAsync(weights.mergeFiles(paths, { base: basePath, out: basePath, force: true }), {
    message: /would replace the input/,
  })
  await t.throwsAsync(weights.mergeFiles(paths, { base: basePath, out: dir, force: true }), {
    message: /would replace the input/,
  })
  t.deepEqual((await readTensors(basePath)).tensors, model(100, 100))
})

test('arguments are checked before a file is touched', async (t) => {
  const refused = async (options: object, message: RegExp, models: unknown = ['a', 'b']) => {
    const call = weights.mergeFiles(
      models as string[],
      { out: 'out', ...options } as weights.MergeFilesOptions,
    )
    await t.throwsAsync(call, { name: 'TamisError', message })
  }
  await refused({}, /at least one update is needed/, [])
  await refused({}, /models must be a list/, 'a')
  await refused({}, /models\[1\] must be a path/, ['a', 3])
  await refused({ density: 0 }, /density must be in \(0, 1\]/)
  await refused({ density: Number.NaN }, /density must be in \(0, 1\]/)
  await refused({ weights: [1] }, /one weight per update is needed/)
  await refused({ weights: [1, Number.NaN] }, /one weight per update is needed/)
  await refused({ method: 'linear', weights: [1, -1] }, /must not add up to 0/)
  await refused({ merge: 'median' }, /unknown merge/)
  await refused({ scope: 'layer' }, /unknown scope/)
  await refused({ method: 'slerp' }, /unknown method/)
  await refused({ agree: 2 }, /agree is no option of the method ties, but of consensus/)
  await refused({ method: 'consensus', agree: -1 }, /agree must be a non-negative integer/)
  await refused({ method: 'consensus', maskLambda: 0 }, /lambda must be positive/)
  await refused({ method: 'tall-masks', maskLambda: [1] }, /one lambda per task is needed/)
  await refused({ method: 'tall-masks', tasks: ['a.b', 'c'] }, /task name must not contain a dot/)
  await refused({ method: 'tall-masks', tasks: ['', 'c'] }, /task name must not contain a dot/)
  await refused({ method: 'tall-masks', tasks: ['c', 'c'] }, /"c" twice/)
  await refused({ method: 'tall-masks', dtype: 'float16' }, /dtype is no option of the method tall-masks/)
  await refused({ dtype: 'int8' }, /dtype must be 'float32' or 'float16' or 'bfloat16'/)
  await refused({ lambda: Infinity }, /lambda must be a finite number/)
  await refused({ base: 'x', ones: true }, /base and ones/)
  await refused({ out: '' }, /out must be a path/)
  await refused({ tied: ['x'] }, /tied must be an object/)
  await refused({ skip: 'x' }, /skip must be a list/)
  await refused({ densty: 1 }, /did you mean "density"/)
})

test('half types are read exactly', (t) => {
  t.is(fromBfloat16(toBfloat16(1 + 2 ** -8)), 1)
})
