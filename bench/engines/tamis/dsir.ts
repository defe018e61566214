/**
 * DSIR by the API of tamis.
 *
 *   tsx bench/engines/tamis/dsir.ts JOB.json    prints what it did as one line of JSON
 * @module
 */
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { argv, cpuUsage, stdout } from 'node:process'
import { corpus } from 'tamis'
import type { DsirJob, DsirRun } from '../../bench.js'
import { peakMegabytes } from '../../memory.js'

const job = JSON.parse(readFileSync(argv[2] as string, 'utf8')) as DsirJob
const started = performance.now()
const before = cpuUsage()
const begun: Record<string, number> = {}
await corpus.selectFilesByImportance([job.raw], [job.target], {
  count: job.count,
  out: job.out,
  minTokens: job.minTokens,
  seed: job.seed,
  method: job.method,
  threads: job.threads,
  force: true,
  onProgress: ({ pass }) => {
    begun[pass] ??= performance.now()
  },
})
const ended = performance.now()
const { user, system } = cpuUsage(before)
const { score = started, write = ended } = begun
const run: DsirRun = {
  seconds: (ended - started) / 1000,
  phases: { fit: (score - started) / 1000, score: (write - score) / 1000, write: (ended - write) / 1000 },
  cpuSeconds: (user + system) / 1e6,
  peakMegabytes: peakMegabytes(),
}
stdout.write(`${JSON.stringify(run)}\n`)
