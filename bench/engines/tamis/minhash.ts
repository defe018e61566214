/**
 * MinHash signatures.
 *
 *   tsx bench/engines/tamis/minhash.ts TEXTS.jsonl
 * @module
 */
import { readFileSync } from 'node:fs'
import { argv } from 'node:process'
import { kernels } from 'tamis'
import { timed } from '../timing.js'

const lines = readFileSync(argv[2] as string, 'utf8')
  .trimEnd()
  .split('\n')
const texts = lines.map((line) => (JSON.parse(line) as { text: string }).text)
await timed(() => kernels.minHashSync(texts))
