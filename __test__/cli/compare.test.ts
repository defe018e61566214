import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { tamis } from './command.js'

const cwd = mkdtempSync(join(tmpdir(), 'tamis-compare-'))
test.after.always(() => rmSync(cwd, { recursive: true, force: true }))

const scores = {
  dense: { factoid: 60, perplexity: 8 },
  models: [
    { name: 'half', scores: { factoid: 41, perplexity: 8.25 } },
    { name: '8 bits', scores: { factoid: 60, perplexity: 8 } },
  ],
  tasks: [
    { name: 'factoid', higherIsBetter: true },
    { name: 'perplexity', higherIsBetter: false },
  ],
}
writeFileSync(join(cwd, 'scores.json'), JSON.stringify(scores))
writeFileSync(join(cwd, 'broken.json'), '{')
writeFileSync(join(cwd, 'short.json'), JSON.stringify({ ...scores, dense: {} }))
const compare = (...words: string[]) => tamis(['weights', 'compare', ...words], { cwd })

test('the table says what was lost, what matches and what is hidden', async (t) => {
  const { code, stdout, stderr } = await compare('scores.json')
  t.is(code, 0, stderr)
  t.deepEqual(stdout.trimEnd().split('\n'), [
    'model   factoid   perplexity  hidden by perplexity',
    'half    31.7 % !  3.1 %       factoid',
    '8 bits  0.0 %     0.0 %       -',
  ])
})

test('as JSON, with another tolerance', async (t) => {
  const { code, stdout } = await compare('scores.json', '--tolerance', '3', '--json')
  t.is(code, 0)
  const [half] = JSON.parse(stdout)
  t.deepEqual([half.matching, half.hidden], [{ factoid: false, perplexity: false }, []])
})

test('what cannot be compared is told', async (t) => {
  for (const [file, status, message] of [
    ['none.json', 1, /none\.json cannot be read/],
    ['broken.json', 1, /broken\.json is no JSON/],
    ['short.json', 2, /missing score: "dense"/],
  ] as const) {
    const { code, stderr } = await compare(file)
    t.is(code, status, stderr)
    t.regex(stderr, message)
  }
})
