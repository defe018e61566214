/**
 * How far a run is, on a terminal: a bar for each pass.
 * @hidden
 * @module
 */
import cliProgress from 'cli-progress'
import { Pace, type PassProgress, type Progress } from './pace.js'

/** A bar that gives way to the next pass's. */
export class Bars implements Progress {
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
