/**
 * How a command runs a model over files and tells of it.
 * @hidden
 * @module
 */
import type { FileProgress } from '../corpus/index.js'
import { addResume, stoppable } from './interrupts.js'
import { showProgress } from './progress.js'
import { print, tell } from './terminal.js'

/** What such commands are told beside the options of their function. */
export interface ModelRunOptions {
  threads?: number
  json?: boolean
  quiet?: boolean
}

/** Who listens to the call, and what stops it. */
export interface ModelRunHooks {
  signal: AbortSignal
  onProgress: (progress: FileProgress) => void
}

/** Calls a function on files, and prints what it did as a table or one JSON object. */
export async function runModel<T extends { bad: string[] }>(
  { threads, json, quiet = false }: ModelRunOptions,
  words: readonly string[],
  call: (hooks: ModelRunHooks) => Promise<T>,
  table: (done: T) => string[],
): Promise<void> {
  // Not before: the addon comes with it.
  if (threads !== undefined) (await import('../threads.js')).setThreads(threads)
  const progress = await showProgress(quiet)
  const onProgress = (told: FileProgress) =>
    progress.update(told.pass === 'fetch' ? { ...told, unit: 'file' } : told)
  const done = await stoppable(async (signal) => {
    try {
      return await call({ signal, onProgress })
    } finally {
      progress.stop()
    }
  }).catch((error: unknown) => {
    throw addResume(error, words)
  })
  if (!quiet) for (const message of done.bad) tell(`skipped: ${message}`)
  if (json) print(JSON.stringify(done))
  else if (!quiet) for (const line of table(done)) print(line)
}
