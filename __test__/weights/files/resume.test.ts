/** Calls on checkpoints that are killed and gone on with. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { weights } from 'tamis'
import { killEverywhere } from '../../corpus/files/killed.js'
import { FAILPOINTS, needFailpoints } from '../../corpus/files/run.js'
import { folder } from '../../corpus/files/support.js'
import { inProcess } from './run.js'
import { bf16, f32, numbers, writeShards } from './support.js'

/** A base and two models of two files each, whose magnitudes tie, with tensors that are no part of the update. */
async function fill(dir: string): Promise<void> {
  const shards = (seed: number): weights.StateDict[] => [
    { a: f32([700], numbers(700, seed, 0.25)), b: bf16([4, 50], numbers(200, seed + 1, 0.25)) },
    {
      c: f32([300], numbers(300, seed + 2, 0.25)),
      ids: { type: 'int64', dims: [3], data: BigInt64Array.of(1n, 2n, 3n) },
      skipped: f32([40], numbers(40, 77)),
    },
  ]
  await writeShards(join(dir, 'base'), shards(1), { 'config.json': '{}', 'vocab/a.txt': 'x' })
  for (const [i, name] of ['one', 'two'].entries()) await writeShards(join(dir, name), shards(5 + i * 5))
  await weights.compressUpdateFiles(join(dir, 'one'), {
    base: join(dir, 'base'),
    out: join(dir, 'signs.safetensors'),
    skip: ['skipped'],
    density: 0.3,
  })
}

const SKIP = { skip: ['skipped'] }
const MODELS = ['one', 'two']
const CALLS = [
  { name: 'ties', call: 'mergeFiles', input: MODELS, out: 'kept', more: SKIP },
  {
    name: 'ties by tensor',
    call: 'mergeFiles',
    input: MODELS,
    out: 'kept.safetensors',
    more: { ...SKIP, scope: 'tensor' },
  },
  {
    name: 'consensus',
    call: 'mergeFiles',
    input: MODELS,
    out: 'kept',
    more: { ...SKIP, method: 'consensus', dtype: 'float16' },
  },
  {
    name: 'tall masks',
    call: 'mergeFiles',
    input: MODELS,
    out: 'kept.safetensors',
    more: { ...SKIP, method: 'tall-masks' },
  },
  { name: 'linear', call: 'mergeFiles', input: MODELS, out: 'kept', more: { ...SKIP, method: 'linear' } },
  {
    name: 'golomb',
    call: 'compressUpdateFiles',
    input: 'one',
    out: 'kept.safetensors',
    more: { ...SKIP, scale: 'mean-abs' },
  },
  {
    name: 'bitmask',
    call: 'compressUpdateFiles',
    input: 'one',
    out: 'kept',
    more: { ...SKIP, encoding: 'bitmask' },
  },
  { name: 'expand', call: 'expandUpdateFiles', input: 'signs.safetensors', out: 'kept', more: {} },
]
type Call = (typeof CALLS)[number]

/** One call in a process, which notes every tensor. */
function run(one: Call, dir: string, more: object, env: Record<string, string> = {}) {
  const { call, input, out } = one
  const at = (name: string) => join(dir, name)
  const options = { base: at('base'), out: at(out), ...one.more, ...more }
  const args = [Array.isArray(input) ? input.map(at) : at(input), options]
  const small = { TAMIS_CHECKPOINT_BYTES: '1', TAMIS_NATIVE: FAILPOINTS }
  return inProcess({ call, args, threads: 1 }, { ...small, ...env })
}

for (const [number, one] of CALLS.entries()) {
  test(`${one.name} killed anywhere goes on to the same bytes`, async (t) => {
    needFailpoints()
    const hooks = await killEverywhere(t, {
      out: one.out,
      earlier: undefined,
      leaves: /^kept/,
      fill,
      run: (dir, more, failpoint, env) =>
        run(one, dir, more, { ...(failpoint && { TAMIS_FAILPOINT: failpoint }), ...env }),
      times: (n) => [n],
      random: { count: 6, seed: 300 + number, again: true },
    })
    t.true(hooks.includes('state.rename'))
  })
}

