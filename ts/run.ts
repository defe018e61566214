/**
 * The two ways of calling an operation: a promise from the native threads, or at once.
 * @hidden
 * @module
 */
import { fromCall, TamisError } from './errors.js'
import { type NativeJob, native } from './native.js'
import { checkSignal } from './options.js'

/** What every promise takes. */
export interface Cancellable {
  /** Aborting it stops the work and rejects the promise with `ERR_TAMIS_ABORTED`. */
  signal?: AbortSignal | undefined
}

/** A call of the addon whose arguments are checked, and what is made of its result. */
export interface Operation<T, V> {
  /** Without a job at once; with one it copies what it needs before it returns a promise. */
  call: (job?: NativeJob) => T | Promise<T>
  finish: (value: T) => V
}

/**
 * Runs an operation off the event loop, with the options that it shares with its synchronous form and a signal.
 */
export async function promised<O extends object, T, V>(
  options: (O & Cancellable) | undefined,
  prepare: (options: O | undefined) => Operation<T, V>,
): Promise<V> {
  if (typeof options !== 'object' || options === null) return later(prepare(options))
  const { signal, ...others } = options
  return later(prepare(others as unknown as O), signal)
}

/** Runs an operation off the event loop. */
export async function later<T, V>({ call, finish }: Operation<T, V>, signal?: AbortSignal): Promise<V> {
  checkSignal(signal)
  if (signal?.aborted) throw aborted(signal)
  const job = new native.Job()
  const stop = () => job.stop()
  signal?.addEventListener('abort', stop, { once: true })
  try {
    const value = await call(job)
    if (signal?.aborted) throw aborted(signal)
    return finish(value)
  } catch (error) {
    if (signal?.aborted) throw aborted(signal)
    throw fromCall(error)
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}

function aborted(signal: AbortSignal): TamisError {
  return new TamisError('ERR_TAMIS_ABORTED', 'the operation was aborted', { cause: signal.reason })
}

/** Runs an operation at once. */
export function now<T, V>({ call, finish }: Operation<T, V>): V {
  try {
    return finish(call() as T)
  } catch (error) {
    throw fromCall(error)
  }
}

/** Calls the addon at once: what it throws is a `TamisError`. */
export function atOnce<T>(call: () => T): T {
  return now({ call, finish: (value) => value })
}
