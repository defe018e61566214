/**
 * The thread budget that everything native in this process shares.
 * @module
 */
import { fromNative } from './errors.js'
import { native } from './native.js'
import { checkInteger } from './options.js'

/** More threads than this help nobody, and systems refuse them. */
const MOST = 1024

/**
 * Sets how many threads compute for this process, its workers included, from the next call on; what runs already
 * keeps what it has. Results do not depend on it.
 * @param count - 1..1024, or 0 for the default: the environment's `TAMIS_THREADS`, else `RAYON_NUM_THREADS`, else the
 * cores that the process may use
 * @throws TamisError `threads`
 * @example
 * import { setThreads } from 'tamis'
 * setThreads(2)
 */
export function setThreads(count: number): void {
  const checked = checkInteger('threads', count, 0, MOST)
  try {
    native.setThreads(checked)
  } catch (error) {
    throw fromNative(error)
  }
}

/**
 * How many threads compute for this process.
 * @example
 * import { threads } from 'tamis'
 * console.log(threads())
 */
export function threads(): number {
  return native.threads()
}
