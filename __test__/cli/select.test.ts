import { spawnSync } from 'node:child_process'
import { access, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import test from 'ava'
import { folder } from '../corpus/files/support.js'
import { MAIN, tamis, writeCorpus } from './command.js'

const BASE = ['--target', 'target.jsonl', '--count', '50', '--min-tokens', '30']

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )
const idsOf = async (path: string) =>
  (await readFile(path, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line).id as number)

test('end to end: records, manifest, report, scores, one JSON object', async (t) => {
  const cwd = await folder(t)
  await writeCorpus(cwd)
  const { code, stdout, stderr } = await tamis(
    [
      'select',
      'raw',
      ...BASE,
      '--out',
      'kept',
      '--report',
      'report.html',
      '--scores',
      'scores.parquet',
      '--json',
    ],
    { cwd },
  )
  t.is(code, 0, stderr)
  const result = JSON.parse(stdout)
  t.is(result.kept, 50)
  t.is(result.records, 400)
  t.is(result.method, 'dsir')
  t.false(result.dryRun)
  t.true(Number.isFinite(result.klReduction))
  t.true(result.candidates >= 50 && result.candidates <= 400)
  t.is(result.report, resolve(cwd, 'report.html'))
  t.is(result.scores, resolve(cwd, 'scores.parquet'))
  t.is(result.targets.length, 1)
  for (const path of [result.manifest, result.scores, result.report, ...result.files])
    t.true(await exists(path), path)
  const kept = [...(await idsOf(join(cwd, 'kept/a.jsonl'))), ...(await idsOf(join(cwd, 'kept/b.jsonl')))]
  t.is(kept.length, 50)
  const page = await readFile(join(cwd, 'report.html'), 'utf8')
  t.true(page.includes('tamis select raw --target target.jsonl'))
  t.true(page.includes('50 of '))
  t.deepEqual((await readdir(cwd)).sort(), ['kept', 'raw', 'report.html', 'scores.parquet', 'target.jsonl'])
})

