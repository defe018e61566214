/**
 * `tamis doctor`: what this installation is, and whether it computes what it should.
 * @hidden
 * @module
 */
import { createHash } from 'node:crypto'
import { Command } from 'commander'
import { TamisError } from '../errors.js'
import type { SystemInfo } from '../system.js'
import { alignColumns, print } from './terminal.js'

/** The command. */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Say what this installation runs on, and check that it computes known answers.')
    .option('--json', 'print one JSON object')
    .action(examine)
}

/** One question with a known answer. */
interface Check {
  name: string
  ok: boolean
  message: string
}

async function examine({ json }: { json?: boolean }): Promise<void> {
  const { systemInfo } = await import('../system.js')
  const info = systemInfo()
  const checks = await runChecks()
  const ok = checks.every((check) => check.ok)
  if (json) print(JSON.stringify({ ...info, ok, checks }))
  else for (const line of describe(info, checks)) print(line)
  if (ok) return
  const failed = checks.filter((check) => !check.ok).map((check) => check.name)
  throw new TamisError('ERR_TAMIS_INTERNAL', `wrong answers: ${failed.join(', ')}`)
}

function describe(info: SystemInfo, checks: readonly Check[]): string[] {
  return alignColumns([
    ['version', info.version],
    ['platform', info.platform],
    ['node', info.node],
    ['addon', info.addon],
    ['instructions', info.instructionSets.join(' ') || 'baseline'],
    ['threads', String(info.threads)],
    ['devices', `${info.devices.join(' ')} (this version has no GPU backend)`],
    ['Unicode', info.unicode],
    ...checks.map(({ name, ok, message }) => [name, ok ? 'ok' : `WRONG: ${message}`]),
  ])
}

/** The first words of the generator for seed 0, published with it (Random123). */
const PHILOX = [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]

const POOL = [
  'The cat sat on the mat and the dog lay by the door.',
  'Cheap pills, buy now, limited offer, click here!',
  'A dog barked; the cat ran up the tree in the garden.',
  'Win money now! Click the offer, buy the pills.',
  'Ἀρχὴ ἥμισυ παντός, ΣΟΦΟΣ – 12½ µm, naïve café, İzmir.',
]
const TARGET = ['The dog and the cat play in the garden by the tree.']

async function runChecks(): Promise<Check[]> {
  const kernels = await import('../kernels/index.js')
  const corpus = await import('../corpus/index.js')
  const words = kernels.philoxSync(4)
  const counts = kernels.countNgramsSync(POOL)
  const digest = createHash('sha256')
    .update(Buffer.from((counts.data as Float64Array).buffer))
    .digest('hex')
  const { indices } = await corpus.selectByImportance(POOL, TARGET, {
    count: 2,
    minTokens: 1,
    method: 'topK',
  })
  return [
    compare('random numbers', PHILOX, Array.from(words.data as Uint32Array)),
    compare('hashing', COUNTS_DIGEST, digest),
    compare('selection', [0, 2], Array.from(indices.data as Uint32Array)),
  ]
}

/** Of the counts of {@link POOL}: float64, little-endian. */
const COUNTS_DIGEST = 'efa0ede5f99dbf1298d2c3d2ba297a1a89eb6f2bc749899cd62c0844de82f65a'

function compare(name: string, want: unknown, got: unknown): Check {
  const [wanted, found] = [JSON.stringify(want), JSON.stringify(got)]
  return { name, ok: wanted === found, message: `got ${found}, wanted ${wanted}` }
}
