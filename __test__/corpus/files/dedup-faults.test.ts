/** Duplicates in files when a run is killed, stopped, or the disk fails: whole outputs or none, and resume gives the same bytes. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { corpus, type TamisError } from 'tamis'
import { killEverywhere } from './killed.js'
import { needFailpoints, withFailpoint } from './run.js'
import { type Document, documents, folder, write } from './support.js'

/** Blocks and shards so small that a small corpus has many, and memory so small that marks are spilled. */
const SMALL = { TAMIS_BLOCK_BYTES: '6000', TAMIS_SHARD_BYTES: '30000', TAMIS_THREADS: '1' }
const MEMORY = 500

const twice = (n: number, seed: number): Document[] => {
  const all = documents(n, seed)
  return all.map((record, i) => (i % 4 === 3 ? { ...record, text: (all[i - 2] as Document).text } : record))
}

const SCENARIOS = [
  {
    name: 'near duplicates into a file',
    call: 'dedupFilesNear',
    out: 'kept.jsonl',
    options: {},
    earlier: false,
  },
  {
    name: 'verified ones into a table in the place of an earlier one',
    call: 'dedupFilesNear',
    out: 'kept.parquet',
    options: { verify: true },
    earlier: true,
  },
  {
    name: 'exact duplicates into a folder',
    call: 'dedupFilesExact',
    out: 'kept',
    options: { clean: true, scope: 'local' },
    earlier: false,
  },
] as const
const RANDOM = 12

for (const [number, { name, call, out, options, earlier }] of SCENARIOS.entries()) {
  test(`killed while it finds ${name}`, async (t) => {
    needFailpoints()
    const hooks = await killEverywhere(t, {
      out,
      earlier: earlier ? (dir) => ({ against: [join(dir, 'raw-1.jsonl')] }) : undefined,
      leaves: /^(kept|clusters)/,
      async fill(dir) {
        for (let i = 0; i < 2; i++) await write(join(dir, `raw-${i}.jsonl`), twice(90, 50 + i))
        await write(join(dir, 'other.jsonl'), twice(90, 50).slice(0, 20))
      },
      run(dir, more, failpoint, env) {
        const raw = [join(dir, 'raw-0.jsonl'), join(dir, 'raw-1.jsonl')]
        const all = {
          against: [join(dir, 'other.jsonl')],
          out: join(dir, out),
          clusters: join(dir, 'clusters.parquet'),
          memory: MEMORY,
          ...options,
          ...(earlier && { force: true }),
          ...more,
        }
        return withFailpoint([raw, all], failpoint, { ...SMALL, ...env }, call)
      },
      times: (n) => [1, n],
      random: { count: RANDOM, seed: 200 + number, again: false },
    })
    t.true(hooks.includes('spill.write'))
  })
}

test('a full disk is said with the path, leaves no output, and the run goes on from its parts', async (t) => {
  needFailpoints()
  const dir = await folder(t)
  const raw = await write(join(dir, 'raw.jsonl'), twice(200, 60))
  const run = (name: string, options: object, failpoint?: string) =>
    withFailpoint(
      [[raw], { out: join(dir, name), memory: MEMORY, ...options }],
      failpoint,
      SMALL,
      'dedupFilesNear',
    )
  t.is((await run('whole.jsonl', {})).code, 0)
  for (const [i, hook] of ['state.write:3', 'spill.write:2', 'output.write', 'manifest.write'].entries()) {
    const name = `kept-${i}.jsonl`
    const { code, result } = await run(name, {}, `${hook}=enospc`)
    t.is(code, 1, hook)
    t.is(result.code, 'ERR_TAMIS_IO', hook)
    t.regex(result.message as string, /finished parts are kept in .*resume/, hook)
    const left = (await readdir(dir)).filter((entry) => entry.includes(`kept-${i}`))
    // The manifest comes behind the file.
    t.deepEqual(left.sort(), [`.${name}.tamis-state`, ...(hook === 'manifest.write' ? [name] : [])], hook)
    const resumed = await run(name, { resume: true })
    t.is(resumed.code, 0, JSON.stringify(resumed.result))
    t.deepEqual(await readFile(join(dir, name)), await readFile(join(dir, 'whole.jsonl')), hook)
  }
})

/** A pool of many files, so that each pass has parts to go on from. */
async function setUp(t: ExecutionContext) {
  const dir = await folder(t)
  const raw: string[] = []
  for (let i = 0; i < 8; i++) raw.push(await write(join(dir, `raw-${i}.jsonl`), twice(300, 70 + i)))
  const dedup = (out: string, options: object = {}) =>
    corpus.dedupFilesNear(raw, { out: join(dir, out), memory: MEMORY, ...options })
  const left = async () => (await readdir(dir)).filter((entry) => entry.includes('kept'))
  return { dir, dedup, left }
}

for (const pass of ['mark', 'link', 'write'] as const) {
  test(`an abort in the pass ${pass} leaves no output, and the run goes on from its parts`, async (t) => {
    const { dir, dedup, left } = await setUp(t)
    const controller = new AbortController()
    const onProgress = (progress: { pass: string }) => {
      if (progress.pass === pass) controller.abort()
    }
    const error = (await t.throwsAsync(dedup('kept.jsonl', { signal: controller.signal, onProgress }), {
      name: 'TamisError',
      code: 'ERR_TAMIS_ABORTED',
    })) as TamisError
    t.regex(error.message, /finished parts are kept in .*kept\.jsonl\.tamis-state.*resume/)
    t.deepEqual(await left(), ['.kept.jsonl.tamis-state'])
    const whole = await dedup('whole.jsonl')
    const resumed = await dedup('kept.jsonl', { resume: true })
    t.deepEqual(await readFile(join(dir, 'kept.jsonl')), await readFile(join(dir, 'whole.jsonl')))
    if (pass !== 'mark') t.is(resumed.bytesRead, 0)
    t.is(resumed.records, whole.records)
    t.deepEqual(await left(), ['kept.jsonl', 'kept.jsonl.manifest.json'])
  })
}

test('resume goes on only with what it was', async (t) => {
  const { dedup, left } = await setUp(t)
  const controller = new AbortController()
  const stop = { signal: controller.signal, onProgress: () => controller.abort() }
  await t.throwsAsync(dedup('kept.jsonl', stop), { code: 'ERR_TAMIS_ABORTED' })
  await t.throwsAsync(dedup('kept.jsonl', { resume: true, ngram: 5 }), {
    code: 'ERR_TAMIS_RANGE',
    message: /resume cannot go on .*"ngram: .*start anew without --resume/,
  })
  // What a run may take of the machine is no matter of what it does.
  await dedup('kept.jsonl', { resume: true, memory: 10 ** 6, threads: 1 })
  t.deepEqual(await left(), ['kept.jsonl', 'kept.jsonl.manifest.json'])
})
