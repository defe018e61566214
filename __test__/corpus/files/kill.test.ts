/**
 * Killed at any moment: the output is the earlier complete result, the new complete one, or nothing that looks
 * complete, and the same call with resume gives the bytes of a run that nobody killed.
 */
import { cp, mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { complete, contents } from './places.js'
import { needFailpoints, type Outcome, withFailpoint } from './run.js'
import { documents, folder, lcg, split, write } from './support.js'

/** Blocks and shards so small that a small corpus has many. */
const SMALL = { TAMIS_BLOCK_BYTES: '6000', TAMIS_SHARD_BYTES: '30000', TAMIS_THREADS: '1' }
const SCENARIOS = [
  { name: 'a file', out: 'kept.jsonl', earlier: false, scores: false },
  { name: 'a file in the place of an earlier one', out: 'kept.parquet', earlier: true, scores: true },
  { name: 'a folder', out: 'kept', earlier: false, scores: true },
  { name: 'a folder in the place of an earlier one', out: 'kept', earlier: true, scores: false },
]
const RANDOM = 50

for (const [number, { name, out, earlier, scores }] of SCENARIOS.entries()) {
  test(`killed while it writes ${name}`, async (t) => {
    needFailpoints()
    const home = await folder(t)
    const template = join(home, 'template')
    await mkdir(template)
    // One folder for all runs: manifests name the inputs by path.
    const dir = join(home, 'work')
    const reset = async () => {
      await rm(dir, { recursive: true, force: true })
      await cp(template, dir, { recursive: true, preserveTimestamps: true })
    }
    for (const [i, part] of split(documents(220, 40), 2).entries())
      await write(join(template, `raw-${i}.jsonl`), part)
    await write(join(template, 'target.jsonl'), documents(40, 41, 1))
    const args = (options: object = {}) => [
      [join(dir, 'raw-0.jsonl'), join(dir, 'raw-1.jsonl')],
      [join(dir, 'target.jsonl')],
      {
        count: 15,
        minTokens: 40,
        buckets: 100,
        out: join(dir, out),
        ...(scores && { scores: join(dir, 'scores.parquet') }),
        ...(earlier && { force: true }),
        ...options,
      },
    ]
    const run = async (
      options: object,
      failpoint?: string,
      env: Record<string, string> = {},
    ): Promise<Outcome> => withFailpoint(args(options), failpoint, { ...SMALL, ...env })

    await reset()
    if (earlier) {
      t.is((await run({ count: 4 })).code, 0)
      for (const entry of await readdir(dir)) {
        if (entry.startsWith('kept') || entry.startsWith('scores'))
          await cp(join(dir, entry), join(template, entry), { recursive: true })
      }
      await reset()
    }
    const before = await complete(dir, out)
    t.is(before !== undefined, earlier)
    const log = join(home, 'log')
    const whole = await run({}, undefined, { TAMIS_FAILPOINT_LOG: log })
    t.is(whole.code, 0, JSON.stringify(whole.result))
    const after = await complete(dir, out)
    t.true(after !== undefined && after !== before)
    const want = await contents(dir)
    const hooks = (await readFile(log, 'utf8')).trim().split('\n')

    /** One kill, or two, and the run that goes on. */
    const killAt = async (failpoint: string, again?: string) => {
      await reset()
      const killed = await run({}, failpoint)
      t.is(killed.signal, 'SIGKILL', failpoint)
      let found = await complete(dir, out)
      t.true(found === undefined || found === before || found === after, `${failpoint}: ${found}`)
      // Folders change places in one step.
      if (earlier && out === 'kept') t.true(found !== undefined, failpoint)
      if (again !== undefined && found !== after) {
        await run({ resume: true }, again)
        found = await complete(dir, out)
        t.true(found === undefined || found === before || found === after, `${failpoint} ${again}: ${found}`)
      }
      const resumed = await run({ resume: true })
      if (found === after && !earlier && resumed.code !== 0) {
        t.regex(resumed.result.message as string, /exists/, failpoint)
      } else {
        t.is(resumed.code, 0, `${failpoint}: ${JSON.stringify(resumed.result)}`)
      }
      t.is(await complete(dir, out), after, failpoint)
      t.deepEqual(await contents(dir), want, failpoint)
    }

    for (const hook of new Set(hooks)) {
      const times = hooks.filter((other) => other === hook).length
      for (const nth of new Set([1, Math.ceil(times / 2), times])) await killAt(`${hook}:${nth}=kill`)
    }
    const next = lcg(100 + number)
    const anywhere = () => `any:${1 + Math.floor(next() * hooks.length)}=kill`
    const mine = Math.ceil(RANDOM / SCENARIOS.length)
    for (let i = 0; i < mine; i++) await killAt(anywhere(), i % 4 === 0 ? anywhere() : undefined)
  })
}

test('a resumed run reads less than a whole one', async (t) => {
  needFailpoints()
  const dir = await folder(t)
  const raw = await write(join(dir, 'raw.jsonl'), documents(220, 42))
  const target = await write(join(dir, 'target.jsonl'), documents(40, 43, 1))
  const args = (name: string, options: object = {}) => [
    [raw],
    [target],
    { count: 15, minTokens: 40, buckets: 100, out: join(dir, name), ...options },
  ]
  const log = join(dir, 'log')
  const byText = { spoolBytes: 0 }
  const whole = await withFailpoint(args('whole.jsonl', byText), undefined, {
    ...SMALL,
    TAMIS_FAILPOINT_LOG: log,
  })
  const total = whole.result.bytesRead as number
  const sizes = (await Promise.all([raw, target].map((path) => readFile(path)))).map((bytes) => bytes.length)
  const [rawBytes = 0, targetBytes = 0] = sizes
  t.is(total, 2 * rawBytes + targetBytes)
  // With its n-grams kept, no text is read twice.
  const spooled = await withFailpoint(args('spooled.jsonl'), undefined, SMALL)
  t.is(spooled.result.bytesRead, rawBytes + targetBytes)
  t.deepEqual(await readFile(join(dir, 'spooled.jsonl')), await readFile(join(dir, 'whole.jsonl')))
  // Parts are put down one after another: those of the raw file's fit, of the target's, of the scoring.
  const puts = (await readFile(log, 'utf8')).split('\n').filter((hook) => hook === 'state.rename').length
  let last = total
  for (const nth of [2, Math.floor(puts / 3), Math.floor((2 * puts) / 3), puts - 1]) {
    const name = `kept-${nth}.jsonl`
    const killed = await withFailpoint(args(name, byText), `state.rename:${nth}=kill`, SMALL)
    t.is(killed.signal, 'SIGKILL')
    const resumed = await withFailpoint(args(name, { ...byText, resume: true }), undefined, SMALL)
    t.is(resumed.code, 0, JSON.stringify(resumed.result))
    const read = resumed.result.bytesRead as number
    t.true(read <= last, `${nth}: ${read} of ${last}`)
    last = read
    t.deepEqual(await readFile(join(dir, name)), await readFile(join(dir, 'whole.jsonl')))
  }
  // Of the second pass only the last part was left.
  t.true(last < 40_000 && last < total / 4, `${last} of ${total}`)
})
