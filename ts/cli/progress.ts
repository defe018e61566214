/**
 * How far a run is: a bar for each pass on a terminal, plain lines elsewhere; both on stderr.
 * @hidden
 * @module
 */
import cliProgress from 'cli-progress'
import { formatBytes, formatCount, formatDuration } from '../format.js'
import { tell } from './terminal.js'

/** What the API tells of a pass. */
export interface PassProgress {
  pass: string
  bytes: number
  totalBytes: number
  records: number
}

/** Shows how far a run is. */
export interface Progress {
  readonly update: (progress: PassProgress) => void
  /** Leaves the display as it is. */
  stop(): void
}

/** Between two plain lines of one pass. */
const LINE_MS = 10_000

/** A display that fits stderr; none where the person wants none. */
export function showProgress(quiet: boolean): Progress {
  if (quiet) return { update: () => {}, stop: () => {} }
  return process.stderr.isTTY ? new Bars() : new Lines()
}

/** Speed and time left of the pass that runs. */
class Pace {
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
    return `${formatCount(this.last.records)} records`
  }
}

class Bars implements Progress {
  #pace: Pace | undefined
  #begun = performance.now()
  #bar: cliProgress.SingleBar | undefined

  readonly update = (progress: PassProgress): void => {
    if (this.#pace?.pass !== progress.pass) {
      this.stop()
      this.#pace = new Pace(progress, this.#begun)
      this.#bar = new cliProgress.SingleBar(
        {
          format: '{pass} {bar} {percentage}%  {records}  {speed}  {left}',
          barsize: Math.max(8, Math.min(30, (process.stderr.columns || 80) - 64)),
          stream: process.stderr,
          fps: 10,
          linewrap: false,
        },
        cliProgress.Presets.shades_classic,
      )
      this.#bar.start(Math.max(progress.totalBytes, 1), progress.bytes, this.#payload())
    }
    this.#pace.update(progress)
    this.#bar?.update(progress.bytes, this.#payload())
    this.#begun = performance.now()
  }

  stop(): void {
    this.#bar?.stop()
    this.#bar = undefined
    this.#pace = undefined
  }

  #payload(): Record<string, string> {
    const { pass, records, speed, left } = this.#pace as Pace
    const plain = (text: string) => text.replaceAll('\u00a0', ' ')
    return { pass: pass.padEnd(5), records, speed: plain(speed), left }
  }
}

class Lines implements Progress {
  #pace: Pace | undefined
  #begun = performance.now()
  #told = 0

  readonly update = (progress: PassProgress): void => {
    if (this.#pace?.pass !== progress.pass) {
      this.stop()
      this.#pace = new Pace(progress, this.#begun)
      this.#told = performance.now()
    }
    this.#pace.update(progress)
    this.#begun = performance.now()
    if (performance.now() - this.#told < LINE_MS) return
    this.#told = performance.now()
    const { pass, percent, records, speed, left } = this.#pace
    tell(`${pass} ${percent}, ${records}, ${speed}, ${left}`)
  }

  stop(): void {
    if (!this.#pace) return
    const { pass, percent, records, speed, seconds } = this.#pace
    tell(`${pass} ${percent}, ${records}, ${speed}, ${formatDuration(seconds)}`)
    this.#pace = undefined
  }
}
