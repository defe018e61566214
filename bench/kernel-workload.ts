/**
 * What a kernel's workload is: data, engines and the bars that must be cleared, all of it data. A new workload is one
 * more file in `kernels/`.
 * @module
 */
import type { Command } from './bench.js'

/** What the machine can do, in units a second: see {@link KernelWorkload.limit}. */
export interface MachineLimits {
  /** Float32 multiply-adds, by numpy's tuned product of 4,096-cubed matrices. */
  matrix: number
  /** Bytes read from memory. */
  memory: number
  /** Bytes written to memory. */
  store: number
}

/** What an engine prints as its last line, as JSON. */
export interface KernelRun {
  /** Of each repetition, in its own process, after a warm-up. */
  seconds: number[]
  /** What engines must agree on: a digest exactly, a number within 0.1 %. */
  check?: string | number
  /** Seconds of what is held to the machine's limit, where that is not all of the work. */
  limited?: number[]
  /** The largest resident set. */
  megabytes?: number
  /** Other figures for the table's notes, such as `p99`. */
  notes?: Record<string, number | string>
}

export interface KernelEngine {
  name: string
  /** What it calls, and how it is set to be fast. */
  about: string
  /** Thread counts that are worth a run. */
  threads: readonly number[]
  /** Brings what is missing. */
  setUp?(): void
  /** Name and version of what runs. */
  version(): string
  /** The part of the work that it is given, if that is less than all: seconds are divided by it. */
  part?: number
  command(threads: number): Command
}

/** A rival that must be beaten at each of the threads; one of fewer threads is met with what it has. */
export interface Bar {
  rival: string
  /** Times faster. */
  atLeast: number
}

/** The most memory at each of the threads: a share of a rival's, or megabytes. */
export type MemoryBar = { rival: string; atMost: number } | { megabytes: number }

export interface KernelWorkload {
  name: string
  about: string
  bars: readonly Bar[]
  /** Peaks of memory that are allowed. */
  memory?: readonly MemoryBar[]
  /** Which of the machine's limits the work is measured against, and the share of it that must be reached. */
  limit?: { of: keyof MachineLimits; atLeast: number } | OwnLimit
  /** Of one repetition. */
  work?: { multiplyAdds?: number; bytes?: number }
  /** Makes the data under `data/`: the same bytes each time. */
  setUp?(): void
  /** The first is tamis. */
  engines: readonly KernelEngine[]
}

/** A limit that the workload measures itself: the command prints `{ "perSecond": x }` in its last line. */
export interface OwnLimit {
  own: string
  atLeast: number
  /** Units of one repetition. */
  units: number
  command(threads: number): Command
}
