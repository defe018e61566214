/** Memory does not grow with the models, and results do not depend on threads. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { weights } from 'tamis'
import { folder } from '../../corpus/files/support.js'
import { inProcess } from './run.js'
import { f32, numbers, writeTensors } from './support.js'

const MB = 2 ** 20

/** A model of so many megabytes: one tensor of half of it, and others. */
function model(megabytes: number, seed: number) {
  const n = (megabytes * MB) / 4
  const parts = { big: n / 2, a: n / 4, b: n / 8, c: n / 8 }
  const own = numbers(MB, seed, 1 / 256)
  const long = (length: number) => {
    const data = new Float32Array(length)
    for (let at = 0; at < length; at += own.length) data.set(own.subarray(0, length - at), at)
    return data
  }
  return Object.fromEntries(
    Object.entries(parts).map(([name, length]) => [name, f32([64, length / 64], long(length))]),
  )
}

test.serial('peak memory is the same for models four times as large', async (t) => {
  const dir = await folder(t)
  const calls = {
    ties: { call: 'mergeFiles', more: { density: 0.3 } },
    tensor: { call: 'mergeFiles', more: { density: 0.3, scope: 'tensor' } },
    consensus: { call: 'mergeFiles', more: { method: 'consensus' } },
    masks: { call: 'mergeFiles', more: { method: 'tall-masks' } },
    golomb: { call: 'compressUpdateFiles', more: {} },
  }
  const peaks: Record<string, number[]> = {}
  for (const megabytes of [128, 512]) {
    const base = await writeTensors(join(dir, `base${megabytes}.safetensors`), model(megabytes, 1))
    const models: string[] = []
    for (const seed of [2, 3]) {
      models.push(await writeTensors(join(dir, `${seed}-${megabytes}.safetensors`), model(megabytes, seed)))
    }
    for (const [name, { call, more }] of Object.entries(calls)) {
      const inputs = call === 'mergeFiles' ? models : models[0]
      const out = join(dir, `${name}-${megabytes}.safetensors`)
      const { result } = await inProcess({ call, args: [inputs, { base, out, ...more }], threads: 2 })
      t.is(result.message, undefined)
      peaks[name] = [...(peaks[name] ?? []), result.peak as number]
    }
  }
  t.log(
    Object.entries(peaks).map(
      ([name, list]) => `${name} ${list.map((x) => Math.round(x / MB)).join(' ')} MiB`,
    ),
  )
  for (const [name, [small, large]] of Object.entries(peaks) as [string, [number, number]][]) {
    // The large models take 1,152 MiB more on disk, and both are longer than the windows over them.
    t.true(large - small < 48 * MB, `${name}: ${small} ${large}`)
  }
})

test('the bytes are the same for 1, 2 and 7 threads', async (t) => {
  const dir = await folder(t)
  const write = (seed: number) => writeTensors(join(dir, `${seed}.safetensors`), model(6, seed))
  const [base, ...models] = await Promise.all([1, 2, 3, 4].map(write))
  for (const [name, call, more] of [
    ['ties', 'mergeFiles', { density: 0.3, dtype: 'bfloat16' }],
    ['masks', 'mergeFiles', { method: 'tall-masks' }],
    ['golomb', 'compressUpdateFiles', { scale: 'mean-abs' }],
  ] as const) {
    const outputs: Buffer[] = []
    for (const threads of [1, 2, 7]) {
      const out = join(dir, `${name}-${threads}.safetensors`)
      const inputs = call === 'mergeFiles' ? models : models[0]
      const { result } = await inProcess({ call, args: [inputs, { base, out, ...more }], threads })
      t.is(result.message, undefined)
      outputs.push(await readFile(out))
    }
    const [first, ...others] = outputs as [Buffer, ...Buffer[]]
    for (const other of others) t.true(other.equals(first), name)
  }
})

test('progress runs on to the end of each pass', async (t) => {
  const dir = await folder(t)
  const path = await writeTensors(join(dir, 'x.safetensors'), model(12, 1))
  const seen: weights.WeightsProgress[] = []
  await weights.mergeFiles([path, path], {
    out: join(dir, 'out.safetensors'),
    onProgress: (progress) => seen.push(progress),
  })
  const last = seen.at(-1) as weights.WeightsProgress
  t.deepEqual(last, { pass: 'write', bytes: 24 * MB, totalBytes: 24 * MB, tensors: 4 })
  for (const [i, { pass, bytes }] of seen.entries()) {
    const before = seen[i - 1]
    if (before?.pass === pass) t.true(bytes >= before.bytes)
  }
})
