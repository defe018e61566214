/** As a guest in a service: calls and workers share the thread budget, and what ends early leaves nothing behind. */
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { corpus, setThreads, type TamisError, threads } from 'tamis'
import { documents, folder, write } from './support.js'

const WORKER = resolve(import.meta.dirname, 'worker.mjs')

async function setUp(t: ExecutionContext, files = 4) {
  const dir = await folder(t)
  const targets = [await write(join(dir, 'target.jsonl'), documents(50, 51, 1))]
  const one = await write(join(dir, 'raw.jsonl'), documents(800, 50))
  const raw = Array.from({ length: files }, () => one)
  const options = (out: string) => ({ count: 90, minTokens: 40, out: join(dir, out) })
  return { dir, targets, raw, options }
}

/** Names of the pool's threads in this process. */
async function poolThreads(): Promise<string[]> {
  const tasks = await readdir('/proc/self/task')
  const names = tasks.map((id) => readFile(`/proc/self/task/${id}/comm`, 'utf8').catch(() => ''))
  return (await Promise.all(names)).map((name) => name.trim()).filter((name) => /^tamis-\d+$/.test(name))
}

test.serial('several calls at once share the thread budget and give what each gives alone', async (t) => {
  t.teardown(() => setThreads(0))
  const { dir, targets, raw, options } = await setUp(t)
  setThreads(2)
  t.is(threads(), 2)
  await corpus.selectFilesByImportance(raw, targets, options('alone.jsonl'))
  const alone = await readFile(join(dir, 'alone.jsonl'))
  const onLinux = existsSync('/proc/self/task')
  if (!onLinux) t.log('skipped: the number of threads can be counted on Linux alone')
  // A pool of another size that nobody works on any more ends by itself.
  while (onLinux && (await poolThreads()).length > 2) await nextTurn()
  const counts: Promise<string[]>[] = []
  const onProgress = () => {
    if (onLinux) counts.push(poolThreads())
  }
  const names = Array.from({ length: 6 }, (_, i) => `kept-${i}.jsonl`)
  await Promise.all(
    names.map((name) =>
      corpus.selectFilesByImportance(raw, targets, { ...options(name), threads: 2, onProgress }),
    ),
  )
  for (const name of names) t.deepEqual(await readFile(join(dir, name)), alone)
  for (const seen of await Promise.all(counts)) t.is(seen.length, 2)
  if (onLinux) t.true(counts.length >= 6)
})

test.serial('several workers at once, one of them terminated in the middle', async (t) => {
  const { dir, targets, raw, options } = await setUp(t, 30)
  const start = (out: string) => new Worker(WORKER, { workerData: { raw, targets, options: options(out) } })
  const doomed = start('doomed.jsonl')
  const others = ['a.jsonl', 'b.jsonl'].map(start)
  const done = others.map(
    (worker) =>
      new Promise<{ kept: number; klReduction: number }>((resolve, reject) => {
        worker.on('error', reject)
        worker.on('message', (message) => {
          if ('kept' in message) resolve(message)
        })
      }),
  )
  await once(doomed, 'message')
  await doomed.terminate()
  const results = await Promise.all(done)
  t.deepEqual(results[0], results[1])
  t.is(results[0]?.kept, 90)
  t.deepEqual(await readFile(join(dir, 'a.jsonl')), await readFile(join(dir, 'b.jsonl')))
  t.false(existsSync(join(dir, 'doomed.jsonl')))
  // Its threads stop at their next block; then the output is free.
  const select = () => corpus.selectFilesByImportance(raw, targets, options('doomed.jsonl'))
  const taken = /is writing this output/
  let selection: Awaited<ReturnType<typeof select>> | undefined
  while (selection === undefined) {
    selection = await select().catch((error: TamisError) => {
      if (!taken.test(error.message)) throw error
      return undefined
    })
  }
  t.deepEqual(await readFile(join(dir, 'doomed.jsonl')), await readFile(join(dir, 'a.jsonl')))
  t.deepEqual(
    (await readdir(dir)).filter((name) => name.startsWith('.')),
    [],
  )
})

test.serial('a budget changed in the middle of a call holds for the next', async (t) => {
  t.teardown(() => setThreads(0))
  const { dir, targets, raw, options } = await setUp(t)
  const sizes = [1, 3, 2]
  const onProgress = () => setThreads(sizes.shift() ?? 2)
  await corpus.selectFilesByImportance(raw, targets, { ...options('changing.jsonl'), onProgress })
  await corpus.selectFilesByImportance(raw, targets, options('fixed.jsonl'))
  t.deepEqual(await readFile(join(dir, 'changing.jsonl')), await readFile(join(dir, 'fixed.jsonl')))
})
