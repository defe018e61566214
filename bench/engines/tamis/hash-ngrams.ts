/**
 * Hashed n-grams.
 *
 *   tsx bench/engines/tamis/hash-ngrams.ts TEXTS.jsonl
 * @module
 */
import { readFileSync } from 'node:fs'
import { argv } from 'node:process'
import { kernels } from 'tamis'
import { digest, timed } from '../timing.js'

const lines = readFileSync(argv[2] as string, 'utf8')
  .trimEnd()
  .split('\n')
const texts = lines.map((line) => (JSON.parse(line) as { text: string }).text)
await timed(() => kernels.hashNgramsSync(texts), { check: ({ buckets }) => digest(buckets.data) })
