/**
 * Where the time of the JavaScript engines goes: one run of each under V8's sampling profiler on the 20 MB workload.
 *
 *   tsx bench/profile.ts
 * @module
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execPath } from 'node:process'
import { fileURLToPath } from 'node:url'
import type { DsirJob } from './bench.js'
import { workload } from './workloads/dsir.js'

const MEGABYTES = 20
const SHOWN = 8

interface Profile {
  nodes: { id: number; callFrame: { functionName: string; url: string } }[]
  samples: number[]
  timeDeltas: number[]
}

const program = fileURLToPath(new URL('engines/javascript/dsir.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'tamis-profile-'))
try {
  const raw = join(folder, 'raw.jsonl')
  const target = join(folder, 'target.jsonl')
  workload.generate(raw, target, MEGABYTES)
  const job: DsirJob = {
    raw,
    target,
    out: join(folder, 'kept.jsonl'),
    count: 500,
    minTokens: 100,
    seed: 0,
    method: 'gumbel',
    threads: 1,
  }
  const jobFile = join(folder, 'job.json')
  writeFileSync(jobFile, JSON.stringify(job))
  for (const sha256 of ['node:crypto', 'javascript']) profile(sha256, jobFile)
} finally {
  rmSync(folder, { recursive: true })
}

function profile(sha256: string, jobFile: string): void {
  const at = join(folder, sha256.replace(':', '-'))
  const args = ['--cpu-prof', `--cpu-prof-dir=${at}`, '--import=tsx', program, jobFile, sha256]
  const { status, stderr } = spawnSync(execPath, args, { encoding: 'utf8' })
  if (status !== 0 || !existsSync(at)) throw new Error(`the profiled run failed: ${stderr}`)
  // The loader's thread has a profile of its own.
  const profiles = readdirSync(at).map((name) => JSON.parse(readFileSync(join(at, name), 'utf8')) as Profile)
  const worked = ({ nodes }: Profile): boolean =>
    nodes.some(({ callFrame }) => callFrame.url.endsWith('/ngrams.ts'))
  const { nodes, samples, timeDeltas } = profiles.find(worked) as Profile
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  const times = new Map<string, number>()
  for (const [i, sample] of samples.entries()) {
    const name = names.get(sample) ?? ''
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[i] ?? 0))
  }
  const total = [...times.values()].reduce((a, b) => a + b, 0)
  console.log(`\nSHA-256 by ${sha256}:\n\n| function | of the time |\n| --- | ---: |`)
  for (const [name, time] of [...times].sort((a, b) => b[1] - a[1]).slice(0, SHOWN)) {
    console.log(`| ${name} | ${((100 * time) / total).toFixed(1)} % |`)
  }
}

function nameOf({ functionName, url }: Profile['nodes'][number]['callFrame']): string {
  const file = url.split('/').at(-1) ?? ''
  const name = functionName === '' ? 'anonymous' : functionName
  return file === '' ? name : `${name} (${file})`
}
