/**
 * Seeded data for workloads: the same bytes on every machine.
 * @module
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs'

/** Uniform numbers in [0, 1) of 32 bits: a Weyl sequence through the finaliser of MurmurHash3. */
export function randomNumbers(seed: number): () => number {
  let state = Math.imul(seed, 0x85ebca6b)
  return () => {
    state = (state + 0x9e3779b9) | 0
    let x = state ^ (state >>> 16)
    x = Math.imul(x, 0x85ebca6b)
    x ^= x >>> 13
    x = Math.imul(x, 0xc2b2ae35)
    x ^= x >>> 16
    return (x >>> 0) / 2 ** 32
  }
}

/** A word of `least` to `most` letters a..z. */
export function randomWord(random: () => number, least: number, most: number): string {
  const codes = Array.from({ length: least + Math.floor(random() * (most - least + 1)) }, () =>
    Math.floor(97 + random() * 26),
  )
  return String.fromCharCode(...codes)
}

/** Records as JSONL until the file has `megabytes` (of 10^6 bytes). Returns how many. */
export function writeRecords(path: string, megabytes: number, records: () => Iterable<object>): number {
  const file = openSync(path, 'w')
  let count = 0
  let pending: string[] = []
  let left = megabytes * 1e6
  let waiting = 0
  const flush = (): void => {
    writeSync(file, pending.join(''))
    pending = []
    waiting = 0
  }
  try {
    for (const record of records()) {
      const line = `${JSON.stringify(record)}\n`
      pending.push(line)
      const bytes = Buffer.byteLength(line)
      left -= bytes
      waiting += bytes
      count++
      if (waiting > 1 << 22) flush()
      if (left <= 0) break
    }
    flush()
  } finally {
    closeSync(file)
  }
  return count
}

/** Lines and bytes of a file that ends with a line feed. */
export function countLines(path: string): { lines: number; bytes: number } {
  let lines = 0
  let bytes = 0
  eachChunk(path, (chunk) => {
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++
    bytes += chunk.length
    return true
  })
  return { lines, bytes }
}

/** Copies the first lines, until `megabytes` are reached. */
export function takeLines(from: string, to: string, megabytes: number): void {
  const file = openSync(to, 'w')
  let left = megabytes * 1e6
  try {
    eachChunk(from, (chunk) => {
      const last = chunk.length < left ? -1 : chunk.indexOf(10, left)
      writeSync(file, last < 0 ? chunk : chunk.subarray(0, last + 1))
      left = Math.max(0, left - chunk.length)
      return last < 0
    })
  } finally {
    closeSync(file)
  }
}

function eachChunk(path: string, each: (chunk: Buffer) => boolean): void {
  const file = openSync(path, 'r')
  const buffer = Buffer.allocUnsafeSlow(1 << 22)
  try {
    for (;;) {
      const read = readSync(file, buffer)
      if (read === 0 || !each(buffer.subarray(0, read))) return
    }
  } finally {
    closeSync(file)
  }
}
