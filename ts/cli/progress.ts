/**
 * How far a run is: a bar for each pass on a terminal, plain lines elsewhere; both on stderr.
 * @hidden
 * @module
 */
import { formatDuration } from '../format.js'
import { Pace, type PassProgress, type Progress } from './pace.js'
import { tell } from './terminal.js'

/** Between two plain lines of one pass. */
const LINE_MS = 10_000

/** A display that fits stderr; none where the person wants none. */
export async function showProgress(quiet: boolean): Promise<Progress> {
  if (quiet) return { update: () => {}, stop: () => {} }
  if (!process.stderr.isTTY) return new Lines()
  const { Bars } = await import('./bars.js')
  return new Bars()
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
