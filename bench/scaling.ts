/**
 * How the time of tamis grows with the size of its input, over three decades.
 *
 *   npm run bench:scaling -- [WORKLOAD...] [--rounds N] [--save]
 *
 * Prints a table for each workload and the exponent that fits its times, beside the one of the specification.
 * `--save` writes SCALING.md and scaling.svg.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Command } from './bench.js'
import { DATA, runForJson } from './command.js'
import { nodeCommand } from './engines/node.js'
import { takeLines } from './generate.js'
import type { KernelRun } from './kernel-workload.js'
import { workload as nearDedup } from './kernels/near-dedup.js'
import { describeMachine } from './limits.js'
import { drawScaling } from './scaling-plot.js'
import { fitExponent, median } from './statistics.js'
import { workload as mail } from './workloads/dsir.js'

const RESULTS = fileURLToPath(new URL('SCALING.md', import.meta.url))
const PLOT = fileURLToPath(new URL('scaling.svg', import.meta.url))
const THREADS = 1

/** Time against size, of tamis alone. */
interface Scaling {
  name: string
  about: string
  /** What a size counts. */
  unit: string
  sizes: readonly number[]
  /** The exponent of the specification's cost, and the cost. */
  exponent: number
  cost: string
  /** Makes the data of a size where they are missing, and says what to run. */
  command(size: number): Command
}

const WIDTH = 64
const [K, ITERATIONS, KEEP] = [64, 10, 100]
const ROWS = [1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000]

/** A file of so many rows of normal draws. */
function rows(count: number): string {
  const file = `${DATA}/scaling/normal-${count}x${WIDTH}.f32`
  make(file, (part) => {
    const { file: program, args, env } = nodeCommand('rows.ts', [part, String(count), String(WIDTH), '4'], 2)
    execFileSync(program, args, { env: { ...process.env, ...env }, stdio: 'inherit' })
  })
  return file
}

/** The first megabytes of a file of lines. */
function firstLines(of: string, name: string, megabytes: number): string {
  const file = `${DATA}/scaling/${name}-${megabytes}/part.jsonl`
  make(file, (part) => takeLines(of, part, megabytes))
  return file
}

function make(file: string, write: (part: string) => void): void {
  if (existsSync(file)) return
  mkdirSync(dirname(file), { recursive: true })
  write(`${file}.part`)
  renameSync(`${file}.part`, file)
}

const SCALINGS: readonly Scaling[] = [
  {
    name: 'k-means',
    about: `\`kernels.kMeans\`, ${WIDTH} columns of normal draws, k = ${K}, ${ITERATIONS} iterations`,
    unit: 'rows',
    sizes: ROWS,
    exponent: 1,
    cost: 'O(n·k·d) an iteration',
    command: (size) =>
      nodeCommand('tamis/k-means.ts', [rows(size), ...[WIDTH, K, ITERATIONS].map(String)], THREADS),
  },
  {
    name: 'farthest-first',
    about: `\`kernels.farthestFirst\`, ${WIDTH} columns of normal draws, cosine, ${KEEP} kept`,
    unit: 'rows',
    sizes: ROWS,
    exponent: 1,
    cost: 'O(n k d)',
    command: (size) =>
      nodeCommand('tamis/farthest-first.ts', [rows(size), ...[WIDTH, KEEP].map(String)], THREADS),
  },
  {
    name: 'dedup',
    about: '`corpus.dedupFilesNear`, from a file to a file, 14 bands of 8 hashes',
    unit: 'MB',
    sizes: [0.24, 0.75, 2.4, 7.5, 24, 75, 240],
    exponent: 1,
    cost: 'O(total characters · K), and bands · documents of tables',
    command(size) {
      nearDedup.setUp?.()
      const file = firstLines(`${DATA}/near-dedup-1000/0.jsonl`, 'dedup', size)
      return nodeCommand('tamis/near-dedup.ts', [dirname(file), '14', '8'], THREADS)
    },
  },
  {
    name: 'select',
    about: '`corpus.selectFilesByImportance` (DSIR) of mail, from a file to a file, 20 kept',
    unit: 'MB',
    sizes: [0.5, 1.5, 5, 15, 50, 150, 500],
    exponent: 1,
    cost: 'O(bytes) hashing, O(features · targets) adds, O(n log count) selection',
    command(size) {
      const raw = `${DATA}/${mail.name}-${mail.megabytes}.jsonl`
      const allTargets = `${DATA}/${mail.name}-target.jsonl`
      if (!existsSync(raw) || !existsSync(allTargets)) mail.generate(raw, allTargets, mail.megabytes)
      const file = firstLines(raw, 'select', size)
      // Few, so that the smallest size is not all target.
      const target = firstLines(allTargets, 'select-target', 0.1)
      return nodeCommand('tamis/select.ts', [file, target, `${DATA}/scaling/kept.jsonl`], THREADS)
    },
  },
]

