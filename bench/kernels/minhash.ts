/**
 * MinHash signatures of real mail.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { readMail, writeJsonLines } from '../../scripts/spam-assassin.js'
import { javascriptEngine, tamisEngine } from '../engines/node.js'
import type { KernelEngine, KernelWorkload } from '../kernel-workload.js'
import { pythonEnvironment } from '../python.js'

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const DATA = path('../data/minhash.jsonl')
const PEAK = path('../../.cache/multiply-add')
const NGRAM = 13
const PERMUTATIONS = 128
/** Of so many documents a slow engine gets one. */
const EVERY = 10

const python = pythonEnvironment('minhash')

/** Shingles of every document, as they are counted with repetitions. */
function shingles(): number[] {
  const lines = readFileSync(DATA, 'utf8').trimEnd().split('\n')
  return lines.map((line) => {
    const { length } = [...(JSON.parse(line) as { clean: string }).clean]
    return length === 0 ? 0 : Math.max(1, length - NGRAM + 1)
  })
}

const sum = (values: readonly number[]): number => values.reduce((all, n) => all + n, 0)

/** The share of the shingles that is in every n-th document. */
function partOf(every: number): number {
  const all = shingles()
  return sum(all.filter((_, i) => i % every === 0)) / sum(all)
}

/** An engine that is given every n-th document; its share is known once the data are there. */
function given(every: number, engine: KernelEngine): KernelEngine {
  return {
    ...engine,
    get part() {
      return partOf(every)
    },
  }
}

function rival(name: string, about: string, every: number): KernelEngine {
  return given(every, {
    name,
    about,
    threads: [1, 2],
    setUp: python.setUp,
    version: () => python.version(name),
    command: (threads) =>
      python.command(`minhash-${name}.py`, [DATA, String(every)], threads, {
        RAYON_NUM_THREADS: String(threads),
      }),
  })
}

export const workload: KernelWorkload = {
  name: 'minhash',
  about:
    `\`kernels.minHash\`, ${NGRAM}-character shingles, ${PERMUTATIONS} permutations, the 6,046 messages of the SpamAssassin ` +
    'corpus (21 MB). tamis cleans the texts itself; the others are given clean texts and cut the shingles.',
  bars: [
    { rival: 'rensa', atLeast: 10 },
    { rival: 'datasketch', atLeast: 40 },
    { rival: 'minhash', atLeast: 100 },
  ],
  limit: {
    own: '32-bit integer multiply-adds',
    atLeast: 0.5,
    get units() {
      return sum(shingles()) * PERMUTATIONS
    },
    command(threads) {
      if (!existsSync(PEAK)) {
        mkdirSync(path('../../.cache'), { recursive: true })
        const source = path('../engines/native/multiply-add.rs')
        execFileSync('rustc', ['-O', '--edition=2024', '-o', PEAK, source], { stdio: 'inherit' })
      }
      return { file: PEAK, args: [String(threads)], env: {} }
    },
  },
  setUp() {
    if (existsSync(DATA)) return
    const clean = (text: string) =>
      text
        .toLowerCase()
        .replace(/[!-/:-@[-`{-~]/g, '')
        .replace(/\s+/g, ' ')
        .trim()
    writeJsonLines(
      DATA,
      readMail().map(({ text }) => ({ text, clean: clean(text) })),
    )
  },
  engines: [
    tamisEngine('`kernels.minHashSync`, from an array of strings', 'minhash.ts', [DATA]),
    rival(
      'rensa',
      '`RMinHash.digest_matrix_from_token_sets` of all documents at once; a tenth of the documents',
      EVERY,
    ),
    rival(
      'datasketch',
      '`MinHash.update_batch` with xxHash in place of SHA-1; a tenth of the documents',
      EVERY,
    ),
    given(
      10 * EVERY,
      javascriptEngine(
        'the npm package: `Minhash.update` of every shingle; a hundredth of the documents',
        'minhash-npm.ts',
        [DATA, String(10 * EVERY)],
        { name: 'minhash', version: () => `minhash 0.0.9, Node.js ${process.version}` },
      ),
    ),
    given(
      EVERY,
      javascriptEngine(
        'shingles hashed by Murmur3 over UTF-16 units, `Math.imul` over typed arrays; a tenth of the documents',
        'minhash.ts',
        [DATA, String(EVERY)],
      ),
    ),
  ],
}
