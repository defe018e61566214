/**
 * An update made ternary in plain JavaScript and written as two masks of bits.
 *
 *   tsx bench/engines/javascript/ternarize.ts N FILE
 * @module
 */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { argv } from 'node:process'
import { timed } from '../timing.js'
import { update } from '../update.js'

const [n, path] = [Number(argv[2]), `${argv[3]}-javascript`]
const x = update(n)
const bits = new Int32Array(x.buffer)

/** The bits of the keep-th largest magnitude, by histograms of 16 and 15 bits. */
function threshold(keep: number): number {
  const walk = (counts: Uint32Array, wanted: number): [number, number] => {
    let digit = counts.length - 1
    for (; (counts[digit] as number) < wanted; digit--) wanted -= counts[digit] as number
    return [digit, wanted]
  }
  const high = new Uint32Array(1 << 16)
  for (let i = 0; i < n; i++) {
    const digit = ((bits[i] as number) & 0x7fffffff) >> 15
    high[digit] = (high[digit] as number) + 1
  }
  const [first, wanted] = walk(high, keep)
  const low = new Uint32Array(1 << 15)
  for (let i = 0; i < n; i++) {
    const magnitude = (bits[i] as number) & 0x7fffffff
    if (magnitude >> 15 === first) low[magnitude & 0x7fff] = (low[magnitude & 0x7fff] as number) + 1
  }
  return (first << 15) | walk(low, wanted)[0]
}

function work(): number {
  const least = threshold(Math.max(1, Math.floor(0.05 * n + 1e-6)))
  let sum = 0
  for (let i = 0; i < n; i++) sum += x[i] as number
  const mean = sum / n
  let squares = 0
  for (let i = 0; i < n; i++) squares += ((x[i] as number) - mean) ** 2
  const masks = [new Uint8Array(Math.ceil(n / 8)), new Uint8Array(Math.ceil(n / 8))]
  const [positive, negative] = masks as [Uint8Array, Uint8Array]
  for (let i = 0; i < n; i++) {
    const item = bits[i] as number
    if ((item & 0x7fffffff) < least) continue
    const mask = item < 0 ? negative : positive
    mask[i >> 3] = (mask[i >> 3] as number) | (1 << (i & 7))
  }
  const scale = Math.fround(Math.sqrt(squares / (n - 1)))
  const out = openSync(path, 'w')
  for (const data of [Float32Array.of(scale), ...masks]) writeSync(out, data)
  fsyncSync(out)
  closeSync(out)
  return scale
}

await timed(work, { repetitions: 3, check: (scale) => scale })
