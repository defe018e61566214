import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { findEmulator } from '../../scripts/emulator.js'
import { repository } from './packed.js'

const emulator = findEmulator()
const folder = mkdtempSync(join(tmpdir(), 'tamis-processors-'))
test.after.always(() => rmSync(folder, { recursive: true, force: true }))

/** Processors by the emulator's names, and the instruction sets to be found on them. */
const PROCESSORS = [
  { name: 'qemu64', sets: [] },
  { name: 'Haswell', sets: ['AVX2'] },
]

async function tamis(processor: string | undefined, ...args: string[]): Promise<string> {
  // The emulator runs compiled code; Node's own compiler asks the real processor what it can do.
  const node = [process.execPath, '--jitless', join(repository, 'dist', 'cli', 'main.js'), ...args]
  const [program, ...rest] =
    processor === undefined || !('path' in emulator) ? node : [emulator.path, '-cpu', processor, ...node]
  const { stdout } = await promisify(execFile)(program as string, rest)
  return stdout
}

const records = (about: string, n: number) =>
  Array.from({ length: n }, (_, i) => `${JSON.stringify({ text: `${about} ${i} and ${about} ${i % 7}` })}\n`)
writeFileSync(join(folder, 'raw.jsonl'), [...records('sieves', 60), ...records('drums', 240)].join(''))
writeFileSync(join(folder, 'target.jsonl'), records('sieves', 30).join(''))

async function kept(processor: string | undefined): Promise<string> {
  const out = join(folder, processor ?? 'this one')
  mkdirSync(out)
  const inputs = [join(folder, 'raw.jsonl'), '--target', join(folder, 'target.jsonl')]
  await tamis(
    processor,
    'select',
    ...inputs,
    '--count',
    '50',
    '--min-tokens',
    '1',
    '--out',
    join(out, 'kept.jsonl'),
  )
  return readFileSync(join(out, 'kept.jsonl'), 'utf8')
}

/** What is kept on this machine's processor. */
let expected = ''
test.before(async () => {
  expected = await kept(undefined)
})

for (const { name, sets } of PROCESSORS) {
  if ('missing' in emulator) {
    test.skip(`on a processor like ${name} (${emulator.missing})`, (t) => t.pass())
    continue
  }

  test(`on a processor like ${name} the addon uses the instructions that are there, and keeps the same`, async (t) => {
    const doctor = JSON.parse(await tamis(name, 'doctor', '--json'))
    t.deepEqual(doctor.instructionSets, sets)
    t.true(doctor.ok)
    t.is(await kept(name), expected)
  })
}
