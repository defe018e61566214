import { existsSync } from 'node:fs'
import test from 'ava'
import { recipes } from 'tamis'
import { tamis } from './command.js'

test('recipes lists every paper and counts those that are there', async (t) => {
  const { code, stdout } = await tamis(['recipes'])
  t.is(code, 0)
  for (const { short, title } of recipes) t.true(stdout.includes(short) && stdout.includes(title), short)
  const done = recipes.filter(({ state }) => state === 'done')
  t.true(stdout.includes(`${done.length} of ${recipes.length} done`))
  t.true(stdout.includes('corpus.selectFilesByImportance'))
})

test('recipes --json is the table', async (t) => {
  const { code, stdout } = await tamis(['recipes', '--json'])
  t.is(code, 0)
  t.deepEqual(JSON.parse(stdout), recipes)
})

test('doctor says what it runs on, and its checks pass', async (t) => {
  const { code, stdout, stderr } = await tamis(['doctor', '--json'])
  t.is(code, 0, stderr)
  const facts = JSON.parse(stdout)
  t.true(facts.ok)
  t.deepEqual(
    facts.checks.map(({ name, ok }: { name: string; ok: boolean }) => [name, ok]),
    [
      ['random numbers', true],
      ['hashing', true],
      ['selection', true],
    ],
  )
  t.is(facts.node, process.version)
  t.deepEqual(facts.devices, ['cpu'])
  t.true(Array.isArray(facts.instructionSets))
  t.regex(facts.unicode, /^\d+\.\d+\.\d+$/)
  const table = await tamis(['doctor'], { env: { TAMIS_THREADS: '1' } })
  t.is(table.code, 0)
  t.regex(table.stdout, /^threads +1$/m)
  t.regex(table.stdout, /^devices +cpu /m)
})

test('doctor without an addon says what to do', async (t) => {
  const { code, stdout, stderr } = await tamis(['doctor', '--json'], {
    preload: "Object.defineProperty(process, 'arch', { value: 'abacus' })",
    env: { TAMIS_NATIVE: '' },
  })
  t.is(code, 1)
  t.is(JSON.parse(stdout).error.code, 'ERR_TAMIS_DEVICE')
  t.regex(stderr, /^tamis: no tamis addon for [^\n]*\n$/)
})

test('a reader who stops early is no failure', async (t) => {
  const { code, stderr } = await tamis(['recipes', '--json'], { onStart: (child) => child.stdout?.destroy() })
  t.is(code, 0)
  t.is(stderr, '')
})

const full = existsSync('/dev/full')
const fullTest = full ? test : test.skip

fullTest(
  `results that cannot be stored are a failure${full ? '' : ': no /dev/full to store them in'}`,
  async (t) => {
    const { code, stderr } = await tamis(['recipes'], { stdout: '/dev/full' })
    t.is(code, 1)
    t.regex(stderr, /^tamis: standard output cannot be written: [^\n]*ENOSPC[^\n]*\n$/)
  },
)
