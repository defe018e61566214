/**
 * Measures the kernels beside their rivals.
 *
 *   npm run bench:kernels -- [WORKLOAD...] [--engine NAME...] [--rounds N] [--repetitions N] [--quick] [--save]
 *
 * Every engine runs in a process of its own, which loads its data, warms up and repeats the work; rounds are
 * interleaved, and the table shows medians. `--repetitions` bounds the timed repetitions of a process. `--save` puts the tables of the workloads that ran into KERNELS.md.
 * @module
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { DATA, runForJson } from './command.js'
import { kernelReport, type MeasuredEngine } from './kernel-report.js'
import type { KernelRun, KernelWorkload, MachineLimits } from './kernel-workload.js'
import { pythonEnvironment, tunedBlas } from './python.js'

const WORKLOADS = new URL('kernels/', import.meta.url)
const RESULTS = fileURLToPath(new URL('KERNELS.md', import.meta.url))
const HEAD = '# Kernels\n\nWhat `npm run bench:kernels -- --save` measured; see README.md.\n'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    engine: { type: 'string', multiple: true },
    rounds: { type: 'string' },
    repetitions: { type: 'string' },
    quick: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds ?? (values.quick ? 1 : 3))
if (!(rounds >= 1)) throw new Error(`--rounds must be a positive number, got ${values.rounds}`)

const repetitions = values.repetitions ?? (values.quick ? '1' : undefined)
if (repetitions !== undefined && !(Number(repetitions) >= 1)) {
  throw new Error(`--repetitions must be a positive number, got ${repetitions}`)
}

if (repetitions !== undefined) process.env.TAMIS_BENCH_REPETITIONS = repetitions
mkdirSync(DATA, { recursive: true })
const numpy = pythonEnvironment('numpy')
numpy.setUp()
const limits = new Map<number, MachineLimits>()
for (const workload of await chosen(positionals)) {
  const section = measure(workload)
  console.log(`\n${section}\n`)
  if (values.save) save(workload.name, section)
}

async function chosen(names: readonly string[]): Promise<KernelWorkload[]> {
  const all = readdirSync(WORKLOADS)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -3))
    .sort()
  const unknown = names.find((name) => !all.includes(name))
  if (unknown !== undefined) throw new Error(`no workload ${unknown}: there are ${all.join(', ')}`)
  const wanted = names.length === 0 ? all : names
  return Promise.all(
    wanted.map(
      async (name) => (await import(new URL(`${name}.ts`, WORKLOADS).href)).workload as KernelWorkload,
    ),
  )
}

function measure(workload: KernelWorkload): string {
  workload.setUp?.()
  const wanted = values.engine ?? []
  const engines = workload.engines.filter(({ name }) => wanted.length === 0 || wanted.includes(name))
  for (const engine of engines) engine.setUp?.()
  const measured = engines.flatMap((engine) =>
    engine.threads.map((threads): MeasuredEngine => ({ engine, threads, runs: [] })),
  )
  for (let round = 1; round <= rounds; round++) {
    for (const { engine, threads, runs } of measured) {
      console.error(`${workload.name}, round ${round} of ${rounds}: ${engine.name}, threads: ${threads}`)
      runs.push(runForJson<KernelRun>(engine.command(threads)))
    }
  }
  const threads = [...new Set(measured.map((m) => m.threads))]
  const reached = new Map(threads.map((count) => [count, limitOf(workload, count)]))
  const { text, held } = kernelReport(workload, rounds, measured, reached)
  if (!held) process.exitCode = 1
  return text
}

/** Units a second of the limit that the workload names. */
function limitOf({ limit }: KernelWorkload, threads: number): number | undefined {
  if (limit === undefined) return undefined
  if ('own' in limit) return runForJson<{ perSecond: number }>(limit.command(threads)).perSecond
  if (!limits.has(threads)) {
    console.error(`the machine's limits, threads: ${threads}`)
    limits.set(threads, runForJson(numpy.command('limits.py', [String(threads)], threads, tunedBlas())))
  }
  return limits.get(threads)?.[limit.of]
}

/** Replaces the workload's section, and leaves the others as they were measured. */
function save(name: string, section: string): void {
  const before = existsSync(RESULTS) ? readFileSync(RESULTS, 'utf8') : HEAD
  const sections = new Map(
    before
      .split(/^(?=## )/m)
      .slice(1)
      .map((text) => [/^## (\S+)/.exec(text)?.[1] ?? '', text.trim()]),
  )
  sections.set(name, section)
  const sorted = [...sections].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text)
  writeFileSync(RESULTS, `${[HEAD.trim(), ...sorted].join('\n\n')}\n`)
}
