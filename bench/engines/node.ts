/**
 * Engines of the kernels' workloads that run in Node.js: tamis, and plain JavaScript.
 * @module
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Command } from '../bench.js'
import type { KernelEngine } from '../kernel-workload.js'

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

/** A program of `engines/`, in a process of its own. */
export function nodeCommand(program: string, args: readonly string[] = [], threads = 1): Command {
  return {
    file: process.execPath,
    args: ['--import=tsx', path(program), ...args],
    env: { TAMIS_THREADS: String(threads) },
  }
}

/** The engine `tamis`, whose program is `engines/tamis/PROGRAM`. */
export function tamisEngine(about: string, program: string, args: readonly string[] = []): KernelEngine {
  return {
    name: 'tamis',
    about,
    threads: [1, 2],
    version() {
      const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
      return `tamis ${(JSON.parse(manifest) as { version: string }).version}, Node.js ${process.version}`
    },
    command: (threads) => nodeCommand(`tamis/${program}`, args, threads),
  }
}

/** An engine in plain JavaScript (or of an npm package), whose program is `engines/javascript/PROGRAM`. */
export function javascriptEngine(
  about: string,
  program: string,
  args: readonly string[] = [],
  others: Partial<KernelEngine> = {},
): KernelEngine {
  return {
    name: 'javascript',
    about,
    threads: [1],
    version: () => `Node.js ${process.version}`,
    command: () => nodeCommand(`javascript/${program}`, args),
    ...others,
  }
}
