/**
 * SIGINT and SIGTERM: the first one stops the run and lets it clean up, the second one ends the process at once.
 * @hidden
 * @module
 */
import { TamisError } from '../errors.js'
import { Stopped, withResume } from './failures.js'

const STATUS = { SIGINT: 130, SIGTERM: 143 } as const

/** Runs `body` with a signal that the first interrupt aborts; what then fails is a {@link Stopped}. */
export async function stoppable<T>(body: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  let received: keyof typeof STATUS | undefined
  const stop = (name: NodeJS.Signals) => {
    const known = name as keyof typeof STATUS
    if (received) process.exit(STATUS[known])
    received = known
    controller.abort(new Error(`stopped by ${name}`))
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  try {
    return await body(controller.signal)
  } catch (error) {
    const { code, message } = error as { code?: string; message: string }
    if (received && code === 'ERR_TAMIS_ABORTED') throw new Stopped(received, message)
    throw error
  } finally {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}

/** The command line that ran, ready to be pasted into a shell. */
export function quoteCommand(words: readonly string[]): string {
  const quote = (word: string) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
  return ['tamis', ...words.map(quote)].join(' ')
}

/** Adds the command that goes on from what an ended run left, if it left something. */
export function addResume(error: unknown, words: readonly string[]): unknown {
  const ended = error instanceof Stopped || error instanceof TamisError
  if (!ended || !error.message.includes('(--resume)')) return error
  return withResume(error, quoteCommand(words.includes('--resume') ? words : [...words, '--resume']))
}
