/**
 * The section of a kernel's workload: its table and the bars.
 * @module
 */
import type { KernelEngine, KernelRun, KernelWorkload } from './kernel-workload.js'
import { describeMachine } from './limits.js'
import { median } from './statistics.js'

/** All runs of an engine with a number of threads. */
export interface MeasuredEngine {
  engine: KernelEngine
  threads: number
  runs: KernelRun[]
}

const SAME = 1e-3

/** As Markdown, and whether every bar was cleared and all engines agreed. */
export function kernelReport(
  workload: KernelWorkload,
  rounds: number,
  measured: readonly MeasuredEngine[],
  limits: ReadonlyMap<number, number | undefined>,
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
    ...memory(workload, measured),
    ...agreement(measured),
  ]
  if (verdicts.length > 0) lines.push('', ...verdicts.map(({ line }) => line))
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
  const weighed = measured.some((m) => m.runs.some((run) => run.megabytes !== undefined))
  const noted = [...new Set(measured.flatMap((m) => m.runs.flatMap((run) => Object.keys(run.notes ?? {}))))]
  const head = [
    'engine',
    'threads',
    'seconds',
    'range',
    'tamis is faster by',
    ...(limited ? ['of the limit'] : []),
    ...(weighed ? ['peak MB'] : []),
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
      ...(weighed ? [peak(m)?.toFixed(0) ?? ''] : []),
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
  return units === undefined ? undefined : units / limitedSeconds(m) / perSecond
}

/** Bars of memory: against a rival of as many threads, or in megabytes. */
function memory({ memory = [] }: KernelWorkload, measured: readonly MeasuredEngine[]): Verdict[] {
  const weighed = measured.flatMap((m) => {
    const megabytes = peak(m)
    return megabytes === undefined ? [] : [{ ...m, megabytes }]
  })
  return weighed
    .filter((m) => m.engine.name === 'tamis')
    .flatMap((own) =>
      memory.flatMap((bar) => {
        const got = `${threadsOf(own.threads)}: a peak of ${own.megabytes.toFixed(0)} MB`
        if ('megabytes' in bar) {
          return [verdict(own.megabytes <= bar.megabytes, `${got}, wanted ${bar.megabytes} MB at most`)]
        }
        const rivals = weighed.filter((m) => m.engine.name === bar.rival)
        const met = rivals.find((m) => m.threads === own.threads) ?? rivals.at(-1)
        if (met === undefined) return []
        const share = own.megabytes / met.megabytes
        const line = `${got} is ${percent(share)} of that of ${bar.rival}, wanted ${percent(bar.atMost)} at most`
        return [verdict(share <= bar.atMost, line)]
      }),
    )
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

const threadsOf = (threads: number): string => `${threads} ${threads === 1 ? 'thread' : 'threads'}`
const secondsOf =
  ({ part = 1 }: KernelEngine) =>
  (run: KernelRun): number =>
    median(run.seconds) / part
const seconds = (m: MeasuredEngine): number => median(m.runs.map(secondsOf(m.engine)))

/** Of the part of the work that is held to the machine's limit. */
const limitedSeconds = (m: MeasuredEngine): number =>
  median(m.runs.map((run) => (run.limited === undefined ? secondsOf(m.engine)(run) : median(run.limited))))

/** The largest resident set of all runs, in megabytes. */
function peak({ runs }: MeasuredEngine): number | undefined {
  const all = runs.flatMap(({ megabytes }) => (megabytes === undefined ? [] : [megabytes]))
  return all.length === 0 ? undefined : Math.max(...all)
}

/** The runs of tamis to compare with: of as many threads, or of one. */
function ours(measured: readonly MeasuredEngine[], threads: number): MeasuredEngine | undefined {
  const all = measured.filter((m) => m.engine.name === 'tamis')
  return all.find((m) => m.threads === threads) ?? all[0]
}

const time = (s: number): string => (s < 0.01 ? s.toExponential(2) : s.toPrecision(3))
const ratio = (x: number): string => `${x < 10 ? x.toFixed(2) : x.toFixed(0)}x`
const percent = (x: number): string => `${(100 * x).toFixed(0)} %`
