import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { corpus, type TamisError } from 'tamis'
import { inProcess } from './run.js'
import { documents, folder, write } from './support.js'

const TARGET = documents(50, 11, 1)

/** A pool of many files, so that each pass has parts to go on from. */
async function setUp(t: ExecutionContext, size = 300, files = 8) {
  const dir = await folder(t)
  const target = await write(join(dir, 'target.jsonl'), TARGET)
  const raw: string[] = []
  for (let i = 0; i < files; i++)
    raw.push(await write(join(dir, `raw-${String(i).padStart(2, '0')}.jsonl`), documents(size, 20 + i)))
  const select = (out: string, options: object = {}) =>
    corpus.selectFilesByImportance(raw, [target], { count: size, minTokens: 40, out, ...options })
  const left = async (name: string) => (await readdir(dir)).filter((entry) => entry.includes(name))
  return { dir, select, left }
}

const aborted = { name: 'TamisError', code: 'ERR_TAMIS_ABORTED' }

test('a signal that is aborted already stops everything before it starts', async (t) => {
  const { dir, select, left } = await setUp(t, 20, 1)
  const reason = new Error('no longer wanted')
  const error = (await t.throwsAsync(
    () => select(join(dir, 'kept.jsonl'), { signal: AbortSignal.abort(reason) }),
    aborted,
  )) as TamisError
  t.is(error.cause, reason)
  t.deepEqual(await left('kept'), [])
  await t.throwsAsync(() => corpus.countNgramFiles([dir], { signal: AbortSignal.abort() }), aborted)
})

for (const pass of ['fit', 'score', 'write'] as const) {
  for (const out of ['kept.jsonl', 'kept']) {
    test(`an abort while it ${pass}s into ${out} leaves no output, and the run goes on from its parts`, async (t) => {
      const { dir, select, left } = await setUp(t)
      const controller = new AbortController()
      const onProgress = (progress: { pass: string; bytes: number }) => {
        if (progress.pass === pass) controller.abort()
      }
      const error = (await t.throwsAsync(
        () => select(join(dir, out), { signal: controller.signal, onProgress }),
        aborted,
      )) as TamisError
      t.is(error.cause, controller.signal.reason)
      t.regex(error.message, /finished parts are kept in .*kept.*tamis-state.*resume/)
      t.deepEqual(await left('kept'), [`.${out}.tamis-state`])
      const whole = await select(join(dir, `whole-${out}`))
      const resumed = await select(join(dir, out), { resume: true })
      t.deepEqual(await left('kept'), [
        out,
        ...(out === 'kept'
          ? ['whole-kept']
          : ['kept.jsonl.manifest.json', 'whole-kept.jsonl', 'whole-kept.jsonl.manifest.json']),
      ])
      t.is(resumed.files.length, whole.files.length)
      for (const [i, file] of resumed.files.entries()) {
        t.deepEqual(await readFile(file), await readFile(whole.files[i] as string))
      }
      if (pass !== 'fit') t.true(resumed.bytesRead < whole.bytesRead)
    })
  }
}

test('resume goes on only with what it was', async (t) => {
  const { dir, select, left } = await setUp(t, 50, 2)
  const out = join(dir, 'kept.jsonl')
  const stop = async () => {
    const controller = new AbortController()
    const onProgress = () => controller.abort()
    await t.throwsAsync(() => select(out, { signal: controller.signal, onProgress }), aborted)
  }
  await stop()
  await t.throwsAsync(() => select(out, { resume: true, seed: 3 }), {
    code: 'ERR_TAMIS_RANGE',
    message: /resume cannot go on .*"seed: .*start anew without --resume/,
  })
  // A slip of the options costs nothing: the parts are still there.
  t.deepEqual(await left('kept'), ['.kept.jsonl.tamis-state'])
  await writeFile(out, 'in the way')
  await t.throwsAsync(() => select(out, { resume: true }), { code: 'ERR_TAMIS_RANGE', message: /exists/ })
  t.deepEqual(await left('.kept'), ['.kept.jsonl.tamis-state'])
  await rm(out)
  await write(join(dir, 'raw-01.jsonl'), documents(51, 1))
  await t.throwsAsync(() => select(out, { resume: true }), {
    code: 'ERR_TAMIS_RANGE',
    message: /raw-01\.jsonl was changed since/,
  })
  t.is((await select(out)).kept, 50)
  t.deepEqual(await left('.kept'), [])
})

test('resume without anything to resume is a run like any other', async (t) => {
  const { dir, select } = await setUp(t, 50, 2)
  t.is((await select(join(dir, 'kept.jsonl'), { resume: true })).kept, 50)
})

test('two runs on one output do not meet', async (t) => {
  const { dir, select } = await setUp(t)
  const out = join(dir, 'kept.jsonl')
  const outcomes = await Promise.allSettled([select(out), select(out)])
  const failed = outcomes.filter((outcome) => outcome.status === 'rejected')
  t.is(failed.length, 1)
  const [{ reason }] = failed as [PromiseRejectedResult]
  t.regex(reason.message, /another call in this process is writing this output/)
})

test('a listener that throws ends the run with its own error', async (t) => {
  const { dir, select, left } = await setUp(t, 50, 2)
  const error = new RangeError('my own')
  const onProgress = () => {
    throw error
  }
  t.is(await t.throwsAsync(() => select(join(dir, 'kept.jsonl'), { onProgress })), error)
  t.deepEqual(
    (await left('kept')).filter((name) => !name.endsWith('tamis-state')),
    [],
  )
})

test('progress runs up to the whole of each pass, in order', async (t) => {
  const { dir, select } = await setUp(t, 500, 4)
  const seen: { pass: string; bytes: number; totalBytes: number; records: number }[] = []
  await select(join(dir, 'kept.jsonl'), {
    onProgress: (progress: (typeof seen)[number]) => seen.push(progress),
  })
  t.deepEqual([...new Set(seen.map(({ pass }) => pass))], ['fit', 'score', 'write'])
  for (const pass of ['fit', 'score', 'write']) {
    const own = seen.filter((progress) => progress.pass === pass)
    for (const [i, { bytes, records }] of own.entries()) {
      const before = own[i - 1]
      if (before) t.true(bytes >= before.bytes && records >= before.records)
    }
    const last = own.at(-1) as (typeof seen)[number]
    t.is(last.bytes, last.totalBytes)
    t.is(last.records, pass === 'fit' ? 2050 : pass === 'score' ? 2000 : 500)
  }
})

test('an abort while standard input is waited for', async (t) => {
  const { dir } = await setUp(t, 20, 1)
  const args = [['-'], [join(dir, 'target.jsonl')], { count: 1, out: join(dir, 'kept.jsonl') }]
  const { code, result } = await inProcess({ args, abort: true }, { input: null, env: { TMPDIR: dir } })
  t.is(code, 1)
  t.is(result.code, 'ERR_TAMIS_ABORTED')
  t.deepEqual((await readdir(dir)).sort(), ['raw-00.jsonl', 'target.jsonl'])
})
