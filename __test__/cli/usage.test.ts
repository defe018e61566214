import test from 'ava'
import { recipes } from 'tamis'
import { METHODS } from '../../ts/cli/methods.js'
import { parseCount, parseFraction, parseProportions, parseSeed, parseSize } from '../../ts/cli/numbers.js'
import { tamis } from './command.js'

test('the help names every command and every exit status', async (t) => {
  const { code, stdout, stderr } = await tamis(['--help'])
  t.is(code, 0)
  t.is(stderr, '')
  for (const word of ['select', 'mix', 'ngrams', 'recipes', 'doctor', 'Exit status', '130', '143'])
    t.true(stdout.includes(word), word)
})

test('every method is a recipe that is there', (t) => {
  for (const { name, recipe } of METHODS) {
    if (name === 'random') t.is(recipe, undefined)
    else t.is(recipes.find(({ short }) => short === recipe)?.state, 'done', name)
  }
})

test("the help of select has every method's options", async (t) => {
  const { code, stdout } = await tamis(['select', '--help'])
  t.is(code, 0)
  for (const { name, settings } of METHODS) {
    t.true(stdout.includes(`\n  ${name} `), name)
    for (const { flags } of settings) t.true(stdout.includes(flags), flags)
  }
  for (const flag of [
    '--count',
    '--fraction',
    '--tokens',
    '--bytes',
    '--out',
    '--report',
    '--scores',
    '--add-scores',
    '--resume',
    '--force',
    '--dry-run',
    '--threads',
    '--json',
    '--quiet',
    '--text-field',
    '--text-unit',
    '--max-record',
    '--on-bad-record',
  ]) {
    t.true(stdout.includes(flag), flag)
  }
})

test("the version is the package's", async (t) => {
  const { code, stdout } = await tamis(['--version'])
  t.is(code, 0)
  t.regex(stdout, /^\d+\.\d+\.\d+\n$/)
})

test('without a command it shows the help, as a mistake', async (t) => {
  for (const words of [[], ['ngrams']]) {
    const { code, stdout, stderr } = await tamis(words)
    t.is(code, 2)
    t.is(stdout, '')
    t.true(stderr.startsWith('Usage: tamis'))
  }
})

const WRONG: [string[], RegExp][] = [
  [['selct', 'a'], /^tamis: unknown command 'selct' \(Did you mean select\?\)/],
  [['select', 'a', '--tragets', 'b'], /unknown option '--tragets' \(Did you mean --target\?\)/],
  [['select'], /missing required argument 'raw'/],
  [
    ['select', 'a', '--target', 'b', '--out', 'o'],
    /how much to keep: one of --count, --fraction, --tokens, --bytes/,
  ],
  [
    ['select', 'a', '--target', 'b', '--out', 'o', '--count', '1', '--bytes', '1MB'],
    /only one of .*got --count and --bytes/,
  ],
  [
    ['select', 'a', '--target', 'b', '--out', 'o', '--count', '10x'],
    /'10x' is invalid. It must be a whole number/,
  ],
  [['select', 'a', '--target', 'b', '--out', 'o', '--fraction', '0'], /above 0 and at most 1/],
  [['select', 'a', '--target', 'b', '--count', '1'], /--out PATH/],
  [['select', 'a', '--count', '1', '--out', 'o'], /give --target FILE/],
  [
    ['select', 'a', '--target', 'b', '--target-counts', 'c', '--count', '1', '--out', 'o'],
    /give one of them/,
  ],
  [
    ['select', 'a', '--target', 'x=b', '--target', 'c', '--count', '1', '--out', 'o'],
    /--target c has no name/,
  ],
  [
    ['select', 'a', '--target', 'b', '--count', '1', '--out', 'o', '--method', 'dsri'],
    /Allowed choices are dsir/,
  ],
  [
    ['select', 'a', '--target', 'b', '--count', '1', '--out', 'o', '--report', 'r.txt'],
    /--report must end in .html/,
  ],
  [['select', 'a', '--target', 'b', '--count', '1', '--out', 'o', '--seed', '-1'], /from 0 to 2\^64-1/],
  [['ngrams', 'count', 'a'], /required option '--out <file.counts>' not specified/],
]

for (const [words, wanted] of WRONG) {
  test(`wrong: tamis ${words.join(' ')}`, async (t) => {
    const { code, stdout, stderr } = await tamis(words)
    t.is(code, 2)
    t.is(stdout, '')
    t.regex(stderr, wanted)
    t.regex(stderr, /^tamis: [^\n]*\n$/)
  })
}

test('a program is told of a mistake in JSON', async (t) => {
  const { code, stdout, stderr } = await tamis(['select', 'a', '--json'])
  t.is(code, 2)
  t.is(JSON.parse(stdout).error.code, 'ERR_TAMIS_USAGE')
  t.is(stderr, `tamis: ${JSON.parse(stdout).error.message}\n`)
})

test('numbers are read as people write them', (t) => {
  const count = parseCount(1)
  t.deepEqual(['5000', '1e6', '10k', '2.5M', '1G', '1_000'].map(count), [5000, 1e6, 1e4, 2.5e6, 1e9, 1000])
  t.deepEqual(['64MB', '64MiB', '1e9', '2G', '10 kB'].map(parseSize), [64e6, 64 * 2 ** 20, 1e9, 2e9, 1e4])
  t.deepEqual(['0.1', '10%', '.5', '100%', '1'].map(parseFraction), [0.1, 0.1, 0.5, 1, 1])
  t.deepEqual(parseProportions('2,1,0.5'), [2, 1, 0.5])
  t.is(parseSeed('18446744073709551615'), '18446744073709551615')
})

test('what is no such number is refused', (t) => {
  const count = parseCount(1)
  for (const text of ['', '0', '-1', '1.5', '1e400', 'k', '10x', '1MB', 'NaN', '0x10'])
    t.throws(() => count(text), undefined, text)
  for (const text of ['', '0', '0.5', '1XB', '-1MB']) t.throws(() => parseSize(text), undefined, text)
  for (const text of ['', '0', '1.01', '101%', '-0.1', '1/2'])
    t.throws(() => parseFraction(text), undefined, text)
  for (const text of ['18446744073709551616', '1.0', '', '-1'])
    t.throws(() => parseSeed(text), undefined, text)
  t.throws(() => parseProportions('1,,2'))
})
