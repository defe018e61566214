/**
 * Reads the raw file of a job once.
 *
 *   tsx bench/engines/read/read.ts JOB.json    prints what it did as one line of JSON
 * @module
 */
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { argv, cpuUsage, stdout } from 'node:process'
import { native } from '../../../ts/native.js'
import type { DsirJob, DsirRun } from '../../bench.js'
import { peakMegabytes } from '../../memory.js'

const { raw, threads } = JSON.parse(readFileSync(argv[2] as string, 'utf8')) as DsirJob
const job = new native.Job()
const options = { textField: 'text', textUnit: 'line', maxRecord: 64 * 2 ** 20, onBad: 'throw' } as const
const corpus = await native.openCorpus([raw], options, job)
const started = performance.now()
const before = cpuUsage()
await native.readCorpus(corpus, threads, job)
const { user, system } = cpuUsage(before)
const run: DsirRun = {
  seconds: (performance.now() - started) / 1000,
  cpuSeconds: (user + system) / 1e6,
  peakMegabytes: peakMegabytes(),
}
stdout.write(`${JSON.stringify(run)}\n`)
