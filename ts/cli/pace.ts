/**
 * How fast a pass is and how long it will take.
 * @hidden
 * @module
 */
import { formatBytes, formatCount, formatDuration } from '../format.js'

/** What the API tells of a pass. */
export interface PassProgress {
  pass: string
  bytes: number
  totalBytes: number
  records: number
  /** What the records are. Default: a record. */
  unit?: string
}

/** Shows how far a run is. */
export interface Progress {
  readonly update: (progress: PassProgress) => void
  /** Leaves the display as it is. */
  stop(): void
}

/** Speed and time left of the pass that runs. */
export class Pace {
  readonly pass: string
  readonly #started: number
  readonly #first: number
  last: PassProgress

  constructor(progress: PassProgress, started: number) {
    this.pass = progress.pass
    this.last = progress
    this.#started = started
    // What an earlier run did costs this one no time.
    this.#first = progress.bytes < progress.totalBytes ? progress.bytes : 0
  }

  update(progress: PassProgress): void {
    this.last = progress
  }

  get seconds(): number {
    return (performance.now() - this.#started) / 1000
  }

  get speed(): string {
    return `${formatBytes((this.last.bytes - this.#first) / Math.max(this.seconds, 1e-3))}/s`
  }

  get left(): string {
    const done = this.last.bytes - this.#first
    if (done <= 0) return 'time left unknown'
    return `${formatDuration((this.seconds / done) * (this.last.totalBytes - this.last.bytes))} left`
  }

  get percent(): string {
    return `${Math.floor((100 * this.last.bytes) / Math.max(this.last.totalBytes, 1))}%`
  }

  get records(): string {
    return `${formatCount(this.last.records)} ${this.last.unit ?? 'record'}s`
  }
}
