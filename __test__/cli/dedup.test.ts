import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import test from 'ava'
import { documents, folder, lines } from '../corpus/files/support.js'
import { tamis } from './command.js'

async function setUp(cwd: string): Promise<void> {
  const all = lines(documents(60, 1))
  await writeFile(join(cwd, 'a.jsonl'), `${[...all.slice(0, 40), ...all.slice(0, 10)].join('\n')}\n`)
  await writeFile(join(cwd, 'b.jsonl'), `${all.slice(30).join('\n')}\n`)
  await writeFile(join(cwd, 'other.jsonl'), `${all.slice(0, 5).join('\n')}\n`)
}

test('end to end: records, manifest, clusters, one JSON object', async (t) => {
  const cwd = await folder(t)
  await setUp(cwd)
  const words = ['dedup', 'a.jsonl', '--against', 'other.jsonl', 'b.jsonl', '--out', 'kept']
  words.push('--clusters', 'dropped.jsonl', '--report', 'report.html', '--json')
  const { code, stdout, stderr } = await tamis(words, { cwd })
  t.is(code, 0, stderr)
  const result = JSON.parse(stdout)
  t.is(result.method, 'near')
  t.is(result.report, resolve(cwd, 'report.html'))
  const page = await readFile(join(cwd, 'report.html'), 'utf8')
  t.true(page.includes('55 of 80 documents kept'))
  t.true(page.includes(`tamis ${words.join(' ')}`))
  t.deepEqual(
    [result.records, result.kept, result.dropped, result.matched, result.against],
    [80, 55, 25, 10, 5],
  )
  t.is(result.clustersFile, resolve(cwd, 'dropped.jsonl'))
  const rows = (await readFile(join(cwd, 'dropped.jsonl'), 'utf8')).trimEnd().split('\n')
  t.is(rows.length, 25)
  t.deepEqual(JSON.parse(rows[0] as string), {
    file: 'a.jsonl',
    record: 0,
    of_file: 'other.jsonl',
    of_record: 0,
    against: true,
  })
  const kept = await Promise.all(result.files.map((path: string) => readFile(path, 'utf8')))
  t.is(kept.join('').trimEnd().split('\n').length, 55)
  t.deepEqual((await readdir(cwd)).sort(), [
    'a.jsonl',
    'b.jsonl',
    'dropped.jsonl',
    'kept',
    'other.jsonl',
    'report.html',
  ])
})

test('a table, progress as plain lines, and sources by name', async (t) => {
  const cwd = await folder(t)
  await setUp(cwd)
  const { code, stdout, stderr } = await tamis(
    ['dedup', 'x=a.jsonl', 'y=b.jsonl', '--scope', 'local', '--method', 'exact', '--out', 'kept.jsonl'],
    { cwd },
  )
  t.is(code, 0, stderr)
  for (const pass of ['mark', 'link', 'write']) t.regex(stderr, new RegExp(`^tamis: ${pass} 100%, `, 'm'))
  t.regex(stdout, /^kept +70 of 80 records \(87\.5/m)
  t.regex(stdout, /^of x +40 of 50/m)
  t.regex(stdout, /^of y +30 of 30/m)
  t.regex(stdout, /^manifest +kept\.jsonl\.manifest\.json$/m)
})

test('quiet says nothing; a dry run writes nothing', async (t) => {
  const cwd = await folder(t)
  await setUp(cwd)
  const quiet = await tamis(['dedup', 'a.jsonl', '--dry-run', '--quiet'], { cwd })
  t.deepEqual(quiet, { code: 0, stdout: '', stderr: '' })
  t.deepEqual((await readdir(cwd)).sort(), ['a.jsonl', 'b.jsonl', 'other.jsonl'])
})

for (const method of ['near', 'exact']) {
  test(`${method}: a dry run writes nothing but the report, and a resumed one has it too`, async (t) => {
    const cwd = await folder(t)
    await setUp(cwd)
    const words = ['dedup', 'a.jsonl', 'b.jsonl', '--method', method]
    const dry = await tamis([...words, '--dry-run', '--report', 'dry.html'], { cwd })
    t.is(dry.code, 0, dry.stderr)
    t.regex(dry.stdout, /^report +dry\.html$/m)
    t.deepEqual((await readdir(cwd)).sort(), ['a.jsonl', 'b.jsonl', 'dry.html', 'other.jsonl'])
    const stop = `
      const write = process.stderr.write.bind(process.stderr)
      process.stderr.write = (text, ...rest) => {
        if (String(text).startsWith('tamis: mark 100%')) process.kill(process.pid, 'SIGINT')
        return write(text, ...rest)
      }`
    const all = [...words, '--out', 'kept.jsonl', '--report', 'report.html']
    const stopped = await tamis(all, { cwd, preload: stop })
    t.is(stopped.code, 130, stopped.stderr)
    t.false((await readdir(cwd)).includes('report.html'))
    const resumed = await tamis([...all, '--resume'], { cwd })
    t.is(resumed.code, 0, resumed.stderr)
    const shown = (page: string) => page.slice(page.indexOf('id="dropped"'), page.indexOf('id="details"'))
    const [first, second] = await Promise.all(
      ['dry.html', 'report.html'].map((name) => readFile(join(cwd, name), 'utf8')),
    )
    t.true(shown(first as string).length > 5000)
    t.is(shown(second as string), shown(first as string))
  })
}

test('a report that exists stops the run before it begins', async (t) => {
  const cwd = await folder(t)
  await setUp(cwd)
  await writeFile(join(cwd, 'r.html'), 'mine')
  const { code, stderr } = await tamis(['dedup', 'a.jsonl', '--out', 'kept.jsonl', '--report', 'r.html'], {
    cwd,
  })
  t.is(code, 2)
  t.regex(stderr, /r\.html exists: .*--force/)
  t.is(await readFile(join(cwd, 'r.html'), 'utf8'), 'mine')
  t.deepEqual((await readdir(cwd)).sort(), ['a.jsonl', 'b.jsonl', 'other.jsonl', 'r.html'])
})

for (const [words, message] of [
  [['dedup', 'a.jsonl'], /say where the kept records go: --out PATH/],
  [['dedup', 'a.jsonl', '--out', 'x', '--method', 'fuzzy'], /Allowed choices are near, exact, semantic/],
  [
    ['dedup', 'a.jsonl', '--out', 'x', '--clean'],
    /--clean is no option of the method near; it belongs to exact/,
  ],
  [['dedup', 'a.jsonl', '--out', 'x', '--threshold', '2'], /--threshold/],
  [['dedup', 'a.jsonl', '--out', 'x', '--bands', '3'], /bands and rows/],
  [['dedup', 'a.jsonl', '--out', 'x', '--report', 'r.txt'], /--report must end in \.html/],
  [['dedup', 'a.jsonl', 'y=b.jsonl', '--out', 'x'], /a\.jsonl has no name, but others have/],
  [['dedup', 'a.jsonl', '--out', 'a.jsonl', '--force'], /would replace the input/],
] as const) {
  test(`refused: tamis ${words.join(' ')}`, async (t) => {
    const cwd = await folder(t)
    await setUp(cwd)
    const { code, stdout, stderr } = await tamis([...words], { cwd })
    t.deepEqual([code, stdout], [2, ''])
    t.regex(stderr, message)
    t.deepEqual((await readdir(cwd)).sort(), ['a.jsonl', 'b.jsonl', 'other.jsonl'])
  })
}
