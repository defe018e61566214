/**
 * The checks that every public function makes of its arguments before anything native runs.
 *
 * Each says in its message the argument's name, what it wants and what it got, and returns the checked value.
 * @hidden
 * @module
 */
import { TamisError, type TamisErrorCode } from './errors.js'

/** A seed: an integer 0..2^64-1 as a safe integer, a bigint or a decimal string. */
export type Seed = number | bigint | string

/** A value as a message shows it: short, and never the contents of a document. */
export function show(value: unknown): string {
  if (typeof value === 'string')
    return value.length > 40 ? `a string of length ${value.length}` : JSON.stringify(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) {
    const short =
      value.length <= 8 && value.every((item) => typeof item !== 'object' && typeof item !== 'function')
    return short ? `[${value.map(show).join(', ')}]` : `an array of length ${value.length}`
  }
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${value.byteLength} bytes`
  if (typeof value === 'object' && value !== null)
    return `an object (${value.constructor?.name ?? 'no prototype'})`
  return String(value)
}

function wants(code: TamisErrorCode, name: string, want: string, got: unknown): TamisError {
  return new TamisError(code, `${name} must be ${want}, got ${show(got)}`)
}

/**
 * An options object with none but known names; `undefined` is an empty one.
 * @param known - every name that the function understands
 */
export function checkOptions<T extends object>(
  name: string,
  options: T | undefined,
  known: readonly (keyof T & string)[],
): T {
  if (options === undefined) return {} as T
  if (
    typeof options !== 'object' ||
    options === null ||
    Array.isArray(options) ||
    ArrayBuffer.isView(options)
  ) {
    throw wants('ERR_TAMIS_TYPE', name, 'an object', options)
  }
  for (const key of Object.keys(options)) {
    if ((known as readonly string[]).includes(key)) continue
    const near = nearest(key, known)
    throw new TamisError(
      'ERR_TAMIS_TYPE',
      `${name}: unknown option "${key}"${near ? `, did you mean "${near}"?` : ''} (known: ${known.join(', ')})`,
    )
  }
  return options
}

/** The known name that a mistyped one most likely stands for: at most a third of its letters away. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let least = Math.floor(name.length / 3) + 1
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < least) [best, least] = [candidate, distance]
  }
  return best
}

/** The least number of letters to put in, take out, change, or swap with the next one. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const change = at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swap = swapped ? at(before, j - 2) + 1 : Infinity
      row.push(Math.min(change, swap, at(last, j) + 1, at(row, j - 1) + 1))
    }
    before = last
    last = row
  }
  return at(last, b.length)
}

function at(row: readonly number[], j: number): number {
  return row[j] ?? Infinity
}

/** An integer in `min..max`, both allowed. */
export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  const want = `an integer from ${min} to ${max}`
  if (typeof value !== 'number') throw wants('ERR_TAMIS_TYPE', name, want, value)
  if (!Number.isInteger(value) || value < min || value > max)
    throw wants('ERR_TAMIS_RANGE', name, want, value)
  return value
}

/** How many: an integer that fits a uint32, which is what indices are. */
export function checkCount(name: string, value: unknown, min = 0): number {
  return checkInteger(name, value, min, 2 ** 32 - 1)
}

/** A number that must be at least 1 and whole, of something that may be more than a uint32 holds. */
export function checkPositiveInteger(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value
  throw wants('ERR_TAMIS_RANGE', name, 'a positive integer', value)
}

/** The range of a {@link checkNumber}: `min` and `max` may be met, `above` and `below` may not. */
export interface NumberRange {
  min?: number
  max?: number
  above?: number
  below?: number
}

/** A finite number in the range. */
export function checkNumber(name: string, value: unknown, range: NumberRange = {}): number {
  const { min = -Infinity, max = Infinity, above = -Infinity, below = Infinity } = range
  const bounds = [
    min > -Infinity && `>= ${min}`,
    above > -Infinity && `> ${above}`,
    max < Infinity && `<= ${max}`,
    below < Infinity && `< ${below}`,
  ]
  const want = ['a finite number', bounds.filter(Boolean).join(' and ')].filter(Boolean).join(' ')
  if (typeof value !== 'number') throw wants('ERR_TAMIS_TYPE', name, want, value)
  if (!Number.isFinite(value) || value < min || value > max || value <= above || value >= below) {
    throw wants('ERR_TAMIS_RANGE', name, want, value)
  }
  return value
}

/** One of the listed words. */
export function checkOneOf<const T extends string>(name: string, value: unknown, list: readonly T[]): T {
  if ((list as readonly unknown[]).includes(value)) return value as T
  const code = typeof value === 'string' ? 'ERR_TAMIS_RANGE' : 'ERR_TAMIS_TYPE'
  throw wants(code, name, list.map((word) => `'${word}'`).join(' or '), value)
}

/** `true` or `false`, or `undefined` for the default. */
export function checkBoolean(name: string, value: unknown, otherwise: boolean): boolean {
  if (value === undefined) return otherwise
  if (typeof value === 'boolean') return value
  throw wants('ERR_TAMIS_TYPE', name, 'true or false', value)
}

/** An `AbortSignal`, or none. */
export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal
  throw wants('ERR_TAMIS_TYPE', 'signal', 'an AbortSignal', signal)
}

/** A {@link Seed} as 64 bits; default 0. */
export function parseSeed(seed: unknown): bigint {
  const value = seed === undefined ? 0n : asBigInt(seed)
  if (value !== undefined && value >= 0n && value < 1n << 64n) return value
  const want = 'an integer from 0 to 2^64-1 (a safe integer, a bigint or a decimal string)'
  throw wants('ERR_TAMIS_RANGE', 'seed', want, seed)
}

function asBigInt(seed: unknown): bigint | undefined {
  if (typeof seed === 'bigint') return seed
  if (typeof seed === 'number') return Number.isSafeInteger(seed) ? BigInt(seed) : undefined
  return typeof seed === 'string' && /^[0-9]{1,20}$/.test(seed) ? BigInt(seed) : undefined
}

/** A stream number 0..2^32-1; default 0. */
export function parseStream(stream: unknown): number {
  return stream === undefined ? 0 : checkCount('stream', stream)
}

/** What always fits, so that small calls need not ask. */
const SMALL = 2 ** 28

/** Refuses what this machine has no room for, before the operating system ends the process over it. */
export function checkMemory(name: string, bytes: number): void {
  if (bytes <= SMALL) return
  const free = process.availableMemory()
  if (bytes <= free) return
  const gigabytes = (n: number) => `${(n / 1e9).toFixed(1)} GB`
  throw new TamisError(
    'ERR_TAMIS_RANGE',
    `${name} is too large: it needs ${gigabytes(bytes)} of memory, and ${gigabytes(free)} are free`,
  )
}
