/**
 * Numbers as people type them: `1e6`, `10k`, `64MB`, `10%`.
 * @hidden
 * @module
 */
import { InvalidArgumentError } from 'commander'

const NUMBER = /^(\d+(?:\.\d+)?(?:e\+?\d+)?)\s*([a-z]*)$/i

const THOUSANDS: Record<string, number> = { '': 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 }

const SIZES: Record<string, number> = {
  ...THOUSANDS,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
}

function parseWith(units: Record<string, number>, text: string): number {
  const [, digits, unit = ''] = NUMBER.exec(text.trim().replaceAll('_', '')) ?? []
  return Number(digits) * (units[unit.toLowerCase()] ?? Number.NaN)
}

/** A whole number of things from `least` on: `1000`, `1e6`, `10k`, `2.5M`, `1G`. */
export function parseCount(least: number, most: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = parseWith(THOUSANDS, text)
    if (Number.isSafeInteger(value) && value >= least && value <= most) return value
    const range = most === Number.MAX_SAFE_INTEGER ? `from ${least} on` : `from ${least} to ${most}`
    throw new InvalidArgumentError(`It must be a whole number ${range}, such as 5000, 1e6, 10k, 2.5M or 1G.`)
  }
}

/** A size in bytes: `1000000`, `64MB`, `64MiB`, `2G`. */
export function parseSize(text: string): number {
  const value = parseWith(SIZES, text)
  if (Number.isSafeInteger(value) && value >= 1) return value
  throw new InvalidArgumentError('It must be a number of bytes, such as 1e9, 500MB, 64MiB or 2G.')
}

/** A size in bytes, or 0 for none. */
export function parseRoom(text: string): number {
  return text.trim() === '0' ? 0 : parseSize(text)
}

/** A share above 0 and up to 1: `0.1`, `10%`. */
export function parseFraction(text: string): number {
  const [, digits, percent] = /^(\d*\.?\d+(?:e[+-]?\d+)?)\s*(%?)$/i.exec(text.trim()) ?? []
  const value = Number(digits) / (percent === '%' ? 100 : 1)
  if (value > 0 && value <= 1) return value
  throw new InvalidArgumentError('It must be above 0 and at most 1, such as 0.1 or 10%.')
}

/** A number that is not negative: `0.5`. */
export function parseAmount(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (value >= 0 && Number.isFinite(value)) return value
  throw new InvalidArgumentError('It must be a number that is not negative.')
}

/** An integer 0..2^64-1, all digits kept. */
export function parseSeed(text: string): string {
  if (/^\d{1,20}$/.test(text) && BigInt(text) < 2n ** 64n) return text
  throw new InvalidArgumentError('It must be an integer from 0 to 2^64-1.')
}

/** `1,2,1` */
export function parseProportions(text: string): number[] {
  return text.split(',').map(parseAmount)
}
