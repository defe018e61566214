/**
 * Runs the engines on the workloads and prints one table for each.
 *
 *   npm run bench -- [WORKLOAD...] [--engine NAME]... [--rounds N] [--megabytes N] [--quick] [--save]
 *
 * Every engine runs in a process of its own; rounds are interleaved (each engine once, then each again), and the table
 * shows medians. Before the clock starts, all engines select from the smallest slice and must write the same bytes.
 * `--save` writes RESULTS.md and the README's table.
 * @module
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { DsirJob, DsirRun, Engine, Workload } from './bench.js'
import { DATA, lastJson, runCommand } from './command.js'
import { engines as dataSelection } from './engines/data-selection.js'
import { engines as javascript } from './engines/javascript.js'
import { engines as reading } from './engines/read.js'
import { engines as tamis } from './engines/tamis.js'
import { countLines, takeLines } from './generate.js'
import { describeMachine, type Limits, measureLimits } from './limits.js'
import { type Measured, report, shortTable } from './report.js'
import { workload as dsir } from './workloads/dsir.js'
import { workload as lowRepetition } from './workloads/dsir-low-repetition.js'

const ENGINES: readonly Engine[] = [...tamis, ...javascript, ...dataSelection, ...reading]
const WORKLOADS: readonly Workload[] = [dsir, lowRepetition]
const RESULTS = fileURLToPath(new URL('RESULTS.md', import.meta.url))
const README = fileURLToPath(new URL('../README.md', import.meta.url))

/** An engine with a number of threads and the part of the workload that it works on. */
interface Contestant {
  engine: Engine
  threads: number
  megabytes: number
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      engine: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      megabytes: { type: 'string' },
      quick: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
    },
  })
  const workloads = choose('workload', WORKLOADS, positionals)
  const engines = choose('engine', ENGINES, values.engine ?? [])
  const rounds = positive('rounds', values.rounds) ?? (values.quick ? 1 : 3)
  mkdirSync(DATA, { recursive: true })
  for (const engine of engines) engine.setUp?.()
  const limits = measureLimits()
  const sections: string[] = []
  const results: { workload: Workload; measured: Measured[] }[] = []
  for (const workload of workloads) {
    const megabytes = positive('megabytes', values.megabytes) ?? (values.quick ? 20 : workload.megabytes)
    const measured = measure(workload, engines, megabytes, rounds)
    results.push({ workload, measured })
    sections.push(report(workload, megabytes, rounds, measured))
    console.log(`\n${sections.at(-1)}`)
  }
  const head = heading(engines, limits)
  console.log(`\n${head}`)
  if (!values.save) return
  writeFileSync(RESULTS, `# Results\n\n${head}\n\n${sections.join('\n\n')}\n`)
  const between = /(<!-- bench -->\n)[\s\S]*?(<!-- end of bench -->)/
  const readme = readFileSync(README, 'utf8')
  writeFileSync(
    README,
    readme.replace(between, (_, begin, end) => `${begin}\n${shortTable(results)}\n\n${end}`),
  )
}

function choose<T extends { name: string }>(
  what: string,
  all: readonly T[],
  names: readonly string[],
): readonly T[] {
  for (const name of names) {
    if (!all.some((one) => one.name === name)) {
      throw new Error(`no ${what} ${name}: there are ${all.map((one) => one.name).join(', ')}`)
    }
  }
  return names.length === 0 ? all : all.filter((one) => names.includes(one.name))
}

function positive(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  if (!(Number(value) > 0)) throw new Error(`--${name} must be a positive number, got ${value}`)
  return Number(value)
}

function measure(
  workload: Workload,
  engines: readonly Engine[],
  megabytes: number,
  rounds: number,
): Measured[] {
  const contestants = engines.flatMap((engine) =>
    engine.threads.map((threads): Contestant => {
      const part = Math.min(megabytes, engine.megabytes ?? megabytes)
      return { engine, threads, megabytes: part }
    }),
  )
  const slices = prepare(workload, megabytes, contestants)
  const agreed = checkAgreement(slices, contestants)
  const runs = contestants.map((): DsirRun[] => [])
  const digests = new Map<number, string>()
  for (let round = 0; round < rounds; round++) {
    for (const [i, contestant] of contestants.entries()) {
      const slice = slices.get(contestant.megabytes) as Slice
      console.error(`${workload.name}, round ${round + 1} of ${rounds}: ${label(contestant)}`)
      const { run, digest } = runOnce(contestant, slice, 'gumbel')
      runs[i]?.push(run)
      if (!contestant.engine.sameNoise) continue
      const known = digests.get(contestant.megabytes) ?? digest
      if (digest !== known)
        throw new Error(`${label(contestant)} kept other records than the engines before it`)
      digests.set(contestant.megabytes, digest)
    }
  }
  return contestants.map(({ engine, threads, megabytes: part }, i) => ({
    engine,
    threads,
    bytes: slices.get(part)?.bytes ?? 0,
    runs: runs[i] ?? [],
    agreed: agreed.has(engine.name),
  }))
}

