/**
 * The section of a kernel's workload: its table, the bars, and time against size.
 * @module
 */
import type { KernelEngine, KernelRun, KernelWorkload, Scaling } from './kernel-workload.js'
import { describeMachine } from './limits.js'

/** All runs of an engine with a number of threads. */
export interface MeasuredEngine {
  engine: KernelEngine
  threads: number
  runs: KernelRun[]
}

export interface MeasuredScaling {
  scaling: Scaling
  runs: KernelRun[]
}

const SAME = 1e-3

/** As Markdown, and whether every bar was cleared and all engines agreed. */
export function kernelReport(
  workload: KernelWorkload,
  rounds: number,
  measured: readonly MeasuredEngine[],
  limits: ReadonlyMap<number, number | undefined>,
  scalings: readonly MeasuredScaling[],
): { text: string; held: boolean } {
  const lines = [
    `## ${workload.name}`,
    '',
    workload.about,
    '',
    `${new Date().toISOString().slice(0, 10)}, ${describeMachine()}; medians of ${rounds} interleaved ${rounds === 1 ? 'round' : 'rounds'}.`,
    '',
    ...table(workload, measured, limits),
    '',
    ...workload.engines
      .filter((engine) => measured.some((m) => m.engine === engine))
      .map((engine) => `- **${engine.name}**: ${engine.about} (${engine.version()})`),
  ]
  const verdicts = [
    ...bars(workload, measured),
    ...shares(workload, measured, limits),
    ...agreement(measured),
  ]
  if (verdicts.length > 0) lines.push('', ...verdicts.map(({ line }) => line))
  for (const scaling of scalings) lines.push('', ...growth(scaling))
  return { text: lines.join('\n'), held: verdicts.every(({ held }) => held) }
}

interface Verdict {
  line: string
  held: boolean
}

const verdict = (held: boolean, line: string): Verdict => ({
  held,
  line: `- ${held ? 'reached' : '**MISSED**'}: ${line}`,
})

