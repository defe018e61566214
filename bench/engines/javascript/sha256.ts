/**
 * SHA-256 of short texts modulo a number of buckets, by node:crypto or by a compression function in JavaScript. A
 * word or a pair nearly always fits one 64-byte block, and for one block the call into node:crypto takes twice as
 * long as the hash.
 * @module
 */
import { hash } from 'node:crypto'

/** What hashes texts of one block; longer ones always go to node:crypto. */
export type Sha256 = 'node:crypto' | 'javascript'

const ROUND = new Int32Array(64)
const START = new Int32Array(8)

// The constants are the first 32 bits of the fractional parts of the cube and square roots of the first primes.
{
  const fraction = (x: number): number => ((x - Math.floor(x)) * 2 ** 32) | 0
  const isPrime = (n: number): boolean => {
    for (let d = 2; d * d <= n; d++) if (n % d === 0) return false
    return true
  }
  for (let n = 2, i = 0; i < 64; n++) {
    if (!isPrime(n)) continue
    if (i < 8) START[i] = fraction(Math.sqrt(n))
    ROUND[i++] = fraction(Math.cbrt(n))
  }
}

/** Hashes one text at a time: `start`, `add` its pieces, `bucket`. */
export interface BucketHasher {
  start(): void
  add(text: string, from: number, to: number): void
  bucket(): number
}

/** The longest message that one block holds, in bytes. */
const ONE_BLOCK = 55

/** @param buckets - 1..2^32-1 */
export function bucketHasher(buckets: number, sha256: Sha256): BucketHasher {
  const own = sha256 === 'javascript'
  let bytes = new Uint8Array(256)
  let length = 0
  const w = new Int32Array(64)
  // 2^(16 i) mod buckets: sixteen products below 2^48 add up exactly, and one division is enough.
  const powers = new Float64Array(16)
  for (let i = 0, power = 1 % buckets; i < 16; i++, power = (power * 65536) % buckets) powers[i] = power

  const half = (word: number, place: number): number =>
    (word >>> 16) * (powers[2 * place + 1] as number) + (word & 0xffff) * (powers[2 * place] as number)

  function oneBlock(): number {
    bytes[length] = 0x80
    bytes.fill(0, length + 1, 62)
    for (let i = 0; i < 15; i++) {
      const at = i << 2
      w[i] =
        ((bytes[at] as number) << 24) |
        ((bytes[at + 1] as number) << 16) |
        ((bytes[at + 2] as number) << 8) |
        (bytes[at + 3] as number)
    }
    w[15] = length << 3
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15] as number
      const y = w[i - 2] as number
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
      w[i] = (((w[i - 16] as number) + s0) | 0) + (((w[i - 7] as number) + s1) | 0)
    }
    let a = START[0] as number
    let b = START[1] as number
    let c = START[2] as number
    let d = START[3] as number
    let e = START[4] as number
    let f = START[5] as number
    let g = START[6] as number
    let h = START[7] as number
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
      const choice = g ^ (e & (f ^ g))
      const t1 = (((((h + s1) | 0) + choice) | 0) + (((ROUND[i] as number) + (w[i] as number)) | 0)) | 0
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
      const majority = (a & b) | (c & (a | b))
      h = g
      g = f
      f = e
      e = (d + t1) | 0
      d = c
      c = b
      b = a
      a = (t1 + ((s0 + majority) | 0)) | 0
    }
    const sum =
      half((a + (START[0] as number)) | 0, 7) +
      half((b + (START[1] as number)) | 0, 6) +
      half((c + (START[2] as number)) | 0, 5) +
      half((d + (START[3] as number)) | 0, 4) +
      half((e + (START[4] as number)) | 0, 3) +
      half((f + (START[5] as number)) | 0, 2) +
      half((g + (START[6] as number)) | 0, 1) +
      half((h + (START[7] as number)) | 0, 0)
    return sum % buckets
  }

  function byCrypto(): number {
    const digest = hash('sha256', bytes.subarray(0, length), 'buffer')
    let sum = 0
    for (let i = 0; i < 8; i++) sum += half(digest.readInt32BE(4 * i), 7 - i)
    return sum % buckets
  }

  return {
    start() {
      length = 0
    },
    add(text, from, to) {
      if (length + 3 * (to - from) + 64 > bytes.length) {
        const larger = new Uint8Array(2 * (length + 3 * (to - from) + 64))
        larger.set(bytes.subarray(0, length))
        bytes = larger
      }
      for (let i = from; i < to; i++) {
        const unit = text.charCodeAt(i)
        if (unit < 0x80) {
          bytes[length++] = unit
        } else if (unit < 0x800) {
          bytes[length++] = 0xc0 | (unit >> 6)
          bytes[length++] = 0x80 | (unit & 63)
        } else {
          let code = unit
          if (unit >= 0xd800 && unit < 0xe000) {
            const next = i + 1 < to ? text.charCodeAt(i + 1) : 0
            code = 0xfffd
            if (unit < 0xdc00 && next >= 0xdc00 && next < 0xe000) {
              code = 0x10000 + ((unit - 0xd800) << 10) + (next - 0xdc00)
              i++
              bytes[length++] = 0xf0 | (code >> 18)
              bytes[length++] = 0x80 | ((code >> 12) & 63)
              bytes[length++] = 0x80 | ((code >> 6) & 63)
              bytes[length++] = 0x80 | (code & 63)
              continue
            }
          }
          bytes[length++] = 0xe0 | (code >> 12)
          bytes[length++] = 0x80 | ((code >> 6) & 63)
          bytes[length++] = 0x80 | (code & 63)
        }
      }
    },
    bucket() {
      return own && length <= ONE_BLOCK ? oneBlock() : byCrypto()
    },
  }
}
