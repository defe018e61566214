/**
 * How an engine that answers requests times each of them.
 * @module
 */
import { performance } from 'node:perf_hooks'
import type { KernelRun } from '../kernel-workload.js'

const WARM_UP = 10

/** Answers one request after another; prints the line that the harness reads, with the percentiles. */
export function latency<T>(answer: () => T, check: (answer: T) => string, requests = 200): void {
  let last = answer()
  for (let i = 1; i < WARM_UP && i < requests; i++) last = answer()
  const seconds: number[] = []
  for (let i = 0; i < requests; i++) {
    const started = performance.now()
    last = answer()
    seconds.push((performance.now() - started) / 1000)
  }
  const sorted = seconds.toSorted((a, b) => a - b)
  const at = (share: number): string => ((sorted[Math.floor(share * (requests - 1))] ?? 0) * 1000).toFixed(2)
  const run: KernelRun = { seconds, check: check(last), notes: { p50: at(0.5), p99: at(0.99) } }
  console.log(JSON.stringify(run))
}
