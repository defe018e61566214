/**
 * Killed at any moment: the output is the earlier complete result, the new complete one, or nothing that looks
 * complete, and the same call with resume gives the bytes of a run that nobody killed.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { killEverywhere } from './killed.js'
import { needFailpoints, withFailpoint } from './run.js'
import { documents, folder, split, write } from './support.js'

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
    await killEverywhere(t, {
      out,
      earlier: earlier ? () => ({ count: 4 }) : undefined,
      leaves: /^(kept|scores)/,
      async fill(dir) {
        for (const [i, part] of split(documents(220, 40), 2).entries())
          await write(join(dir, `raw-${i}.jsonl`), part)
        await write(join(dir, 'target.jsonl'), documents(40, 41, 1))
      },
      run(dir, more, failpoint, env) {
        const all = {
          count: 15,
          minTokens: 40,
          buckets: 100,
          out: join(dir, out),
          ...(scores && { scores: join(dir, 'scores.parquet') }),
          ...(earlier && { force: true }),
          ...more,
        }
        const raw = [join(dir, 'raw-0.jsonl'), join(dir, 'raw-1.jsonl')]
        return withFailpoint([raw, [join(dir, 'target.jsonl')], all], failpoint, { ...SMALL, ...env })
      },
      times: (n) => [1, Math.ceil(n / 2), n],
      random: { count: Math.ceil(RANDOM / SCENARIOS.length), seed: 100 + number, again: true },
    })
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
