/** Runs that are stopped, killed, or find the disk full: an output is there whole or not at all. */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { weights } from 'tamis'
import { FAILPOINTS, needFailpoints } from '../../corpus/files/run.js'
import { folder } from '../../corpus/files/support.js'
import { inProcess } from './run.js'
import { f32, numbers, writeShards, writeTensors } from './support.js'

async function setUp(t: ExecutionContext, n = 5000) {
  const dir = await folder(t)
  const shards = (seed: number): weights.StateDict[] => [
    { a: f32([n], numbers(n, seed)) },
    { b: f32([9], numbers(9, seed + 1)) },
  ]
  const base = await writeShards(join(dir, 'base'), shards(1), { 'config.json': '{}' })
  const tuned = await writeShards(join(dir, 'tuned'), shards(5))
  const before = (await readdir(dir)).sort()
  /** What lies there now beside the inputs. */
  const left = async () => (await readdir(dir)).filter((name) => !before.includes(name)).sort()
  const bytes = async (path: string) => {
    const names = (await readdir(path)).filter((name) => name !== 'manifest.json').sort()
    return Promise.all(names.map(async (name) => [name, await readFile(join(path, name), 'base64')]))
  }
  return { dir, base, tuned, left, bytes }
}

test('an abort in each pass leaves nothing but what can be gone on with', async (t) => {
  const { dir, base, tuned, left } = await setUp(t, 3_000_000)
  for (const [call, abortIn] of [
    ['mergeFiles', 'measure'],
    ['mergeFiles', 'write'],
    ['compressUpdateFiles', 'measure'],
  ] as const) {
    const input = call === 'mergeFiles' ? [tuned, tuned] : tuned
    const options = { base, out: join(dir, 'out') }
    const { result, code } = await inProcess({ call, args: [input, options], abortIn, threads: 1 })
    // A fast machine may be done before it hears of the abort; the next call is to have its place.
    if (code === 0) {
      await rm(options.out, { recursive: true })
      continue
    }
    t.is(result.code, 'ERR_TAMIS_ABORTED')
    t.deepEqual(await left(), ['.out.tamis-state'])
    await rm(join(dir, '.out.tamis-state'), { recursive: true })
  }
  const controller = new AbortController()
  controller.abort(new Error('enough'))
  const call = weights.mergeFiles([tuned], { base, out: join(dir, 'out'), signal: controller.signal })
  const error = await t.throwsAsync(call, { code: 'ERR_TAMIS_ABORTED' })
  t.is(error?.cause, controller.signal.reason)
})

test('a listener that throws ends the call', async (t) => {
  const { dir, tuned, left } = await setUp(t)
  const call = weights.mergeFiles([tuned], {
    out: join(dir, 'out'),
    onProgress: () => {
      throw new Error('mine')
    },
  })
  await t.throwsAsync(call, { message: 'mine' })
  t.deepEqual(await left(), ['.out.tamis-state'])
})

for (const [what, call, more, file] of [
  ['merging into a folder', 'mergeFiles', { method: 'linear' }, false],
  ['merging into a file', 'mergeFiles', { method: 'linear' }, true],
  ['compressing', 'compressUpdateFiles', {}, true],
] as const) {
  test(`${what}: killed or failing at every write, sync and rename, the output is whole or not there`, async (t) => {
    needFailpoints()
    const { dir, base, tuned, left, bytes } = await setUp(t)
    const name = file ? 'out.safetensors' : 'out'
    const out = join(dir, name)
    const input = call === 'mergeFiles' ? [tuned] : tuned
    const run = (env: Record<string, string>) =>
      inProcess(
        { call, args: [input, { base, out, force: true, ...more }], threads: 2 },
        { TAMIS_NATIVE: FAILPOINTS, ...env },
      )
    const log = join(dir, 'log')
    t.is((await run({ TAMIS_FAILPOINT_LOG: log })).code, 0)
    const read = () => (file ? readFile(out, 'base64') : bytes(out))
    const want = await read()
    const clear = async () => {
      for (const one of await left()) await rm(join(dir, one), { recursive: true })
    }
    const hooks = (await readFile(log, 'utf8')).trimEnd().split('\n')
    t.true(hooks.length > 5)
    for (const [i, hook] of hooks.entries()) {
      for (const blow of hook.endsWith('.write') ? ['kill', 'enospc'] : ['kill', 'eio']) {
        await clear()
        const { code, signal, result } = await run({ TAMIS_FAILPOINT: `any:${i + 1}=${blow}` })
        const there = await left()
        const complete = there.includes(file ? `${name}.manifest.json` : name)
        const where = `${hook} ${i + 1} ${blow}: ${there.join(' ')}`
        if (blow === 'kill') t.is(signal, 'SIGKILL', where)
        else if (code !== 0) t.is(result.code, 'ERR_TAMIS_IO', where)
        if (complete) t.deepEqual(await read(), want, where)
        else if (blow !== 'kill')
          t.deepEqual(
            there.filter((one) => one !== name && !one.startsWith('.')),
            [],
            where,
          )
        // The next run clears what a killed one left.
        t.is((await run({})).code, 0, where)
        t.deepEqual(await read(), want, where)
        t.deepEqual(await left(), file ? [name, `${name}.manifest.json`] : [name], where)
      }
    }
  })
}

test('a file that is cut short while it is read', async (t) => {
  const { dir } = await setUp(t)
  const path = await writeTensors(join(dir, 'x.safetensors'), { a: f32([10], numbers(10, 1)) })
  const good = await readFile(path)
  await writeFile(path, good.subarray(0, good.length - 1))
  await t.throwsAsync(weights.mergeFiles([path], { out: join(dir, 'out') }), { code: 'ERR_TAMIS_FORMAT' })
})