/** Sizes and the medians of their times. */
interface Grown {
  scaling: Scaling
  seconds: number[]
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '3' }, save: { type: 'boolean', default: false } },
})
const rounds = Number(values.rounds)
if (!(rounds >= 1)) throw new Error(`--rounds must be a positive number, got ${values.rounds}`)
const unknown = positionals.find((name) => !SCALINGS.some((one) => one.name === name))
if (unknown !== undefined) {
  throw new Error(`no workload ${unknown}: there are ${SCALINGS.map(({ name }) => name).join(', ')}`)
}
const chosen = SCALINGS.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
if (values.save && chosen.length < SCALINGS.length) throw new Error('--save wants all workloads')

const grown = chosen.map(grow)
const text = report(grown)
console.log(`\n${text}`)
if (values.save) {
  writeFileSync(RESULTS, `${text}\n`)
  writeFileSync(PLOT, drawScaling(grown.map(({ scaling, seconds }) => ({ ...scaling, seconds }))))
}

function grow(scaling: Scaling): Grown {
  const commands = scaling.sizes.map((size) => scaling.command(size))
  const runs = scaling.sizes.map((): number[] => [])
  for (let round = 1; round <= rounds; round++) {
    for (const [i, command] of commands.entries()) {
      console.error(`${scaling.name}, round ${round} of ${rounds}: ${scaling.sizes[i]} ${scaling.unit}`)
      runs[i]?.push(...runForJson<KernelRun>(command).seconds)
    }
  }
  return { scaling, seconds: runs.map(median) }
}

function report(all: readonly Grown[]): string {
  const lines = all.flatMap(({ scaling, seconds }) => {
    const { name, about, unit, sizes, exponent, cost } = scaling
    // The last decade: where the fixed costs of a call or of a job count least.
    const from = sizes.findIndex((size) => size >= (sizes.at(-1) as number) / 10)
    const whole = fitExponent(sizes, seconds).toFixed(2)
    const last = fitExponent(sizes.slice(from), seconds.slice(from)).toFixed(2)
    return [
      '',
      `## ${name}`,
      '',
      `${about}.`,
      '',
      `| ${unit} | seconds |`,
      '| ---: | ---: |',
      ...sizes.map((size, i) => `| ${size} | ${(seconds[i] as number).toPrecision(3)} |`),
      '',
      `Fitted exponent ${whole} (${last} over the last decade); the specification has ${exponent}: ${cost}.`,
    ]
  })
  return [
    '# Time against size',
    '',
    `What \`npm run bench:scaling -- --save\` measured on ${new Date().toISOString().slice(0, 10)}, on ${describeMachine()}: ` +
      `tamis on one thread, each size in a process of its own after a warm-up, medians of all repetitions of ${rounds} ${rounds === 1 ? 'round' : 'rounds'}. ` +
      'The exponent is the slope of the logarithms by least squares.',
    '',
    '![Seconds against size, both logarithmic](scaling.svg)',
    ...lines,
  ].join('\n')
}
