/**
 * What calls of models share.
 * @hidden
 * @module
 */
import { type Attended, AttendedRun, attend } from '../attend.js'
import { TamisError } from '../errors.js'
import type { NativeJob } from '../native.js'
import { checkOptions, show } from '../options.js'

/** How far a call is. */
export interface ModelProgress {
  /** Texts that are done; of {@link models.CausalLM | CausalLM.generate} tokens. */
  done: number
  total: number
}

/** What every long call of a model takes. */
export interface ModelCallOptions {
  /** Aborting it stops the work and rejects the promise with `ERR_TAMIS_ABORTED`. */
  signal?: AbortSignal | undefined
  /** Told about ten times a second how far the call is. */
  onProgress?: ((progress: ModelProgress) => void) | undefined
}

export const CALL_OPTIONS = ['signal', 'onProgress'] as const

class ModelRun extends AttendedRun<ModelProgress> {
  readonly #total: number

  constructor(attended: Attended<ModelProgress>, total: number) {
    super(attended)
    this.#total = total
  }

  protected progress(): ModelProgress {
    return { done: Math.min(this.job.progress().records, this.#total), total: this.#total }
  }

  protected canReadAgain(): boolean {
    return false
  }

  async end(): Promise<void> {}
}

/** Runs a call of `total` texts or tokens off the event loop. */
export async function callModel<T>(
  options: ModelCallOptions,
  total: number,
  call: (job: NativeJob) => Promise<T>,
): Promise<T> {
  const { signal, onProgress } = options
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw new TamisError('ERR_TAMIS_TYPE', `onProgress must be a function, got ${show(onProgress)}`)
  }
  const attended = { signal, onProgress }
  return attend(
    attended,
    () => new ModelRun(attended, total),
    async (run) => {
      run.check()
      const value = await call(run.job)
      run.check()
      run.tell()
      return value
    },
  )
}

/** The options of a call that takes no others. */
export function checkCallOptions(options: ModelCallOptions | undefined): ModelCallOptions {
  return checkOptions('options', options, CALL_OPTIONS)
}

/** Checks the path of a model. */
export function checkPath(name: string, path: unknown): string {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return path
  const code = typeof path === 'string' ? 'ERR_TAMIS_RANGE' : 'ERR_TAMIS_TYPE'
  throw new TamisError(code, `${name} must be a path, got ${show(path)}`)
}

/** Lists of their own out of one, by their lengths. */
export function listsOf<T extends Uint32Array | Float32Array>(all: T, lengths: Uint32Array): T[] {
  let end = 0
  return Array.from(lengths, (length) => {
    end += length
    return all.slice(end - length, end) as T
  })
}
