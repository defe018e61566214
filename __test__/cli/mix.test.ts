import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import test from 'ava'
import { documents, folder, ids, lines } from '../corpus/files/support.js'
import { tamis } from './command.js'

async function setUp(cwd: string): Promise<void> {
  await writeFile(join(cwd, 'a.jsonl'), `${lines(documents(60, 1)).join('\n')}\n`)
  await writeFile(join(cwd, 'b.jsonl'), `${lines(documents(30, 2)).join('\n')}\n`)
}

const WORDS = ['mix', 'web=a.jsonl', 'books=b.jsonl', '--epochs', '1,2.5']

test('end to end: the mixture, its manifest, a report, one JSON object', async (t) => {
  const cwd = await folder(t)
  await setUp(cwd)
  const words = [...WORDS, '--out', 'mix.jsonl', '--report', 'report.html', '--json']
  const { code, stdout, stderr } = await tamis(words, { cwd })
  t.is(code, 0, stderr)
  const result = JSON.parse(stdout)
  t.is(result.records, 135)
  t.is(result.report, resolve(cwd, 'report.html'))
  t.deepEqual(
    result.sources.map(({ name, records }: { name: string; records: number }) => [name, records]),
    [
      ['web', 60],
      ['books', 30],
    ],
  )
  t.is((await ids(join(cwd, 'mix.jsonl'))).length, 135)
  const page = await readFile(join(cwd, 'report.html'), 'utf8')
  t.true(page.includes('135 documents of 2 sources mixed'))
  t.true(page.includes(`tamis ${words.join(' ')}`))
  t.deepEqual((await readdir(cwd)).sort(), [
    'a.jsonl',
    'b.jsonl',
    'mix.jsonl',
    'mix.jsonl.manifest.json',
    'report.html',
  ])
})

test('a table, and a dry run that writes nothing but the report', async (t) => {
  const cwd = await folder(t)
  await setUp(cwd)
  const { code, stdout, stderr } = await tamis([...WORDS, '--dry-run', '--report', 'look.html'], { cwd })
  t.is(code, 0, stderr)
  t.regex(stdout, /^mixed +135 records$/m)
  t.regex(stdout, /^output +none: a dry run$/m)
  t.regex(stdout, /^report +look\.html$/m)
  t.deepEqual((await readdir(cwd)).sort(), ['a.jsonl', 'b.jsonl', 'look.html'])
})

test('a report that exists is replaced only by force; one that cannot be written costs no run', async (t) => {
  const cwd = await folder(t)
  await setUp(cwd)
  await writeFile(join(cwd, 'r.html'), 'mine')
  const words = [...WORDS, '--out', 'mix.jsonl', '--report']
  for (const [path, wanted, status] of [
    ['r.html', /r\.html exists: .*--force/, 2],
    ['r.txt', /--report must end in \.html/, 2],
    ['missing/r.html', /the folder missing does not exist/, 1],
  ] as const) {
    const { code, stderr } = await tamis([...words, path], { cwd })
    t.is(code, status)
    t.regex(stderr, wanted)
  }
  t.is(await readFile(join(cwd, 'r.html'), 'utf8'), 'mine')
  t.deepEqual((await readdir(cwd)).sort(), ['a.jsonl', 'b.jsonl', 'r.html'])
  t.is((await tamis([...words, 'r.html', '--force'], { cwd })).code, 0)
  t.true((await readFile(join(cwd, 'r.html'), 'utf8')).startsWith('<!doctype html>'))
})
