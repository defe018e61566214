/**
 * tamis, from its API and from its command line.
 * @module
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Engine } from '../bench.js'

const program = fileURLToPath(new URL('tamis/dsir.ts', import.meta.url))
const command = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return `tamis ${(JSON.parse(manifest) as { version: string }).version}, Node.js ${process.version}`
}

export const engines: Engine[] = [
  {
    name: 'tamis',
    about: 'corpus.selectFilesByImportance',
    version,
    threads: [1, 2],
    sameNoise: true,
    clock: 'job',
    dsir: (_job, jobFile) => ({ file: process.execPath, args: ['--import=tsx', program, jobFile] }),
  },
  {
    name: 'tamis-cli',
    about: 'tamis select, timed with the start of the process',
    version,
    threads: [1, 2],
    sameNoise: true,
    clock: 'process',
    dsir: (job) => ({
      file: process.execPath,
      args: [
        command,
        'select',
        job.raw,
        '--target',
        job.target,
        '--out',
        job.out,
        '--count',
        String(job.count),
        '--min-tokens',
        String(job.minTokens),
        '--seed',
        String(job.seed),
        '--threads',
        String(job.threads),
        ...(job.method === 'topK' ? ['--top-k'] : []),
        '--force',
        '--quiet',
        '--json',
      ],
    }),
  },
]