test('progress is plain lines on stderr where that is no terminal', async (t) => {
  const cwd = await folder(t)
  await writeCorpus(cwd)
  const { code, stdout, stderr } = await tamis(['select', 'raw', ...BASE, '--out', 'kept.jsonl'], { cwd })
  t.is(code, 0, stderr)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it must hold no escape
  t.notRegex(stdout + stderr, /[\u001b\r]/)
  for (const pass of ['fit', 'score', 'write'])
    t.regex(stderr, new RegExp(`^tamis: ${pass} 100%, [\\d,]+ records, `, 'm'))
  t.regex(stdout, /^kept +50 of \d+ candidates \(/m)
  t.regex(stdout, /^KL reduction +\S+ nats/m)
  t.regex(stdout, /^manifest +kept\.jsonl\.manifest\.json$/m)
})

test('quiet says nothing', async (t) => {
  const cwd = await folder(t)
  await writeCorpus(cwd)
  const { code, stdout, stderr } = await tamis(['select', 'raw', ...BASE, '--out', 'kept.jsonl', '--quiet'], {
    cwd,
  })
  t.deepEqual({ code, stdout, stderr }, { code: 0, stdout: '', stderr: '' })
  t.true(await exists(join(cwd, 'kept.jsonl')))
})

test('options may stand before, between and after the files; standard input is a file too', async (t) => {
  const cwd = await folder(t)
  await writeCorpus(cwd)
  const orders = [
    [...BASE, '--out', '1.jsonl', 'raw/a.jsonl', 'raw/b.jsonl'],
    ['raw/a.jsonl', ...BASE, 'raw/b.jsonl', '--out', '2.jsonl'],
    ['raw/a.jsonl', 'raw/b.jsonl', '--target=target.jsonl', '--count=50', '--min-tokens=30', '--out=3.jsonl'],
    ['raw/a.jsonl', '-', ...BASE, '--out', '4.jsonl'],
  ]
  const stdin = await readFile(join(cwd, 'raw/b.jsonl'), 'utf8')
  const kept = await Promise.all(
    orders.map(async (words, i) => {
      const { code, stderr } = await tamis(['select', ...words], { cwd, stdin })
      t.is(code, 0, stderr)
      return readFile(join(cwd, `${i + 1}.jsonl`), 'utf8')
    }),
  )
  t.deepEqual(new Set(kept).size, 1)
})

test('named targets with proportions', async (t) => {
  const cwd = await folder(t)
  await writeCorpus(cwd)
  await writeFile(join(cwd, 'c=d.jsonl'), await readFile(join(cwd, 'raw/a.jsonl')))
  const { code, stdout, stderr } = await tamis(
    [
      'select',
      'raw',
      '--target',
      'green=target.jsonl',
      '--target',
      'all=./c=d.jsonl',
      '--target',
      'all=raw/b.jsonl',
      '--proportions',
      '3,1',
      '--count',
      '40',
      '--min-tokens',
      '30',
      '--top-k',
      '--out',
      'kept.jsonl',
      '--json',
    ],
    { cwd },
  )
  t.is(code, 0, stderr)
  const { targets } = JSON.parse(stdout)
  t.deepEqual(
    targets.map(({ name, kept }: { name: string; kept: number }) => [name, kept]),
    [
      ['green', 30],
      ['all', 10],
    ],
  )
})

test('a dry run writes nothing but the report', async (t) => {
  const cwd = await folder(t)
  await writeCorpus(cwd)
  const before = (await readdir(cwd)).sort()
  const { code, stdout, stderr } = await tamis(
    [
      'select',
      'raw',
      ...BASE,
      '--out',
      'kept',
      '--scores',
      's.parquet',
      '--dry-run',
      '--report',
      'look.html',
    ],
    { cwd },
  )
  t.is(code, 0, stderr)
  t.regex(stdout, /^output +none: a dry run$/m)
  t.deepEqual((await readdir(cwd)).sort(), [...before, 'look.html'].sort())
})

test('outputs that exist are replaced only by force', async (t) => {
  const cwd = await folder(t)
  await writeCorpus(cwd)
  const words = ['select', 'raw', ...BASE, '--out', 'kept.jsonl']
  t.is((await tamis(words, { cwd })).code, 0)
  const again = await tamis(words, { cwd })
  t.is(again.code, 2)
  t.regex(again.stderr, /kept\.jsonl exists: .*--force/)
  t.is((await tamis([...words, '--force'], { cwd })).code, 0)
  await writeFile(join(cwd, 'r.html'), 'mine')
  const report = await tamis(['select', 'raw', ...BASE, '--out', 'other.jsonl', '--report', 'r.html'], {
    cwd,
  })
  t.is(report.code, 2)
  t.is(await readFile(join(cwd, 'r.html'), 'utf8'), 'mine')
  t.false(await exists(join(cwd, 'other.jsonl')))
})

test('a failed run is one line, a code and exit status 1', async (t) => {
  const cwd = await folder(t)
  await writeCorpus(cwd)
  await writeFile(join(cwd, 'bad.jsonl'), '{"text":"fine"}\n{"text":7}\n')
  const { code, stdout, stderr } = await tamis(['select', 'bad.jsonl', ...BASE, '--out', 'kept', '--json'], {
    cwd,
  })
  t.is(code, 1)
  t.is(JSON.parse(stdout).error.code, 'ERR_TAMIS_FORMAT')
  t.true(JSON.parse(stdout).error.message.includes('bad.jsonl:2'))
  t.is(stderr.split('\n').filter((line) => line.includes('bad.jsonl:2')).length, 1)
  t.notRegex(stderr, /\n {4}at /)
  t.false(await exists(join(cwd, 'kept')))
  const debug = await tamis(['select', 'bad.jsonl', ...BASE, '--out', 'kept'], {
    cwd,
    env: { TAMIS_DEBUG: '1' },
  })
  t.regex(debug.stderr, /\n {4}at /)
})

test('options that do not fit the data end with exit status 2', async (t) => {
  const cwd = await folder(t)
  await writeCorpus(cwd)
  const { code, stderr } = await tamis(
    ['select', 'raw', '--target', 'target.jsonl', '--count', '1M', '--out', 'kept'],
    { cwd },
  )
  t.is(code, 2)
  t.regex(stderr, /count exceeds the \d+ documents of at least 100 tokens/)
})

test('skipped records are told and counted', async (t) => {
  const cwd = await folder(t)
  await writeCorpus(cwd)
  const raw = await readFile(join(cwd, 'raw/a.jsonl'), 'utf8')
  await writeFile(join(cwd, 'raw/a.jsonl'), `not json\n${raw}`)
  const { code, stdout, stderr } = await tamis(
    ['select', 'raw', ...BASE, '--out', 'kept', '--on-bad-record', 'skip', '--report', 'r.html', '--json'],
    { cwd },
  )
  t.is(code, 0, stderr)
  const { skipped, bad, warnings } = JSON.parse(stdout)
  t.is(skipped, 1)
  t.is(bad.length, 1)
  t.true(warnings.some((warning: string) => warning.includes('1 bad record')))
  t.regex(stderr, /^tamis: skipped: .*a\.jsonl:1: /m)
  t.regex(await readFile(join(cwd, 'r.html'), 'utf8'), /<li>[^<]*a\.jsonl:1: /)
})

test('counts are made in parts, merged, shown and fitted from', async (t) => {
  const cwd = await folder(t)
  await writeCorpus(cwd)
  const run = async (...words: string[]) => {
    const ended = await tamis(words, { cwd })
    t.is(ended.code, 0, ended.stderr)
    return ended.stdout
  }
  await run('ngrams', 'count', 'raw/a.jsonl', '--out', 'a.counts', '--quiet')
  await run('ngrams', 'count', 'raw/b.jsonl', '--out', 'b.counts')
  const merged = JSON.parse(
    await run('ngrams', 'merge', 'a.counts', 'b.counts', '--out', 'raw.counts', '--json'),
  )
  t.is(merged.records, 400)
  const whole = JSON.parse(await run('ngrams', 'count', 'raw', '--out', 'whole.counts', '--json'))
  t.is(whole.features, merged.features)
  t.deepEqual(await readFile(join(cwd, 'raw.counts')), await readFile(join(cwd, 'whole.counts')))
  await run('ngrams', 'count', 'target.jsonl', '--out', 't.counts')
  t.regex(await run('ngrams', 'show', 't.counts'), /^records +60$/m)
  await run('select', 'raw', ...BASE, '--out', 'read.jsonl')
  await run(
    'select',
    'raw',
    '--counts',
    'raw.counts',
    '--target-counts',
    't.counts',
    '--count',
    '50',
    '--min-tokens',
    '30',
    '--out',
    'counted.jsonl',
  )
  t.is(await readFile(join(cwd, 'counted.jsonl'), 'utf8'), await readFile(join(cwd, 'read.jsonl'), 'utf8'))
})

const script = spawnSync('script', ['--version']).status === 0
const terminalTest = script ? test : test.skip

terminalTest(
  `a terminal gets a bar for each pass${script ? '' : ': no program `script` to make one'}`,
  async (t) => {
    const cwd = await folder(t)
    await mkdir(join(cwd, 'deep'))
    await writeCorpus(join(cwd, 'deep'))
    const command = [process.execPath, MAIN, 'select', 'raw', ...BASE, '--out', 'kept.jsonl'].join(' ')
    const { status, stdout } = spawnSync(
      'script',
      ['--quiet', '--return', '--command', command, '/dev/null'],
      {
        cwd: join(cwd, 'deep'),
        encoding: 'utf8',
        env: { ...process.env, TERM: 'xterm', NO_COLOR: '1' },
      },
    )
    t.is(status, 0, stdout)
    for (const pass of ['fit', 'score', 'write']) {
      t.regex(stdout, new RegExp(`${pass} +█+ 100%  [\\d,]+ records  [\\d.,]+ [kMG]?B/s  `))
    }
    t.false(stdout.includes('\u001b[1m'))
  },
)
