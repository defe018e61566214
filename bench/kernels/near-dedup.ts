/**
 * Near duplicates of a gigabyte of JSON lines: the whole job, from files to files.
 * @module
 */
import { existsSync, mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { tamisEngine } from '../engines/node.js'
import { randomNumbers, randomWord, writeRecords } from '../generate.js'
import type { KernelWorkload } from '../kernel-workload.js'
import { pythonEnvironment } from '../python.js'

const folder = (megabytes: number): string =>
  fileURLToPath(new URL(`../data/near-dedup-${megabytes}`, import.meta.url))
const MEGABYTES = 1000
/** What a rival of minutes a gigabyte is given. */
const PART = 8
/** The files of a corpus, so that a rival that gives a thread whole files has some for each. */
const FILES = 4
/** Bands and rows of datatrove's defaults, with a hash each for signatures of 112. */
const BANDS = ['14', '8']

const python = pythonEnvironment('near-dedup')
/** It also asks for Spark and for TensorFlow, which its MinHash program does not touch. */
const textDedup = pythonEnvironment('text-dedup', ['text-dedup==0.4.0'])

/** Documents of about 2,700 characters; every eighth is an earlier one with a few words changed. */
function* documents(seed: number): Generator<{ id: number; text: string }> {
  const random = randomNumbers(seed)
  const words = Array.from({ length: 20_000 }, () => randomWord(random, 2, 10))
  const word = (): string => words[Math.floor(random() ** 2 * words.length)] as string
  const earlier: string[][] = []
  for (let id = 0; ; id++) {
    const old = earlier[Math.floor(random() * earlier.length)]
    const isCopy = old !== undefined && random() < 1 / 8
    const text = isCopy ? [...old] : Array.from({ length: 200 + Math.floor(random() * 400) }, word)
    if (isCopy)
      for (let n = Math.floor(random() * 6); n > 0; n--) text[Math.floor(random() * text.length)] = word()
    else earlier[id % 10_000] = text
    yield { id, text: text.join(' ') }
  }
}

export const workload: KernelWorkload = {
  name: 'near-dedup',
  about: `Near duplicates among ${MEGABYTES / 1000} GB of JSON lines in ${FILES} files, 14 bands of 8 hashes, from files to files; datatrove is given ${PART} MB. Shingles are each one's own: 13 characters, or 5 words.`,
  bars: [
    { rival: 'datatrove', atLeast: 15 },
    { rival: 'text-dedup', atLeast: 15 },
  ],
  // datatrove works on files as tamis does, on so small a part that its peak is that of Python with its modules.
  memory: [{ rival: 'text-dedup', atMost: 0.5 }, { megabytes: 300 }],
  setUp() {
    for (const megabytes of [MEGABYTES, PART]) {
      if (existsSync(folder(megabytes))) continue
      mkdirSync(folder(megabytes), { recursive: true })
      for (let i = 0; i < FILES; i++) {
        writeRecords(`${folder(megabytes)}/${i}.jsonl`, megabytes / FILES, () => documents(i + 1))
      }
    }
  },
  engines: [
    tamisEngine('`corpus.dedupFilesNear`', 'near-dedup.ts', [folder(MEGABYTES), ...BANDS]),
    {
      name: 'datatrove',
      about:
        'the four steps of its MinHash pipeline, local executors with a worker a thread; nearly all of its time is its ' +
        'default word tokenizer (spaCy)',
      threads: [1, 2],
      part: PART / MEGABYTES,
      setUp: python.setUp,
      version: () => python.version('datatrove'),
      command: (threads) =>
        python.command('near-dedup-datatrove.py', [folder(PART), ...BANDS, String(threads)], threads),
    },
    {
      name: 'text-dedup',
      about:
        'its `minhash` program with 5 words, xxHash and 32 bits, a process a thread; hash tables in memory, to a data set on disk',
      threads: [1, 2],
      setUp: textDedup.setUp,
      version: () => textDedup.version('text-dedup', 'datasets'),
      command: (threads) =>
        textDedup.command(
          'near-dedup-text-dedup.py',
          [folder(MEGABYTES), ...BANDS, String(threads)],
          threads,
        ),
    },
  ],
}
