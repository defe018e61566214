/**
 * Hashed n-grams of texts that lie in memory.
 * @module
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { javascriptEngine, tamisEngine } from '../engines/node.js'
import type { KernelWorkload } from '../kernel-workload.js'
import { pythonEnvironment } from '../python.js'
import { workload as mail } from '../workloads/dsir.js'

const MEGABYTES = 20
const file = (name: string): string => fileURLToPath(new URL(`../data/${name}`, import.meta.url))
const DATA = file('hash-ngrams.jsonl')

const learn = pythonEnvironment('scikit-learn')

export const workload: KernelWorkload = {
  name: 'hash-ngrams',
  about: `\`kernels.hashNgrams\`, words and pairs in 10,000 buckets, ${MEGABYTES} MB of mail (one word in eight replaced).`,
  bars: [
    { rival: 'scikit-learn', atLeast: 8 },
    { rival: 'javascript', atLeast: 6 },
  ],
  setUp() {
    if (!existsSync(DATA)) mail.generate(DATA, file('hash-ngrams-target.jsonl'), MEGABYTES)
  },
  engines: [
    tamisEngine('`kernels.hashNgramsSync`, from an array of strings', 'hash-ngrams.ts', [DATA]),
    {
      name: 'scikit-learn',
      about:
        '`HashingVectorizer(ngram_range=(1, 2))` with the same tokens and its own hash (MurmurHash3), counts without ' +
        'signs and norm; it has one thread',
      threads: [1],
      setUp: learn.setUp,
      version: () => learn.version('scikit-learn', 'numpy'),
      command: (threads) => learn.command('hash-ngrams.py', [DATA], threads),
    },
    javascriptEngine(
      'one pass over code units, word and pair tables in typed arrays, SHA-256 in JavaScript',
      'hash-ngrams.ts',
      [DATA],
    ),
  ],
}
