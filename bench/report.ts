/**
 * The table of a workload.
 * @module
 */
import type { DsirRun, Engine, Workload } from './bench.js'
import { median } from './statistics.js'

/** All runs of an engine with a number of threads. */
export interface Measured {
  engine: Engine
  threads: number
  /** Of the raw file it worked on. */
  bytes: number
  runs: DsirRun[]
  /** Whether its output was compared with that of the others, and was the same. */
  agreed: boolean
}

/** As Markdown: a table, the bars that must be cleared, and what the tables of known n-grams saw. */
export function report(
  workload: Workload,
  megabytes: number,
  rounds: number,
  all: readonly Measured[],
): string {
  const find = (name: string, threads = 1): Measured | undefined =>
    all.find((m) => m.engine.name === name && m.threads === threads)
  const times = (m: Measured, peer: Measured | undefined): string =>
    peer ? ratio(speed(m) / speed(peer)) : ''
  const rows = all.map((m) => {
    const phase = (name: 'fit' | 'score' | 'write'): string => {
      const phases = m.runs.flatMap((r) => (r.phases ? [r.phases[name]] : []))
      return phases.length > 0 ? median(phases).toFixed(2) : ''
    }
    const peaks = m.runs.flatMap((r) => (r.peakMegabytes === undefined ? [] : [r.peakMegabytes]))
    const read = find('read', m.threads)
    const cpu = m.runs.flatMap((r) => (r.cpuSeconds === undefined ? [] : [r.cpuSeconds]))
    return [
      m.engine.name,
      String(m.threads),
      (m.bytes / 1e6).toFixed(0),
      phase('fit'),
      phase('score'),
      phase('write'),
      median(seconds(m)).toFixed(2),
      `${Math.min(...seconds(m)).toFixed(2)}-${Math.max(...seconds(m)).toFixed(2)}`,
      cpu.length > 0 ? median(cpu).toFixed(2) : '',
      speed(m).toFixed(speed(m) < 10 ? 2 : 1),
      m.engine.readsOnly ? '' : times(m, find('data-selection')),
      m.engine.readsOnly ? '' : times(m, find('javascript')),
      m.engine.readsOnly ? '' : times(m, find('javascript-sha256')),
      read && !m.engine.readsOnly ? `${((100 * speed(m)) / speed(read)).toFixed(1)} %` : '',
      peaks.length > 0 ? Math.max(...peaks).toFixed(0) : '',
      m.agreed ? 'yes' : '',
    ]
  })
  const head = [
    'engine',
    'threads',
    'MB',
    'fit s',
    'score s',
    'write s',
    'all s',
    'range',
    'CPU s',
    'MB/s',
    'x data-selection',
    'x javascript',
    'x javascript-sha256',
    'of reading',
    'peak MB',
    'same output',
  ]
  return [
    `## ${workload.name}, ${megabytes} MB`,
    '',
    `${sentence(workload.about)} Medians of ${rounds} interleaved ${rounds === 1 ? 'round' : 'rounds'}; MB/s is the ` +
      'size of the raw file over the time of the whole job (fit, score, write); "of reading" is that speed against ' +
      'one pass that only reads the file and finds the texts.',
    '',
    ...markdownTable(head, rows),
    '',
    ...bars(find),
    ...caches(all),
  ].join('\n')
}

/** The README's short form: a row an engine, its speed on each workload and how many times slower than tamis it is. */
export function shortTable(
  results: readonly { workload: Workload; measured: readonly Measured[] }[],
): string {
  const first = results[0]?.measured ?? []
  const rows = first
    .filter(({ engine }) => !engine.readsOnly)
    .map(({ engine, threads }) => [
      `${engine.name}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
      ...results.flatMap(({ measured }) => {
        const of = (name: string, count: number): Measured | undefined =>
          measured.find((m) => m.engine.name === name && m.threads === count)
        const [mine, tamis] = [of(engine.name, threads), of('tamis', 1)]
        if (!mine || !tamis) return ['', '']
        const slower = engine.name.startsWith('tamis') ? '' : ratio(speed(tamis) / speed(mine))
        return [speed(mine).toFixed(speed(mine) < 10 ? 2 : 1), slower]
      }),
    ])
  const head = ['', ...results.flatMap(({ workload }) => [`${workload.name}, MB/s`, 'tamis is x faster'])]
  return markdownTable(head, rows).join('\n')
}

function bars(find: (name: string, threads?: number) => Measured | undefined): string[] {
  const bar = (what: string, a: Measured | undefined, b: Measured | undefined, least: number): string[] => {
    if (!a || !b) return []
    const got = speed(a) / speed(b)
    return [`- ${what}: ${ratio(got)} (wanted: at least ${least}) - ${got >= least ? 'yes' : 'NO'}`]
  }
  const one = find('tamis')
  return [
    ...bar('tamis over data-selection, one thread', one, find('data-selection'), 60),
    ...bar('tamis over javascript, one thread', one, find('javascript'), 6),
    ...bar('tamis with two threads over one', find('tamis', 2), one, 1.8),
  ]
}

function caches(all: readonly Measured[]): string[] {
  for (const { engine, runs } of all) {
    const c = runs[0]?.caches
    if (!c) continue
    const rate = (hits: number, misses: number): string => `${((100 * hits) / (hits + misses)).toFixed(1)} %`
    return [
      `- tables of 2^20 words and 2^20 pairs, both passes: ${rate(c.wordHits, c.wordMisses)} of the words and ` +
        `${rate(c.pairHits, c.pairMisses)} of the pairs were known (counted by ${engine.name})`,
    ]
  }
  return []
}

const seconds = (m: Measured): number[] => m.runs.map((r) => r.seconds)
const speed = (m: Measured): number => m.bytes / 1e6 / median(seconds(m))
const ratio = (x: number): string => x.toFixed(x < 10 ? 2 : 1)
const sentence = (s: string): string => `${s.charAt(0).toUpperCase()}${s.slice(1)}.`

function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((h, i) => Math.max(3, h.length, ...rows.map((row) => row[i]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((c, i) => (i === 0 ? c.padEnd(widths[i] ?? 0) : c.padStart(widths[i] ?? 0))).join(' | ')} |`
  const rule = widths.map((w, i) => (i === 0 ? '-'.repeat(w) : `${'-'.repeat(w - 1)}:`))
  return [line(head), `| ${rule.join(' | ')} |`, ...rows.map(line)]
}
