/**
 * Runs an engine's program.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Command } from './bench.js'

/**
 * Where data lie, which is not in git. Programs run there and not in the root: nltk loads nothing that lies below the current
 * folder, as the environments do there.
 */
export const DATA = fileURLToPath(new URL('data', import.meta.url))

/** What the program prints. */
export function runCommand({ file, args, env }: Command): string {
  const options = {
    cwd: DATA,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  } as const
  const child = spawnSync(file, args, options)
  if (child.status !== 0) {
    throw new Error(`${[file, ...args].join(' ')} failed (${child.status ?? child.signal}):\n${child.stderr}`)
  }
  return child.stdout
}

/** The JSON of the last line of what a program prints. */
export function lastJson<T>(printed: string): T {
  return JSON.parse(printed.trim().split('\n').at(-1) ?? '') as T
}

/** The JSON of the last line that the program prints. */
export function runForJson<T>(command: Command): T {
  return lastJson<T>(runCommand(command))
}
