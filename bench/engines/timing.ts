/**
 * How every engine of the kernels' workloads that runs in Node.js times its work.
 * @module
 */
import { createHash } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { env } from 'node:process'
import type { KernelRun } from '../kernel-workload.js'

/** So many repetitions at most, whatever the program would do. */
const MOST = Number(env.TAMIS_BENCH_REPETITIONS ?? Number.POSITIVE_INFINITY)

/** Runs the work once unmeasured and then several times; prints the line that the harness reads. */
export async function timed<T>(
  work: () => T | Promise<T>,
  options: {
    repetitions?: number
    check?: (result: T) => string | number
    notes?: (result: T) => NonNullable<KernelRun['notes']>
    /** Seconds of what is held to the machine's limit. */
    limited?: (result: T) => number
    megabytes?: () => number
  } = {},
): Promise<void> {
  const { repetitions = 5, check, notes, limited, megabytes } = options
  let result = await work()
  const seconds: number[] = []
  const parts: number[] = []
  for (let i = 0; i < Math.min(repetitions, MOST); i++) {
    const started = performance.now()
    result = await work()
    seconds.push((performance.now() - started) / 1000)
    if (limited) parts.push(limited(result))
  }
  const run: KernelRun = {
    seconds,
    ...(check && { check: check(result) }),
    ...(limited && { limited: parts }),
    ...(megabytes && { megabytes: megabytes() }),
    ...(notes && { notes: notes(result) }),
  }
  console.log(JSON.stringify(run))
}

/** The first half of the SHA-256 of an array's bytes. */
export function digest(data: ArrayBufferView): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32)
}
