/**
 * Hashed n-grams in plain JavaScript: sparse rows of sorted buckets and their counts.
 *
 *   tsx bench/engines/javascript/hash-ngrams.ts TEXTS.jsonl
 * @module
 */
import { readFileSync } from 'node:fs'
import { argv } from 'node:process'
import { digest, timed } from '../timing.js'
import { ngramScanner } from './ngrams.js'

const BUCKETS = 10_000

const lines = readFileSync(argv[2] as string, 'utf8')
  .trimEnd()
  .split('\n')
const texts = lines.map((line) => (JSON.parse(line) as { text: string }).text)

interface Rows {
  offsets: Uint32Array
  buckets: Uint32Array
  counts: Uint32Array
}

function hash(): Rows {
  const scan = ngramScanner(BUCKETS, 'javascript')
  const offsets = new Uint32Array(texts.length + 1)
  let buckets = new Uint32Array(1 << 20)
  let counts = new Uint32Array(1 << 20)
  const seen = new Uint32Array(BUCKETS)
  const touched = new Uint32Array(BUCKETS)
  let used = 0
  for (const [i, text] of texts.entries()) {
    const row = scan(text)
    let distinct = 0
    for (let f = 0; f < row.features; f++) {
      const bucket = row.buckets[f] as number
      const before = seen[bucket] as number
      seen[bucket] = before + 1
      if (before === 0) touched[distinct++] = bucket
    }
    if (used + distinct > buckets.length) {
      buckets = grown(buckets)
      counts = grown(counts)
    }
    touched.subarray(0, distinct).sort()
    for (let d = 0; d < distinct; d++) {
      const bucket = touched[d] as number
      buckets[used] = bucket
      counts[used++] = seen[bucket] as number
      seen[bucket] = 0
    }
    offsets[i + 1] = used
  }
  return { offsets, buckets: buckets.subarray(0, used), counts: counts.subarray(0, used) }
}

function grown(array: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(2 * array.length)
  larger.set(array)
  return larger
}

await timed(hash, { repetitions: 2, check: ({ buckets }) => digest(buckets) })
