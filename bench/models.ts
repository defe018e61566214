/**
 * The text embedder beside torch: the same model, texts and threads, each in a process of its own, in turn.
 *
 * `npm run bench:models [-- --texts N] [--rounds N]`
 *
 * Prints tokens a second and the ratio of the medians. The first repetition of each process warms it up and does not count.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { main } from '../scripts/command.js'
import { ensureMiniLm } from '../scripts/models.js'
import { readMail } from '../scripts/spam-assassin.js'
import { runForJson } from './command.js'
import { pythonEnvironment } from './python.js'
import { median } from './statistics.js'

/** Of each process: one to warm up, and those that count. */
const REPETITIONS = 3

interface Measured {
  seconds: number[]
  texts: number
  tokens: number
}

await main(async () => {
  const { values } = parseArgs({
    options: {
      texts: { type: 'string', default: '200' },
      rounds: { type: 'string', default: '3' },
    },
  })
  const found = await ensureMiniLm()
  if ('missing' in found) throw new Error(found.missing)
  const python = pythonEnvironment('models')
  python.setUp()
  const folder = mkdtempSync(join(tmpdir(), 'tamis-bench-models-'))
  try {
    const path = join(folder, 'texts.jsonl')
    const mail = readMail()
    const every = Math.max(1, Math.floor(mail.length / Number(values.texts)))
    const lines = mail.filter((_, i) => i % every === 0).slice(0, Number(values.texts))
    writeFileSync(path, lines.map(({ text }) => `${JSON.stringify({ text })}\n`).join(''))
    console.log(`torch: ${python.version('torch', 'transformers', 'tokenizers')}`)
    for (const threads of [...new Set([1, Math.min(2, availableParallelism())])]) {
      const args = [found.path, path, String(threads), String(REPETITIONS)]
      const own = { file: process.execPath, args: ['--import=tsx', program('engines/embed.ts'), ...args] }
      const torch = python.command('embed.py', args, threads)
      const engines = {
        tamis: () => runForJson<Measured>(own),
        torch: () => runForJson<Measured>(torch),
      }
      const times = { tamis: [] as number[], torch: [] as number[] }
      let tokens = 0
      for (let round = 0; round < Number(values.rounds); round++) {
        for (const name of ['tamis', 'torch'] as const) {
          const measured = engines[name]()
          tokens = measured.tokens
          times[name].push(...measured.seconds.slice(1))
        }
      }
      const [ours, theirs] = [median(times.tamis), median(times.torch)]
      const rate = (seconds: number) => `${Math.round(tokens / seconds).toLocaleString('en-US')} tokens/s`
      console.log(
        `${threads} thread${threads > 1 ? 's' : ''}, ${values.texts} texts, ${tokens} tokens: tamis ${rate(ours)}, torch ${rate(theirs)}, ${(theirs / ours).toFixed(2)}x`,
      )
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})

function program(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}
