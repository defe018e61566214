/**
 * Workloads of operations that have one rival: the same numbers on both sides, from one file of normal draws.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { nodeCommand, tamisEngine } from './engines/node.js'
import type { KernelWorkload } from './kernel-workload.js'
import { pythonEnvironment, tunedBlas } from './python.js'

const SIDE = 4096
const DRAWS = fileURLToPath(new URL(`data/normal-${SIDE}x${SIDE}-9.f32`, import.meta.url))

/** Rivals, and whose environment has them. */
const RIVALS = { numpy: 'operations', scipy: 'operations', pywavelets: 'operations', torch: 'merge' } as const

/** What is told of an operation. */
interface About {
  /** The operation and its sizes. */
  about: string
  /** What is called of tamis. */
  call: string
  rival: keyof typeof RIVALS
  /** What is called of the rival. */
  by: string
  /** Thread counts that the rival can use. */
  threads?: readonly number[]
}

/**
 * The workload of an operation, whose two sides are under its name in `engines/tamis/operation.ts` and
 * `engines/python/operation.py`. Nobody is to be faster.
 */
export function operation(name: string, o: About): KernelWorkload {
  const environment = pythonEnvironment(RIVALS[o.rival])
  return {
    name,
    about: o.about,
    bars: [{ rival: o.rival, atLeast: 1 }],
    setUp() {
      if (existsSync(DRAWS)) return
      const { file, args } = nodeCommand('rows.ts', [DRAWS, String(SIDE), String(SIDE), '9'])
      execFileSync(file, [...args], { stdio: 'inherit' })
    },
    engines: [
      tamisEngine(o.call, 'operation.ts', [name, DRAWS]),
      {
        name: o.rival,
        about: o.by,
        threads: o.threads ?? [1, 2],
        setUp: environment.setUp,
        version: () => environment.version(o.rival),
        command: (threads) => environment.command('operation.py', [name, DRAWS], threads, tunedBlas()),
      },
    ],
  }
}
