/**
 * DSIR over JSONL files in plain JavaScript: what a careful Node.js programmer would write without native code.
 * One process and one thread, two passes over the raw file, memory bounded by the tables and the kept records.
 *
 *   tsx bench/engines/javascript/dsir.ts JOB.json node:crypto|javascript
 *
 * prints what it did as one line of JSON; the second argument says what computes SHA-256.
 * @module
 */
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { argv, cpuUsage, stdout } from 'node:process'
import type { DsirJob, DsirRun } from '../../bench.js'
import { peakMegabytes } from '../../memory.js'
import { forEachLine } from './lines.js'
import { ngramScanner, type Scan } from './ngrams.js'
import { gumbel } from './philox.js'
import type { Sha256 } from './sha256.js'

const BUCKETS = 10_000

/** The `count` highest keys seen, ties to the lowest record; a heap in typed arrays with the lowest on top. */
class Best {
  private readonly count: number
  private readonly keys: Float64Array
  private readonly records: Float64Array
  private readonly offsets: Float64Array
  private readonly lengths: Float64Array
  private size = 0

  constructor(count: number) {
    this.count = count
    this.keys = new Float64Array(count)
    this.records = new Float64Array(count)
    this.offsets = new Float64Array(count)
    this.lengths = new Float64Array(count)
  }

  add(key: number, record: number, offset: number, length: number): void {
    if (this.size < this.count) {
      let i = this.size++
      this.put(i, key, record, offset, length)
      while (i > 0) {
        const parent = (i - 1) >> 1
        if (!this.below(i, parent)) return
        this.swap(i, parent)
        i = parent
      }
    } else if (key > (this.keys[0] as number)) {
      this.put(0, key, record, offset, length)
      for (let i = 0; ; ) {
        let least = i
        const child = 2 * i + 1
        if (child < this.size && this.below(child, least)) least = child
        if (child + 1 < this.size && this.below(child + 1, least)) least = child + 1
        if (least === i) return
        this.swap(i, least)
        i = least
      }
    }
  }

  /** The places of all kept records, in input order. */
  places(): { offset: number; bytes: number }[] {
    const order = Array.from({ length: this.size }, (_, i) => i)
    order.sort((a, b) => (this.records[a] as number) - (this.records[b] as number))
    return order.map((i) => ({ offset: this.offsets[i] as number, bytes: this.lengths[i] as number }))
  }

  private put(i: number, key: number, record: number, offset: number, length: number): void {
    this.keys[i] = key
    this.records[i] = record
    this.offsets[i] = offset
    this.lengths[i] = length
  }

  private below(i: number, j: number): boolean {
    const a = this.keys[i] as number
    const b = this.keys[j] as number
    return a < b || (a === b && (this.records[i] as number) > (this.records[j] as number))
  }

  private swap(i: number, j: number): void {
    for (const column of [this.keys, this.records, this.offsets, this.lengths]) {
      const kept = column[i] as number
      column[i] = column[j] as number
      column[j] = kept
    }
  }
}

function textOf(line: string): string {
  const record: unknown = JSON.parse(line)
  const text = (record as { text?: unknown } | null)?.text
  if (typeof text !== 'string') throw new Error('not a record with a string field "text"')
  return text
}

function countNgrams(path: string, scan: (text: string) => Scan): Float64Array {
  const counts = new Float64Array(BUCKETS)
  forEachLine(path, (line) => {
    const { buckets, features } = scan(textOf(line))
    for (let i = 0; i < features; i++) {
      const bucket = buckets[i] as number
      counts[bucket] = (counts[bucket] as number) + 1
    }
  })
  return counts
}

function shares(counts: Float64Array): Float64Array {
  const sum = counts.reduce((a, b) => a + b, 0)
  return counts.map((c) => c / sum)
}

function scoreRecords(job: DsirJob, logRatio: Float64Array, scan: (text: string) => Scan): Best {
  const best = new Best(job.count)
  let record = 0
  forEachLine(job.raw, (line, offset, bytes) => {
    const { buckets, features, tokens } = scan(textOf(line))
    let weight = 0
    for (let i = 0; i < features; i++) weight += logRatio[buckets[i] as number] as number
    const noise = job.method === 'gumbel' ? gumbel(job.seed, record) : 0
    if (tokens >= job.minTokens) best.add(weight + noise, record, offset, bytes)
    record++
  })
  return best
}

function writeKept(job: DsirJob, best: Best): void {
  const input = openSync(job.raw, 'r')
  const output = openSync(job.out, 'w')
  let buffer = Buffer.allocUnsafeSlow(1 << 22)
  let filled = 0
  try {
    for (const { offset, bytes } of best.places()) {
      if (filled + bytes + 1 > buffer.length) {
        writeSync(output, buffer, 0, filled)
        filled = 0
        if (bytes + 1 > buffer.length) buffer = Buffer.allocUnsafeSlow(2 * bytes)
      }
      readSync(input, buffer, filled, bytes, offset)
      filled += bytes
      buffer[filled++] = 10
    }
    writeSync(output, buffer, 0, filled)
  } finally {
    closeSync(input)
    closeSync(output)
  }
}

function run(job: DsirJob, sha256: Sha256): DsirRun {
  const started = performance.now()
  const before = cpuUsage()
  const scan = ngramScanner(BUCKETS, sha256)
  const raw = shares(countNgrams(job.raw, scan))
  const target = shares(countNgrams(job.target, scan))
  const logRatio = target.map((p, b) => Math.log(p + 1e-8) - Math.log((raw[b] as number) + 1e-8))
  const fitted = performance.now()
  const best = scoreRecords(job, logRatio, scan)
  const scored = performance.now()
  writeKept(job, best)
  const ended = performance.now()
  const { user, system } = cpuUsage(before)
  const { wordHits, wordMisses, pairHits, pairMisses } = scan('')
  return {
    seconds: (ended - started) / 1000,
    phases: {
      fit: (fitted - started) / 1000,
      score: (scored - fitted) / 1000,
      write: (ended - scored) / 1000,
    },
    cpuSeconds: (user + system) / 1e6,
    peakMegabytes: peakMegabytes(),
    caches: { wordHits, wordMisses, pairHits, pairMisses },
  }
}

const job = JSON.parse(readFileSync(argv[2] as string, 'utf8')) as DsirJob
stdout.write(`${JSON.stringify(run(job, argv[3] as Sha256))}\n`)
