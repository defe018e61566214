import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { corpus } from 'tamis'
import { f32, numbers, writeShards } from './weights/files/support.js'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Runs an example as its comment says; gives back what it printed. */
async function example(name: string, ...args: string[]): Promise<string> {
  const program = join(root, 'examples', `${name}.ts`)
  const { stdout } = await promisify(execFile)(execPath, ['--import=tsx', program, ...args], { cwd: root })
  return stdout
}

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'tamis-examples-'))
  t.teardown(() => rm(path, { recursive: true }))
  return path
}

/** Records of 120 words, every third of them about cooking. */
function records(first: number, count: number): string {
  const kitchen =
    'melt the butter stir in the flour add the milk and simmer the sauce until it is thick'.split(' ')
  const office =
    'the committee approved the minutes of the meeting and moved to discuss the annual budget'.split(' ')
  const lines = Array.from({ length: count }, (_, i) => {
    const id = first + i
    const words = id % 3 === 0 ? kitchen : office
    const text = Array.from({ length: 120 }, (_, j) => words[(j * (id % 7) + j + id) % words.length]).join(
      ' ',
    )
    return `${JSON.stringify({ id, cooking: id % 3 === 0, text })}\n`
  })
  return lines.join('')
}

const parse = async (path: string): Promise<{ id: number; cooking: boolean }[]> =>
  (await readFile(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))

test('select-in-memory keeps the three recipes', async (t) => {
  const lines = (await example('select-in-memory')).trimEnd().split('\n')
  t.is(lines.length, 3)
  for (const line of lines) t.regex(line, /^-?[\d.]+ .*(butter|eggs)/)
})

test('select-files writes the records that look like the target', async (t) => {
  const at = await folder(t)
  const [raw, target, out] = ['raw.jsonl', 'target.jsonl', 'kept.jsonl'].map((name) => join(at, name)) as [
    string,
    string,
    string,
  ]
  await writeFile(raw, records(0, 300))
  await writeFile(
    target,
    records(0, 60)
      .split('\n')
      .filter((line) => line.includes('"cooking":true'))
      .join('\n'),
  )
  const printed = await example('select-files', raw, target, out)
  t.regex(printed, /^kept 30 of 300 candidates, 300 records\nKL reduction -?\d\.\d+, in /)
  const kept = await parse(out)
  t.is(kept.length, 30)
  t.true(kept.every((record) => record.cooking))
})

test('merge-counts selects from each part by the fit of the whole', async (t) => {
  const at = await folder(t)
  const paths = ['a.jsonl', 'b.jsonl', 'target.jsonl'].map((name) => join(at, name)) as [
    string,
    string,
    string,
  ]
  const [a, b, target] = paths
  await writeFile(a, records(0, 150))
  await writeFile(b, records(150, 150))
  await writeFile(
    target,
    records(0, 30)
      .split('\n')
      .filter((line) => line.includes('"cooking":true'))
      .join('\n'),
  )
  const printed = await example('merge-counts', target, at, a, b)
  t.regex(
    printed,
    /^300 records with \d+ tokens in 2 parts\npart 0: kept 15 of 150 .*\npart 1: kept 15 of 150 /,
  )
  const merged = await corpus.readNgramCounts(join(at, 'raw.counts'))
  const whole = await corpus.countNgramFiles([a, b])
  t.deepEqual(merged.counts, whole.counts)
  for (const part of [0, 1])
    t.true((await parse(join(at, `part-${part}.jsonl`))).every((record) => record.cooking))
})

test('merge-models merges, compresses and restores', async (t) => {
  const at = await folder(t)
  const write = (name: string, seed: number) =>
    writeShards(join(at, name), [{ w: f32([40, 50], numbers(2000, seed)) }], { 'config.json': '{}' })
  const [base, ...models] = await Promise.all([write('base', 1), write('a', 2), write('b', 3)])
  const printed = await example('merge-models', base, join(at, 'out'), ...models)
  t.regex(
    printed,
    /^2 models, 1 tensors of 2000 numbers\nmodel 0: 100 signs in \d+ bytes\nmodel 1: 100 signs in \d+ bytes\n$/,
  )
  t.true((await readdir(join(at, 'out', 'merged'))).includes('config.json'))
  t.true((await readdir(join(at, 'out', 'restored-1'))).includes('model.safetensors.index.json'))
})