const label = ({ engine, threads, megabytes }: Contestant): string =>
  `${engine.name}, ${threads} thread${threads === 1 ? '' : 's'}, ${megabytes} MB`

interface Slice {
  raw: string
  target: string
  count: number
  bytes: number
}

/** Generates what is missing, and cuts the slices that the engines ask for. */
function prepare(workload: Workload, megabytes: number, contestants: Contestant[]): Map<number, Slice> {
  const path = (size: number): string => join(DATA, `${workload.name}-${size}.jsonl`)
  const target = join(DATA, `${workload.name}-target.jsonl`)
  if (!existsSync(path(megabytes)) || !existsSync(target)) {
    console.error(`${workload.name}: generating ${megabytes} MB`)
    const unfinished = `${path(megabytes)}.part`
    workload.generate(unfinished, target, megabytes)
    renameSync(unfinished, path(megabytes))
  }
  const slices = new Map<number, Slice>()
  for (const size of new Set([megabytes, ...contestants.map((c) => c.megabytes)])) {
    if (size < megabytes) takeLines(path(megabytes), path(size), size)
    const { lines, bytes } = countLines(path(size))
    slices.set(size, { raw: path(size), target, count: Math.floor(lines / 10), bytes })
  }
  return slices
}

/**
 * Has every engine select from the smallest slice: by highest weight, which leaves nothing to chance, and with noise
 * where it is the same. Returns the engines that were compared; throws if one keeps other records.
 */
function checkAgreement(slices: Map<number, Slice>, contestants: Contestant[]): Set<string> {
  const smallest = Math.min(...slices.keys())
  const slice = slices.get(smallest) as Slice
  const agreed = new Set<string>()
  for (const method of ['topK', 'gumbel'] as const) {
    let first: { name: string; digest: string } | undefined
    for (const contestant of contestants) {
      const { engine, threads } = contestant
      if (engine.readsOnly || threads > 1 || (method === 'gumbel' && !engine.sameNoise)) continue
      console.error(`comparing ${method}: ${engine.name}, ${smallest} MB`)
      const { digest } = runOnce(contestant, slice, method)
      first ??= { name: engine.name, digest }
      if (digest !== first.digest) {
        throw new Error(`${engine.name} and ${first.name} keep other records of ${slice.raw} (${method})`)
      }
      agreed.add(engine.name)
    }
  }
  return agreed
}

function runOnce(
  contestant: Contestant,
  slice: Slice,
  method: DsirJob['method'],
): { run: DsirRun; digest: string } {
  const { engine, threads } = contestant
  const { raw, target, count } = slice
  const out = join(DATA, 'kept.jsonl')
  const jobFile = join(DATA, 'job.json')
  const job: DsirJob = { raw, target, out, count, minTokens: 100, seed: 0, method, threads }
  rmSync(out, { force: true })
  writeFileSync(jobFile, JSON.stringify(job))
  const command = engine.dsir(job, jobFile)
  const started = performance.now()
  const printed = runCommand(command)
  const seconds = (performance.now() - started) / 1000
  const digest = engine.readsOnly ? '' : createHash('sha256').update(readFileSync(out)).digest('hex')
  if (engine.clock === 'process') return { run: { seconds }, digest }
  return { run: lastJson<DsirRun>(printed), digest }
}

function heading(engines: readonly Engine[], limits: Limits): string {
  const list = engines.map((e) => `- **${e.name}**: ${e.about} (${e.version()})`)
  return [
    `Measured on ${new Date().toISOString().slice(0, 10)} by \`npm run bench\` on: ${describeMachine()}.`,
    '',
    `The machine's limits in the same run: copying memory ${(limits.memory / 1000).toFixed(1)} GB/s (read plus ` +
      `written, one thread); SHA-256 of one long message ${Math.round(limits.sha256)} MB/s, which is ` +
      `${(limits.sha256 / 64).toFixed(1)} million blocks a second (a word or a pair takes one).`,
    '',
    ...list,
  ].join('\n')
}

main()
