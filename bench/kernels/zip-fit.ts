/**
 * Alignment by compression: every source with every target.
 * @module
 */
import { existsSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Mail, readMail } from '../../scripts/spam-assassin.js'
import { tamisEngine } from '../engines/node.js'
import { randomNumbers } from '../generate.js'
import type { KernelWorkload } from '../kernel-workload.js'
import { pythonEnvironment } from '../python.js'

const DATA = fileURLToPath(new URL('../data/zip-fit.json', import.meta.url))
const SOURCES = 2000
const TARGETS = 200
const LONGEST = 2000
/** The part of the sources that the rival is given. */
const PART = 0.1

const numpy = pythonEnvironment('numpy')

/** So many messages, drawn without replacement, cut to their first characters. */
function draw(count: number, messages: readonly Mail[], random: () => number): string[] {
  const left = [...messages]
  return Array.from({ length: count }, () => {
    const [chosen] = left.splice(Math.floor(random() * left.length), 1) as [Mail]
    return chosen.text.slice(0, LONGEST)
  })
}

export const workload: KernelWorkload = {
  name: 'zip-fit',
  about:
    `\`corpus.alignByCompression\`, ${SOURCES} x ${TARGETS} bodies of mail (SpamAssassin; 200 characters or more, cut ` +
    `to ${LONGEST}), level 6.`,
  bars: [{ rival: 'python', atLeast: 10 }],
  setUp() {
    if (existsSync(DATA)) return
    const mail = readMail().filter((m) => m.text.length >= 200)
    const random = randomNumbers(5)
    const sources = draw(
      SOURCES,
      mail.filter((m) => m.group !== 'spam-2'),
      random,
    )
    const targets = draw(
      TARGETS,
      mail.filter((m) => m.group === 'spam-2'),
      random,
    )
    writeFileSync(DATA, JSON.stringify({ sources, targets }))
  },
  engines: [
    tamisEngine('`corpus.alignByCompression`', 'zip-fit.ts', [DATA, String(PART)]),
    {
      name: 'python',
      about:
        "the authors' way, as in `rank_sequences_by_alignment` of zip-fit 1.0.9 with gzip at level 6: a pool of " +
        `processes over pairs; on ${100 * PART} % of the sources`,
      threads: [1, 2],
      part: PART,
      setUp: numpy.setUp,
      version: () => numpy.version('numpy'),
      command: (threads) => numpy.command('zip-fit.py', [DATA, String(PART), String(threads)], threads),
    },
  ],
}
