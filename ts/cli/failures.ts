/**
 * How the command ends when something is wrong: one line on stderr, and an exit status that says what kind it was.
 * @hidden
 * @module
 */
import { CommanderError } from 'commander'
import { TamisError } from '../errors.js'
import { print, tell } from './terminal.js'

/** What each exit status means; the help prints it. */
export const EXIT_STATUS: readonly (readonly [number, string])[] = [
  [0, 'done'],
  [1, 'the run failed: a file, a record, the disk, the machine'],
  [2, 'the command line is wrong, or its options do not fit the data or an existing output'],
  [130, 'stopped by SIGINT (Ctrl-C)'],
  [143, 'stopped by SIGTERM'],
]

/** A command line that cannot be run. */
export class UsageError extends Error {
  readonly code = 'ERR_TAMIS_USAGE'
}

/** A run that a signal stopped. */
export class Stopped extends Error {
  readonly code = 'ERR_TAMIS_ABORTED'
  readonly signal: 'SIGINT' | 'SIGTERM'

  constructor(signal: 'SIGINT' | 'SIGTERM', message: string) {
    super(message)
    this.signal = signal
  }
}

/** Codes of errors that lie in what was asked for, not in the run. */
const ASKED: readonly string[] = ['ERR_TAMIS_USAGE', 'ERR_TAMIS_RANGE', 'ERR_TAMIS_TYPE', 'ERR_TAMIS_SHAPE']

/** The exit status of an error. */
export function exitStatus(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof Stopped) return error.signal === 'SIGINT' ? 130 : 143
  if (error instanceof UsageError || error instanceof TamisError) return ASKED.includes(error.code) ? 2 : 1
  return 1
}

/** The same error, with the command line that goes on from what the run left. */
export function withResume(error: Error, command: string): Error {
  return Object.assign(error, { resume: command })
}

/** Says what went wrong, on stderr and, where a program listens, as JSON on stdout. */
export function explain(error: unknown, json: boolean): void {
  const message = (error instanceof Error ? error.message : String(error)).replace(/\s*\n\s*/g, ' ')
  const { code, resume } = error as { code?: string; resume?: string }
  const known = error instanceof TamisError || error instanceof UsageError || error instanceof Stopped
  const usage = error instanceof CommanderError
  // The parser has told its own errors.
  if (!usage) tell(message)
  if (resume !== undefined) tell(`to go on: ${resume}`)
  if (process.env.TAMIS_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`)
  if (json) {
    const told = usage ? 'ERR_TAMIS_USAGE' : known ? code : 'ERR_TAMIS_INTERNAL'
    print(JSON.stringify({ error: { code: told, message: message.replace(/^error: /, ''), resume } }))
  }
}
