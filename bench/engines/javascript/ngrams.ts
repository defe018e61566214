/**
 * Hashed words and word pairs in plain JavaScript, as fast as it goes: the text is cut in one loop over its code
 * units, and SHA-256 runs only for words and pairs that two exact, bounded tables have not seen.
 * @module
 */
import { bucketHasher, type Sha256 } from './sha256.js'

/** Words longer than this many code units are hashed each time: they hardly ever come twice. */
const LONGEST = 64
/** Slots of each table. Half full, the pairs are dropped at once, the words (and the pairs of them) after the text. */
const SLOTS = 1 << 21
const FULL = SLOTS / 2
/** Code units that the words of the table may take. */
const ARENA = 1 << 23

const SPACE = 0
const WORD = 1
const OTHER = 2
const UNKNOWN = 3

/** First and last code points of what separates tokens. */
const SPACES = [
  [0x09, 0x0d],
  [0x1c, 0x20],
  [0x85, 0x85],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
] as const
const wordCharacter = /[\p{L}\p{N}_]/u

const classes = new Uint8Array(0x110000).fill(UNKNOWN)

function classify(codePoint: number): number {
  const space = SPACES.some(([first, last]) => first <= codePoint && codePoint <= last)
  const found = space ? SPACE : wordCharacter.test(String.fromCodePoint(codePoint)) ? WORD : OTHER
  classes[codePoint] = found
  return found
}

for (let unit = 0; unit < 0x10000; unit++) classify(unit)
for (let unit = 0xd800; unit < 0xdc00; unit++) classes[unit] = UNKNOWN

/** Tokens and features of the text that was scanned last, and how the tables did. */
export interface Scan {
  tokens: number
  /** The bucket of each n-gram, by the token where it ends, words before pairs. */
  buckets: Uint32Array
  features: number
  wordHits: number
  wordMisses: number
  pairHits: number
  pairMisses: number
}

/**
 * A scanner of words and pairs into `buckets` buckets.
 * @returns a function that fills in one {@link Scan}, the same object each time
 */
export function ngramScanner(buckets: number, sha256: Sha256): (text: string) => Scan {
  const hasher = bucketHasher(buckets, sha256)
  // A slot of the word table: hash, start in the arena, length (0: empty), bucket. Its number is the word's id.
  const words = new Int32Array(SLOTS * 4)
  const arena = new Uint16Array(ARENA)
  let arenaUsed = 0
  let wordCount = 0
  // A slot of the pair table: first id + 1 (0: empty), second id, bucket.
  const pairs = new Int32Array(SLOTS * 4)
  let pairCount = 0
  const scan: Scan = {
    tokens: 0,
    buckets: new Uint32Array(1 << 16),
    features: 0,
    wordHits: 0,
    wordMisses: 0,
    pairHits: 0,
    pairMisses: 0,
  }

  function drop(): void {
    words.fill(0)
    arenaUsed = 0
    wordCount = 0
    pairs.fill(0)
    pairCount = 0
  }

  /** The slot of a word that the table may not have yet. */
  function wordSlot(text: string, start: number, end: number, hash: number): number {
    const length = end - start
    let slot = (hash ^ (hash >>> 15)) & (SLOTS - 1)
    for (;;) {
      const at = slot << 2
      const known = words[at + 2] as number
      if (known === 0) break
      if (known === length && words[at] === hash) {
        let i = words[at + 1] as number
        let j = start
        while (j < end && arena[i] === text.charCodeAt(j)) {
          i++
          j++
        }
        if (j === end) {
          scan.wordHits++
          return slot
        }
      }
      slot = (slot + 1) & (SLOTS - 1)
    }
    scan.wordMisses++
    const at = slot << 2
    words[at] = hash
    words[at + 1] = arenaUsed
    words[at + 2] = length
    for (let j = start; j < end; j++) arena[arenaUsed++] = text.charCodeAt(j)
    hasher.start()
    hasher.add(text, start, end)
    words[at + 3] = hasher.bucket()
    wordCount++
    return slot
  }

  function pairBucket(
    text: string,
    first: number,
    second: number,
    start0: number,
    end0: number,
    start1: number,
    end1: number,
  ): number {
    let hash = Math.imul(first, 0x9e3779b1) ^ Math.imul(second, 0x85ebca6b)
    hash ^= hash >>> 15
    let slot = hash & (SLOTS - 1)
    for (;;) {
      const at = slot << 2
      const known = pairs[at] as number
      if (known === 0) break
      if (known === first + 1 && pairs[at + 1] === second) {
        scan.pairHits++
        return pairs[at + 2] as number
      }
      slot = (slot + 1) & (SLOTS - 1)
    }
    scan.pairMisses++
    const bucket = hashPair(text, start0, end0, start1, end1)
    if (pairCount === FULL) {
      pairs.fill(0)
      pairCount = 0
      slot = hash & (SLOTS - 1)
    }
    const at = slot << 2
    pairs[at] = first + 1
    pairs[at + 1] = second
    pairs[at + 2] = bucket
    pairCount++
    return bucket
  }

  function hashPair(text: string, start0: number, end0: number, start1: number, end1: number): number {
    hasher.start()
    hasher.add(text, start0, end0)
    hasher.add(' ', 0, 1)
    hasher.add(text, start1, end1)
    return hasher.bucket()
  }

  return function scanText(input) {
    const text = input.toLowerCase()
    const length = text.length
    if (scan.buckets.length < 2 * length) scan.buckets = new Uint32Array(2 * length)
    if (wordCount === FULL || arenaUsed + LONGEST > ARENA) drop()
    const out = scan.buckets
    let features = 0
    let tokens = 0
    let before = -1 // The id of the token before, -1 where it has none.
    let before0 = 0
    let before1 = 0
    let at = 0
    while (at < length) {
      const start = at
      let unit = text.charCodeAt(at)
      let kind = classes[unit] as number
      let wide = 1
      if (kind === UNKNOWN) {
        const code = text.codePointAt(at) as number
        wide = code > 0xffff ? 2 : 1
        kind = wide === 2 ? classOf(code) : OTHER
      }
      at += wide
      if (kind === SPACE) continue
      let hash = wide === 1 ? unit : Math.imul(unit, 0x01000193) ^ text.charCodeAt(start + 1)
      while (at < length) {
        unit = text.charCodeAt(at)
        const next = classes[unit] as number
        if (next === kind) {
          hash = Math.imul(hash, 0x01000193) ^ unit
          at++
          continue
        }
        if (next !== UNKNOWN) break
        const code = text.codePointAt(at) as number
        if ((code > 0xffff ? classOf(code) : OTHER) !== kind) break
        hash = Math.imul(hash, 0x01000193) ^ unit
        at++
        if (code > 0xffff) hash = Math.imul(hash, 0x01000193) ^ text.charCodeAt(at++)
      }
      let id = -1
      if (at - start <= LONGEST && wordCount < FULL && arenaUsed + LONGEST <= ARENA) {
        id = wordSlot(text, start, at, hash)
        out[features++] = words[(id << 2) + 3] as number
      } else {
        hasher.start()
        hasher.add(text, start, at)
        out[features++] = hasher.bucket()
      }
      if (tokens > 0) {
        out[features++] =
          id < 0 || before < 0
            ? hashPair(text, before0, before1, start, at)
            : pairBucket(text, before, id, before0, before1, start, at)
      }
      before = id
      before0 = start
      before1 = at
      tokens++
    }
    scan.tokens = tokens
    scan.features = features
    return scan
  }
}

function classOf(codePoint: number): number {
  const known = classes[codePoint] as number
  return known === UNKNOWN ? classify(codePoint) : known
}
