/**
 * MinHash signatures by the npm package `minhash`.
 *
 *   tsx bench/engines/javascript/minhash-npm.ts TEXTS.jsonl EVERY
 * @module
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { argv } from 'node:process'
import { timed } from '../timing.js'

interface Signature {
  update(shingle: string): void
}
const { Minhash } = createRequire(import.meta.url)('minhash') as {
  Minhash: new (options: { numPerm: number; seed: number }) => Signature
}

const NGRAM = 13
const every = Number(argv[3])
const lines = readFileSync(argv[2] as string, 'utf8')
  .trimEnd()
  .split('\n')
const texts = lines
  .filter((_, i) => i % every === 0)
  .map((line) => (JSON.parse(line) as { clean: string }).clean)

function sign(): Signature[] {
  return texts.map((text) => {
    const signature = new Minhash({ numPerm: 128, seed: 1 })
    const shingles = new Set<string>()
    for (let i = 0; i + NGRAM <= text.length; i++) shingles.add(text.slice(i, i + NGRAM))
    for (const shingle of shingles) signature.update(shingle)
    return signature
  })
}

await timed(sign, { repetitions: 2 })
