import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { tensor } from 'tamis'
import { runCase } from '../scripts/golden/cases.js'
import { decode, differences } from '../scripts/golden/values.js'

const close = { abs: 1e-6, rel: 1e-6 }
const paths = (got: unknown, want: unknown) => differences(got, decode(want), close).map(({ path }) => path)

test('tensors of a case become typed arrays, with the words for what JSON lacks', (t) => {
  t.deepEqual(decode({ a: [{ type: 'float32', dims: [3], data: [1, 'NaN', '-Infinity'] }] }), {
    a: [tensor('float32', [3], [1, Number.NaN, -Infinity])],
  })
  t.deepEqual(decode({ type: 'int64', dims: [1], data: [7] }), tensor('int64', [1], [7]))
  t.deepEqual(decode({ type: 'name', dims: 3 }), { type: 'name', dims: 3 })
})

test('numbers differ beyond the tolerance, integers at once', (t) => {
  t.deepEqual(paths(1.0000001, 1), [])
  t.deepEqual(paths(1.00001, 1), ['(result)'])
  t.deepEqual(differences(1_000_001, 1_000_000, { abs: 10, rel: 1 }).length, 1)
  t.deepEqual(paths(Number.NaN, 'NaN'), [])
  t.deepEqual(paths(1, 'NaN'), ['(result)'])
  t.deepEqual(paths(Infinity, 'Infinity'), [])
  t.deepEqual(paths(true, 1), ['(result)'])
})

test('tensors differ by type, dims and items', (t) => {
  const want = { type: 'float32', dims: [2], data: [1, 'NaN'] }
  t.deepEqual(paths(tensor('float32', [2], [1, Number.NaN]), want), [])
  t.deepEqual(paths(tensor('float64', [2], [1, Number.NaN]), want), ['.type'])
  t.deepEqual(paths(tensor('float32', [2, 1], [1, Number.NaN]), want), ['.dims.length'])
  t.deepEqual(paths(tensor('float32', [2], [1, 2]), want), ['.data[1]'])
  t.deepEqual(paths(undefined, want), ['(result)'])
  t.deepEqual(paths([1, Number.NaN], want), ['(result)'])
})

test('a bare typed array is a tensor of one dimension, and meets a list of numbers', (t) => {
  t.deepEqual(paths(Uint32Array.of(1, 2), { type: 'uint32', dims: [2], data: [1, 2] }), [])
  t.deepEqual(paths(Uint8Array.of(1), { type: 'bool', dims: [1], data: [1] }), [])
  t.deepEqual(paths(Int8Array.of(1), { type: 'uint8', dims: [1], data: [1] }), ['.type'])
  t.deepEqual(paths(Float64Array.of(1, 2), [1, 2]), [])
  t.deepEqual(paths(Float64Array.of(1, 2), [1, 3]), ['[1]'])
  t.deepEqual(paths([1], [1, 2]), ['.length'])
})

test('only keys that are listed count', (t) => {
  t.deepEqual(paths({ a: 1, b: { c: [1, 2] }, d: 4 }, { a: 1, b: { c: [1, 3] } }), ['b.c[1]'])
  t.deepEqual(paths({}, { a: 1 }), ['a'])
})

test('a case that wants an error fails without one, and with another', async (t) => {
  const one = { recipe: 'kernels', name: 'x', about: '', call: 'kernels.below', args: [1, 0] }
  t.deepEqual(await runCase({ ...one, error: 'bound' }), { state: 'ran', differences: [] })
  const other = await runCase({ ...one, error: 'stream' })
  t.is(other.state === 'ran' && other.differences[0]?.path, '(error)')
  const none = await runCase({ ...one, args: [1, 5], error: 'bound' })
  t.is(none.state === 'ran' && none.differences[0]?.got, 'no error')
  t.deepEqual(await runCase({ ...one, call: 'vectors.nothing' }), { state: 'to come' })
})

async function command(...args: string[]): Promise<{ code: number; stdout: string }> {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const program = ['--import=tsx', 'scripts/golden.ts', ...args]
  return new Promise((resolve) => {
    execFile(execPath, program, { cwd: root }, (error, stdout) =>
      resolve({ code: Number(error?.code ?? 0), stdout }),
    )
  })
}

test('the command prints what differs and ends with 1', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tamis-golden-'))
  t.teardown(() => rm(folder, { recursive: true }))
  await mkdir(join(folder, 'kernels'))
  const tolerance = { abs: 0, rel: 0 }
  const about = 'a word'
  const below = { recipe: 'kernels', name: 'wrong', about, call: 'kernels.below', args: [1, 1], tolerance }
  const expect = { type: 'uint32', dims: [1], data: [7] }
  await writeFile(join(folder, 'kernels', 'wrong.json'), JSON.stringify({ ...below, expect }))
  const failed = await command(folder)
  t.is(failed.code, 1)
  t.regex(
    failed.stdout,
    /kernels\/wrong: a word\n {2}\.data\[0\]: got 0, want 7\n0 passed, 1 failed, 0 to come/,
  )
  t.is((await command(folder, 'nothing')).code, 2)
  t.is((await command()).code, 2)
  t.is((await command(join(folder, 'nowhere'))).code, 2)
})
