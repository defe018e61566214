/**
 * MinHash signatures in plain JavaScript.
 *
 *   tsx bench/engines/javascript/minhash.ts TEXTS.jsonl EVERY
 * @module
 */
import { readFileSync } from 'node:fs'
import { argv } from 'node:process'
import { timed } from '../timing.js'

const NGRAM = 13
const PERMUTATIONS = 128

const every = Number(argv[3])
const lines = readFileSync(argv[2] as string, 'utf8')
  .trimEnd()
  .split('\n')
const texts = lines
  .filter((_, i) => i % every === 0)
  .map((line) => (JSON.parse(line) as { clean: string }).clean)

let state = 1
const draw = (): number => {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return state >>> 0
}
const multipliers = Int32Array.from({ length: PERMUTATIONS }, () => draw() | 1)
const addends = Int32Array.from({ length: PERMUTATIONS }, draw)

/** Murmur3 of the code units of a shingle. */
function hash(units: Uint16Array, from: number, length: number): number {
  let h = length
  for (let i = 0; i < length; i++) {
    let k = Math.imul(units[from + i] as number, 0xcc9e2d51)
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593)
    h ^= k
    h = (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

function sign(): Uint32Array {
  const signatures = new Uint32Array(texts.length * PERMUTATIONS).fill(0xffffffff)
  let units = new Uint16Array(1 << 16)
  for (const [t, text] of texts.entries()) {
    if (text.length > units.length) units = new Uint16Array(2 * text.length)
    for (let i = 0; i < text.length; i++) units[i] = text.charCodeAt(i)
    const width = Math.min(NGRAM, text.length)
    const row = signatures.subarray(t * PERMUTATIONS, (t + 1) * PERMUTATIONS)
    for (let i = 0; i + width <= text.length && width > 0; i++) {
      const x = hash(units, i, width)
      for (let k = 0; k < PERMUTATIONS; k++) {
        const value = (Math.imul(x, multipliers[k] as number) + (addends[k] as number)) >>> 0
        if (value < (row[k] as number)) row[k] = value
      }
    }
  }
  return signatures
}

await timed(sign, { repetitions: 2 })
