/**
 * What the machine can do, measured in the same run as the engines.
 * @module
 */
import { createHash } from 'node:crypto'
import { cpus, release, totalmem } from 'node:os'
import { performance } from 'node:perf_hooks'

/** Megabytes a second. */
export interface Limits {
  /** Copying between two buffers larger than the caches: read plus written. */
  memory: number
  /** SHA-256 of one long buffer by OpenSSL, one thread. A word or a pair costs one block of 64 bytes. */
  sha256: number
}

/** The best of several tries: a limit is what the machine can do, not what it does when others run. */
export function measureLimits(): Limits {
  const source = Buffer.alloc(1 << 27, 1)
  const copy = Buffer.alloc(1 << 27)
  const memory = best(5, 2 * source.length, () => source.copy(copy))
  const sha256 = best(3, source.length, () => createHash('sha256').update(source).digest())
  return { memory, sha256 }
}

function best(tries: number, bytes: number, work: () => void): number {
  let least = Number.POSITIVE_INFINITY
  for (let i = 0; i < tries; i++) {
    const started = performance.now()
    work()
    least = Math.min(least, performance.now() - started)
  }
  return bytes / 1000 / least
}

/** One line about the machine. */
export function describeMachine(): string {
  const all = cpus()
  return (
    `${all[0]?.model.trim() ?? 'unknown processor'}, ${all.length} cores, ` +
    `${Math.round(totalmem() / 2 ** 30)} GiB of memory, ${process.platform}-${process.arch} ${release().split('-')[0]}`
  )
}
