/**
 * How a long call on files is attended to: its listener is told how far it is, its signal stops it, and it is cleaned up
 * behind however it ends.
 * @hidden
 * @module
 */
import { realpath } from 'node:fs/promises'
import { relative, resolve, sep } from 'node:path'
import { fromNative, TamisError } from './errors.js'
import { type NativeJob, native } from './native.js'
import type { NativeCorpus, NativeState } from './native-files.js'
import { checkSignal } from './options.js'

const PROGRESS_MS = 100

/** Who listens, and what stops the call. */
export interface Attended<Progress> {
  signal?: AbortSignal | undefined
  onProgress?: ((progress: Progress) => void) | undefined
}

/** A call that can be told to stop. */
export abstract class AttendedRun<Progress> {
  readonly job: NativeJob = new native.Job()
  /** Kept for the next run if this one is cut short. */
  state: NativeState | undefined
  /** What the listener threw. */
  protected failure: unknown
  readonly #attended: Attended<Progress>
  #told = ''

  constructor(attended: Attended<Progress>) {
    this.#attended = attended
  }

  /** How far it is, if that can be said. */
  protected abstract progress(): Progress | undefined

  /** Whether what it reads can be read again. */
  protected abstract canReadAgain(): boolean

  /** Lets go of everything. */
  abstract end(): Promise<void>

  /** The error that a user sees, and what becomes of the state. */
  async fail(error: unknown): Promise<unknown> {
    if (this.failure !== undefined) return this.failure
    const failure = fromNative(error)
    const aborted = failure.code === 'ERR_TAMIS_ABORTED'
    const cause = aborted ? this.#attended.signal?.reason : failure.cause
    const { state } = this
    if (!state || !(aborted || failure.code === 'ERR_TAMIS_IO') || !this.canReadAgain()) {
      // What an earlier run left is not this one's to throw away: the next may ask for it rightly.
      if (!state?.resumed()) await this.#discard()
      return aborted ? new TamisError(failure.code, failure.message, { cause }) : failure
    }
    const kept = relative('', state.path())
    return new TamisError(
      failure.code,
      `${failure.message}; its finished parts are kept in ${kept}: the same call with resume (--resume) goes on from them`,
      { cause },
    )
  }

  /**
   * Takes hold of the state of runs on an output; whether what lies there may be replaced.
   * @param on - what the result depends on: options, and the corpora and files that are read
   */
  async claim(
    output: string,
    on: { options: Record<string, unknown>; corpora?: NativeCorpus[]; files?: readonly string[] },
    how: { resume: boolean; force: boolean },
  ): Promise<boolean> {
    const lines = Object.entries(on.options).map(
      ([name, value]) => `${name}: ${JSON.stringify(value) ?? 'default'}`,
    )
    const { corpora = [], files = [] } = on
    this.state = await native.openState(output, lines.join('\n'), corpora, files, how.resume)
    // What lies there may be this very run's, cut short while it was being put in place.
    return how.force || this.state.hasCommitMark()
  }

  /** Puts the output in place with `commit`, and clears what the run would have gone on from. */
  async settle(commit: () => Promise<string>): Promise<string> {
    await this.state?.markCommit()
    const path = await commit()
    await this.state?.finish()
    this.state = undefined
    return path
  }

  /** Removes a state from which nobody will go on. */
  async #discard(): Promise<void> {
    const { state } = this
    this.state = undefined
    try {
      await state?.finish()
    } catch {
      // What stays is in nobody's way; the failure that led here is the one to tell.
    }
  }

  /** Throws once the call was told to stop. */
  check(): void {
    if (this.failure !== undefined) throw this.failure
    if (this.#attended.signal?.aborted) throw new TamisError('ERR_TAMIS_ABORTED', 'the operation was aborted')
  }

  /** Tells how far it is, if that changed. */
  tell(): void {
    const { onProgress } = this.#attended
    const progress = onProgress && this.failure === undefined ? this.progress() : undefined
    if (!onProgress || progress === undefined) return
    const told = JSON.stringify(progress)
    if (told === this.#told) return
    this.#told = told
    try {
      onProgress(progress)
    } catch (error) {
      // A listener that throws ends the call as a failed pass would.
      this.failure = error
      this.job.stop()
    }
  }
}

/** Runs `body` off the event loop, as far as it does so itself, and cleans up behind it however it ends. */
export async function attend<Progress, Run extends AttendedRun<Progress>, T>(
  attended: Attended<Progress>,
  make: () => Run,
  body: (run: Run) => Promise<T>,
): Promise<T> {
  const signal = checkSignal(attended.signal)
  const run = make()
  const stop = () => run.job.stop()
  signal?.addEventListener('abort', stop, { once: true })
  const timer = attended.onProgress && setInterval(() => run.tell(), PROGRESS_MS)
  timer?.unref()
  try {
    return await body(run)
  } catch (error) {
    throw await run.fail(error)
  } finally {
    clearInterval(timer)
    signal?.removeEventListener('abort', stop)
    await run.end()
  }
}

/** Refuses to replace an output in which an input lies, or which is one. */
export async function checkApart(output: string, inputs: readonly { path: string }[]): Promise<void> {
  const real = async (path: string) => realpath(path).catch(() => resolve(path))
  const target = await real(output)
  for (const { path } of inputs) {
    const input = await real(path)
    if (input !== target && !input.startsWith(target + sep)) continue
    throw new TamisError(
      'ERR_TAMIS_RANGE',
      `${output} would replace the input ${path}: choose another name for the output`,
    )
  }
}
