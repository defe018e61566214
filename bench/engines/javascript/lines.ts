/**
 * The lines of a file, through one large buffer.
 * @module
 */
import { closeSync, openSync, readSync } from 'node:fs'

/**
 * Calls `each` with every line that is not blank: its text, its place in the file and its length in bytes.
 * Memory: the buffer, which grows to the longest line.
 */
export function forEachLine(path: string, each: (line: string, offset: number, bytes: number) => void): void {
  const file = openSync(path, 'r')
  try {
    let buffer = Buffer.allocUnsafeSlow(1 << 22)
    let filled = 0
    let offset = 0
    for (;;) {
      const read = readSync(file, buffer, filled, buffer.length - filled, null)
      filled += read
      let start = 0
      for (;;) {
        let end = buffer.subarray(0, filled).indexOf(10, start)
        if (end < 0) {
          if (read > 0 || start === filled) break
          end = filled
        }
        const line = buffer.toString('utf8', start, end)
        if (line.trim() !== '') each(line, offset + start, end - start)
        start = Math.min(end + 1, filled)
      }
      if (read === 0) return
      buffer.copyWithin(0, start, filled)
      filled -= start
      offset += start
      if (filled === buffer.length) {
        const larger = Buffer.allocUnsafeSlow(2 * buffer.length)
        buffer.copy(larger)
        buffer = larger
      }
    }
  } finally {
    closeSync(file)
  }
}
