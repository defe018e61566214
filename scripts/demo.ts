/**
 * The main job on real data, as a user would do it: from 4650 pieces of mail choose the 400 most like a sample of
 * spam, with one command, and see what was kept.
 *
 *   npm run demo
 * @module
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { cwd, execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import type { Mail } from './spam-assassin.js'
import { writeHeadlineMail } from './spam-assassin.js'

const out = fileURLToPath(new URL('../demo-out', import.meta.url))
const command = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))
const shown = (path: string): string => relative(cwd(), resolve(out, path))

const { raw } = writeHeadlineMail(resolve(out, 'mail'))
const args = [
  'select',
  shown('mail/raw'),
  '--target',
  shown('mail/target.jsonl'),
  '--count',
  '400',
  '--out',
  shown('kept.jsonl'),
  '--report',
  shown('report.html'),
  '--force',
]
console.log(`\n$ tamis ${args.join(' ')}`)
const { status } = spawnSync(execPath, [command, ...args], { stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)

const kept = readFileSync(resolve(out, 'kept.jsonl'), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Mail)
const share = (mail: readonly Mail[]): string =>
  `${((100 * mail.filter((m) => m.label === 'spam').length) / mail.length).toFixed(1)} %`
const some = kept
  .filter((_, i) => i % 57 === 0)
  .map((m) => `  ${m.label.padEnd(4)}  ${(m.subject ?? '').slice(0, 70)}`)

console.log(`
The target is 300 messages of spam; no label was read to choose.
  spam among all ${raw.length} messages: ${share(raw)}
  spam among the ${kept.length} kept:      ${share(kept)}
Some of what was kept:
${some.join('\n')}

The kept records: ${shown('kept.jsonl')}
The report:       ${shown('report.html')}`)
