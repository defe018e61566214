/**
 * Runs an engine's program.
 * @module
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Command } from './bench.js'

/** Where data lie, which is not in git; programs run there. */
export const DATA = fileURLToPath(new URL('data', import.meta.url))

/** The JSON of the last line that the program prints. */
export function runForJson<T>({ file, args, env }: Command): T {
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
  return JSON.parse(child.stdout.trim().split('\n').at(-1) ?? '') as T
}