function table(
  workload: KernelWorkload,
  measured: readonly MeasuredEngine[],
  limits: ReadonlyMap<number, number | undefined>,
): string[] {
  const limited = workload.limit !== undefined
  const noted = [...new Set(measured.flatMap((m) => m.runs.flatMap((run) => Object.keys(run.notes ?? {}))))]
  const head = [
    'engine',
    'threads',
    'seconds',
    'range',
    'tamis is faster by',
    ...(limited ? ['of the limit'] : []),
    ...noted,
  ]
  const rows = measured.map((m) => {
    const all = m.runs.map(secondsOf(m.engine))
    const own = ours(measured, m.threads)
    const share = shareOf(workload, m, limits)
    return [
      m.engine.name,
      String(m.threads),
      time(median(all)),
      `${time(Math.min(...all))}-${time(Math.max(...all))}`,
      own === undefined || m.engine.name === 'tamis' ? '' : ratio(seconds(m) / seconds(own)),
      ...(limited ? [share === undefined ? '' : percent(share)] : []),
      ...noted.map((name) => String(m.runs.at(-1)?.notes?.[name] ?? '')),
    ]
  })
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [row(head), row(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(row)]
}

function bars(workload: KernelWorkload, measured: readonly MeasuredEngine[]): Verdict[] {
  return workload.bars.flatMap(({ rival, atLeast }) =>
    measured
      .filter((m) => m.engine.name === 'tamis')
      .flatMap((own) => {
        const rivals = measured.filter((m) => m.engine.name === rival)
        const met = rivals.find((m) => m.threads === own.threads) ?? rivals.at(-1)
        if (met === undefined) return []
        const got = seconds(met) / seconds(own)
        const want = `${threadsOf(own.threads)}: ${ratio(got)} as fast as ${rival}, wanted ${ratio(atLeast)}`
        return [verdict(got >= atLeast, want)]
      }),
  )
}

function shares(
  workload: KernelWorkload,
  measured: readonly MeasuredEngine[],
  limits: ReadonlyMap<number, number | undefined>,
): Verdict[] {
  const { limit } = workload
  if (limit === undefined) return []
  const name = 'own' in limit ? limit.own : limitNames[limit.of]
  return measured
    .filter((m) => m.engine.name === 'tamis')
    .flatMap((m) => {
      const share = shareOf(workload, m, limits)
      if (share === undefined) return []
      const amount = (limits.get(m.threads) ?? 0) / 1e9
      const want = `${threadsOf(m.threads)}: ${percent(share)} of ${name} (${amount.toFixed(1)} ·10⁹ a second), wanted ${percent(limit.atLeast)}`
      return [verdict(share >= limit.atLeast, want)]
    })
}

const limitNames = {
  matrix: 'the float32 matrix-product peak in multiply-adds',
  memory: 'the bandwidth of reading memory in bytes',
  store: 'the bandwidth of writing memory in bytes',
} as const

function shareOf(
  { limit, work }: KernelWorkload,
  m: MeasuredEngine,
  limits: ReadonlyMap<number, number | undefined>,
): number | undefined {
  const perSecond = limits.get(m.threads)
  if (limit === undefined || perSecond === undefined) return undefined
  const units = 'own' in limit ? limit.units : limit.of === 'matrix' ? work?.multiplyAdds : work?.bytes
  return units === undefined ? undefined : units / seconds(m) / perSecond
}

function agreement(measured: readonly MeasuredEngine[]): Verdict[] {
  const checks = measured.flatMap((m) => {
    const check = m.runs.at(-1)?.check
    return check === undefined ? [] : [{ name: `${m.engine.name} (${threadsOf(m.threads)})`, check }]
  })
  const [first, ...others] = checks
  if (first === undefined || others.length === 0) return []
  const same = (a: string | number, b: string | number): boolean =>
    typeof a === 'number' && typeof b === 'number' ? Math.abs(a - b) <= SAME * Math.abs(b) : a === b
  const odd = others.filter(({ check }) => !same(check, first.check))
  const shown = odd.map(({ name, check }) => `${name} has ${check}`).join(', ')
  const line = odd.length === 0 ? 'the engines agree' : `${shown}; ${first.name} has ${first.check}`
  return [verdict(odd.length === 0, line)]
}

function growth({ scaling, runs }: MeasuredScaling): string[] {
  const times = runs.map((run) => median(run.seconds))
  const points = scaling.sizes.map((size, i) => [Math.log(size), Math.log(times[i] as number)] as const)
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
  const [x, y] = [mean(points.map((p) => p[0])), mean(points.map((p) => p[1]))]
  const slope =
    points.reduce((sum, p) => sum + (p[0] - x) * (p[1] - y), 0) /
    points.reduce((sum, p) => sum + (p[0] - x) ** 2, 0)
  const cells = scaling.sizes.map((size, i) => `${size}: ${time(times[i] as number)}`)
  return [
    `Seconds against ${scaling.of}: ${cells.join(', ')}. Fitted exponent ${slope.toFixed(2)}; the specification has ${scaling.exponent}.`,
  ]
}

const threadsOf = (threads: number): string => `${threads} ${threads === 1 ? 'thread' : 'threads'}`
const secondsOf =
  ({ part = 1 }: KernelEngine) =>
  (run: KernelRun): number =>
    median(run.seconds) / part
const seconds = (m: MeasuredEngine): number => median(m.runs.map(secondsOf(m.engine)))

/** The runs of tamis to compare with: of as many threads, or of one. */
function ours(measured: readonly MeasuredEngine[], threads: number): MeasuredEngine | undefined {
  const all = measured.filter((m) => m.engine.name === 'tamis')
  return all.find((m) => m.threads === threads) ?? all[0]
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const half = sorted.length >> 1
  const upper = sorted[half] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] as number) + upper) / 2
}

const time = (s: number): string => (s < 0.01 ? s.toExponential(2) : s.toPrecision(3))
const ratio = (x: number): string => `${x < 10 ? x.toFixed(2) : x.toFixed(0)}x`
const percent = (x: number): string => `${(100 * x).toFixed(0)} %`
