import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { documents, folder, lines } from '../corpus/files/support.js'
import { tamis } from './command.js'

const N = 120

/** `pool.jsonl` with a vector and a quality in every record, and `target.jsonl`. */
async function writePool(cwd: string): Promise<void> {
  const records = documents(N, 1).map((record, i) => ({
    ...record,
    embedding: [Math.sin(i), Math.cos(2 * i), Math.sin(3 * i + 1)],
    worth: (i % 7) / 2,
  }))
  await writeFile(join(cwd, 'pool.jsonl'), `${lines(records).join('\n')}\n`)
  await writeFile(join(cwd, 'target.jsonl'), `${lines(documents(8, 3, 1)).join('\n')}\n`)
}

const METHODS: [string, string[]][] = [
  [
    'kmq',
    ['--clusters', '5', '--quality', 'worth', '--temper', 'softmax', '--normalize', '--scores', 's.parquet'],
  ],
  ['prototypes', ['--keep', 'easy', '--seed', '3']],
  ['maxmin', ['--metric', 'euclidean', '--start', 'isolated']],
  ['zip-fit', ['--target', 'target.jsonl', '--level', '9', '--min-tokens', '10']],
  ['color-filter', ['--prior-loss', 'worth', '--conditional-loss', 'id', '--scores', 's.parquet']],
  ['random', ['--seed', '5']],
]

for (const [method, more] of METHODS) {
  test(`${method}: records, manifest, report, progress, a table`, async (t) => {
    const cwd = await folder(t)
    await writePool(cwd)
    const words = [
      'select',
      'pool.jsonl',
      '--method',
      method,
      '--fraction',
      '10%',
      '--report',
      'r.html',
      ...more,
    ]
    const { code, stdout, stderr } = await tamis([...words, '--out', 'kept.jsonl', '--add-scores'], { cwd })
    t.is(code, 0, stderr)
    t.regex(stdout, /^kept +12 of \d+ candidates/m)
    t.notRegex(stdout, /KL reduction/)
    t.regex(stderr, /^tamis: write 100%, 12 records/m)
    const kept = (await readFile(join(cwd, 'kept.jsonl'), 'utf8')).trimEnd().split('\n')
    t.is(kept.length, 12)
    const manifest = JSON.parse(await readFile(join(cwd, 'kept.jsonl.manifest.json'), 'utf8'))
    t.is(manifest.method, method)
    t.is(manifest.totals.kept, 12)
    const page = await readFile(join(cwd, 'r.html'), 'utf8')
    t.true(page.includes('12 of '))
    t.false(/undefined|NaN|KL reduction/.test(page.replace(/<style>.*<\/style>/s, '')), method)
    const again = await tamis([...words, '--dry-run', '--json', '--force'], { cwd })
    t.is(again.code, 0, again.stderr)
    const result = JSON.parse(again.stdout)
    t.deepEqual([result.method, result.kept, result.manifest], [method, 12, null])
  })
}

test('options of another method, and what a method cannot do, are usage errors', async (t) => {
  const cwd = await folder(t)
  await writePool(cwd)
  const of = (...words: string[]) => tamis(['select', 'pool.jsonl', '--out', 'kept.jsonl', ...words], { cwd })
  const cases: [string[], RegExp][] = [
    [
      ['--method', 'random', '--count', '3', '--clusters', '5'],
      /--clusters is no option of the method random/,
    ],
    [['--method', 'maxmin', '--tokens', '300'], /tokens: the method maxmin keeps a number of records/],
    [['--method', 'zip-fit', '--count', '3'], /zip-fit needs a sample of what to keep/],
    [['--method', 'zip-fit', '--count', '3', '--target', 'a=target.jsonl'], /zip-fit has one target/],
    [['--method', 'kmq', '--count', '121'], /count exceeds the 120 records/],
    [['--method', 'prototypes', '--count', '3', '--keep', 'best'], /keep must be 'hard' or 'easy'/],
  ]
  for (const [words, message] of cases) {
    const { code, stderr } = await of(...words)
    t.is(code, 2, stderr)
    t.regex(stderr, message)
  }
  const { code, stderr } = await of('--method', 'kmq', '--count', '3', '--embeddings', 'meta')
  t.is(code, 1)
  t.regex(stderr, /pool\.jsonl:1: no array of numbers in the field "meta"/)
})

test('mix: epochs, a table, one JSON object, and what is refused', async (t) => {
  const cwd = await folder(t)
  await writePool(cwd)
  const words = ['mix', 'web=pool.jsonl', 'books=target.jsonl', '--epochs', '0.5,3', '--seed', '1']
  const { code, stdout, stderr } = await tamis([...words, '--out', 'mix.jsonl'], { cwd })
  t.is(code, 0, stderr)
  t.regex(stdout, /^mixed +84 records/m)
  t.regex(stdout, /^books +\d+ \(/m)
  t.is((await readFile(join(cwd, 'mix.jsonl'), 'utf8')).trimEnd().split('\n').length, 84)
  const json = await tamis([...words, '--out', 'mix.jsonl', '--force', '--json', '--quiet'], { cwd })
  const result = JSON.parse(json.stdout)
  t.is(result.records, 84)
  t.deepEqual(
    result.sources.map((source: { name: string }) => source.name),
    ['web', 'books'],
  )
  for (const [more, status, message] of [
    [['--out', 'mix.jsonl'], 2, /exists/],
    [['--out', 'folder'], 2, /out must be one file/],
    [[], 2, /say where the mixture goes/],
    [['--out', 'x.jsonl', '--proportions', '1,1'], 2, /must not both be given/],
  ] as const) {
    const { code, stderr } = await tamis([...words, ...more], { cwd })
    t.is(code, status, stderr)
    t.regex(stderr, message)
  }
})
