/**
 * Plain JavaScript, two engines: they differ only in what computes SHA-256 of a word or a pair.
 * @module
 */
import { fileURLToPath } from 'node:url'
import type { Engine } from '../bench.js'
import type { Sha256 } from './javascript/sha256.js'

const program = fileURLToPath(new URL('javascript/dsir.ts', import.meta.url))

function javascript(name: string, sha256: Sha256, about: string): Engine {
  return {
    name,
    about,
    version: () => `Node.js ${process.version}, OpenSSL ${process.versions.openssl}`,
    threads: [1],
    megabytes: 100,
    sameNoise: true,
    clock: 'job',
    dsir: (_job, jobFile) => ({
      file: process.execPath,
      args: ['--import=tsx', program, jobFile, sha256],
    }),
  }
}

export const engines: Engine[] = [
  javascript(
    'javascript',
    'node:crypto',
    'one pass over code units, word and pair tables in typed arrays, node:crypto',
  ),
  javascript(
    'javascript-sha256',
    'javascript',
    'the same with a SHA-256 compression function written in JavaScript',
  ),
]
