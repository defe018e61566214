import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { folder } from '../corpus/files/support.js'
import { signalWhen, tamis, writeCorpus } from './command.js'

const WORDS = [
  'select',
  'raw',
  '--target',
  'target.jsonl',
  '--count',
  '200',
  '--min-tokens',
  '30',
  '--out',
  'kept',
]

for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  for (const pass of ['fit', 'score']) {
    test(`${signal} after the pass ${pass}: partial outputs go, and the line that resumes leads to the same bytes`, async (t) => {
      const cwd = await folder(t)
      await writeCorpus(cwd, 1000)
      const before = (await readdir(cwd)).sort()
      const stopped = await tamis(WORDS, { cwd, preload: signalWhen(`tamis: ${pass} 100%`, signal) })
      t.is(stopped.code, status, stopped.stderr)
      t.is(stopped.stdout, '')
      const resume = /^tamis: to go on: tamis (.*)$/m.exec(stopped.stderr)?.[1] ?? ''
      t.is(resume, `${WORDS.join(' ')} --resume`)
      const left = (await readdir(cwd)).filter((name) => !before.includes(name))
      t.false(left.includes('kept'))
      t.is(left.length, 1, `only the state stays: ${left.join(' ')}`)
      const resumed = await tamis(resume.split(' '), { cwd })
      t.is(resumed.code, 0, resumed.stderr)
      t.deepEqual((await readdir(cwd)).sort(), [...before, 'kept'].sort())
      const whole = await tamis([...WORDS.slice(0, -1), 'whole'], { cwd })
      t.is(whole.code, 0, whole.stderr)
      for (const file of ['a.jsonl', 'b.jsonl']) {
        t.is(
          await readFile(join(cwd, 'kept', file), 'utf8'),
          await readFile(join(cwd, 'whole', file), 'utf8'),
        )
      }
    })
  }
}

test('a stopped run tells a program so in JSON', async (t) => {
  const cwd = await folder(t)
  await writeCorpus(cwd, 1000)
  const { code, stdout, stderr } = await tamis([...WORDS, '--json'], {
    cwd,
    preload: signalWhen('tamis: fit 100%', 'SIGINT'),
  })
  t.is(code, 130)
  const { error } = JSON.parse(stdout)
  t.is(error.code, 'ERR_TAMIS_ABORTED')
  t.is(error.resume, `tamis ${WORDS.join(' ')} --json --resume`)
  t.true(stderr.trimEnd().endsWith(`tamis: to go on: ${error.resume}`))
})

/** Says when the command has begun to listen, so that a signal finds it at work. */
const SAY_READY = `
  const on = process.on.bind(process)
  process.on = (name, listener) => {
    on(name, listener)
    if (name === 'SIGTERM') process.stderr.write('listening\\n')
    return process
  }`

test('while it waits for standard input one signal or a second one ends it', async (t) => {
  const cwd = await folder(t)
  await writeCorpus(cwd)
  const { code, stderr } = await tamis(['select', '-', ...WORDS.slice(2)], {
    cwd,
    preload: SAY_READY,
    stdin: { open: true },
    onStart: (child) => {
      child.stderr?.once('data', () => {
        child.kill('SIGINT')
        child.kill('SIGINT')
        child.on('exit', () => child.stdin?.destroy())
      })
    },
  })
  t.is(code, 130, stderr)
  t.deepEqual((await readdir(cwd)).sort(), ['raw', 'target.jsonl'])
})