/** A merge that was killed when all was written, and nothing was in its place. */
async function cutShort(t: ExecutionContext) {
  needFailpoints()
  const dir = await folder(t)
  await fill(dir)
  const one = CALLS[0] as Call
  const log = join(dir, 'log')
  t.is((await run(one, dir, {}, { TAMIS_FAILPOINT_LOG: log })).code, 0)
  const whole = await read(dir)
  await rm(join(dir, 'kept'), { recursive: true })
  const hooks = (await readFile(log, 'utf8')).split('\n')
  const syncs = hooks.filter((hook) => hook === 'output.sync').length
  const killed = await run(one, dir, {}, { TAMIS_FAILPOINT: `output.sync:${syncs}=kill` })
  t.is(killed.signal, 'SIGKILL')
  return { dir, one, whole }
}

async function read(dir: string): Promise<Buffer> {
  return readFile(join(dir, 'kept', 'model-00001-of-00002.safetensors'))
}

test('tensors that were done are not merged again', async (t) => {
  const { dir, one, whole } = await cutShort(t)
  const data = join(dir, '.kept.tamis-state', 'tensors-0.data')
  const bytes = await readFile(data)
  t.deepEqual(bytes, whole)
  bytes[bytes.length - 1] = (bytes.at(-1) as number) ^ 1
  await writeFile(data, bytes)
  t.is((await run(one, dir, { resume: true })).code, 0)
  t.deepEqual(await read(dir), bytes)
  t.deepEqual(
    (await readdir(dir)).filter((name) => name.includes('kept')),
    ['kept'],
  )
})

test('other options and other models are another run, and one anew begins from nothing', async (t) => {
  const { dir, one, whole } = await cutShort(t)
  const refused = async (more: object, message: RegExp) => {
    const { code, result } = await run(one, dir, { resume: true, ...more })
    t.is(code, 1)
    t.is(result.code, 'ERR_TAMIS_RANGE')
    t.regex(result.message as string, message)
  }
  await refused(
    { density: 0.5 },
    /resume cannot go on .*its options were others: "density: 0.2" then, "dens.*0.5" now/,
  )
  const model = join(dir, 'two', 'model-00001-of-00002.safetensors')
  const bytes = await readFile(model)
  await writeFile(model, bytes)
  await refused(
    {},
    /resume cannot go on .*the input file .*model-00001-of-00002\.safetensors was changed since/,
  )
  const { files } = await weights.mergeFiles([join(dir, 'one'), join(dir, 'two')], {
    base: join(dir, 'base'),
    out: join(dir, 'kept'),
    ...SKIP,
  })
  t.is(files.length, 2)
  t.deepEqual(await read(dir), whole)
})

test('what can be gone on with is said', async (t) => {
  const dir = await folder(t)
  await fill(dir)
  const controller = new AbortController()
  const call = weights.mergeFiles([join(dir, 'one')], {
    base: join(dir, 'base'),
    out: join(dir, 'kept'),
    ...SKIP,
    signal: controller.signal,
    onProgress: () => controller.abort(new Error('enough')),
  })
  const error = await t.throwsAsync(call, {
    code: 'ERR_TAMIS_ABORTED',
    message: /finished parts are kept in .*kept\.tamis-state.*resume/,
  })
  t.is(error?.cause, controller.signal.reason)
  await t.throwsAsync(
    weights.mergeFiles([join(dir, 'one')], { out: join(dir, 'kept'), resume: 1 as unknown as boolean }),
    { code: 'ERR_TAMIS_TYPE', message: /resume must be/ },
  )
  await weights.mergeFiles([join(dir, 'one')], {
    base: join(dir, 'base'),
    out: join(dir, 'kept'),
    ...SKIP,
    resume: true,
  })
  t.deepEqual(
    (await readdir(dir)).filter((name) => name.includes('kept')),
    ['kept'],
  )
})
