/**
 * The two streams of the command: results go to stdout, all else to stderr.
 * @hidden
 * @module
 */
import { relative } from 'node:path'
import type { WriteStream } from 'node:tty'
import { formatCount } from '../format.js'

/** Messages of bad records that are shown; the rest is counted. */
const SHOWN_BAD = 10

/** Whether someone still reads stdout. */
let open = true

/**
 * A reader that stops early (`| head`) is no failure: the run goes on, what it prints is dropped. Results that
 * cannot be stored are one.
 */
export function tolerateClosedOutput(): void {
  process.stderr.on('error', () => {})
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    open = false
    if (error.code === 'EPIPE') return
    process.exitCode = 1
    tell(`standard output cannot be written: ${error.message}`)
  })
}

/** A line of the result. */
export function print(text: string): void {
  if (open) process.stdout.write(`${text.replaceAll('\u00a0', ' ')}\n`)
}

/** A line for the person who runs the command. */
export function tell(text: string): void {
  process.stderr.write(`tamis: ${text.replaceAll('\u00a0', ' ')}\n`)
}

/** Tells of the records that were passed over. */
export function tellSkipped(bad: readonly string[]): void {
  for (const message of bad.slice(0, SHOWN_BAD)) tell(`skipped: ${message}`)
  if (bad.length > SHOWN_BAD) tell(`skipped: and ${formatCount(bad.length - SHOWN_BAD)} more`)
}

/** A path as a person in this folder would write it. */
export function shorten(path: string): string {
  const short = relative('', path)
  return short === '' || short.startsWith('..') ? path : short
}

/** Bold on a terminal that shows it and where NO_COLOR is not set. */
export function bold(text: string): string {
  const stream = process.stdout as WriteStream
  return stream.isTTY && stream.hasColors() ? `\u001b[1m${text}\u001b[22m` : text
}

/** Rows of cells as lines; the columns are as wide as their widest cell, the last one is not padded. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  )
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] as number)))
      .join('  ')
      .trimEnd(),
  )
}
