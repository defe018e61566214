/**
 * What engines and workloads are: the comparison is data, and a rival is one more file in `engines/`.
 * @module
 */

/** Choose `count` records of `raw` that look like `target` by DSIR with its defaults, and write them to `out`. */
export interface DsirJob {
  /** JSONL with a field `text`. */
  raw: string
  target: string
  /** The file to write: the kept lines in input order. */
  out: string
  count: number
  minTokens: number
  seed: number
  /** `gumbel` draws; each engine has its own noise unless it says otherwise. `topK` is the same for everybody. */
  method: 'gumbel' | 'topK'
  threads: number
}

/** What an engine prints, as one line of JSON. */
export interface DsirRun {
  /** The whole job, without the start of the interpreter. */
  seconds: number
  phases?: { fit: number; score: number; write: number }
  /** Of the process during the job, all threads together. */
  cpuSeconds?: number
  peakMegabytes?: number
  caches?: { wordHits: number; wordMisses: number; pairHits: number; pairMisses: number }
}

/** How to start a process. */
export interface Command {
  file: string
  args: string[]
  env?: Record<string, string>
}

/** Something that can do a job. */
export interface Engine {
  name: string
  /** Where its description and its code lie. */
  about: string
  /** Name and version of what runs, measured on this machine. */
  version(): string
  /** Brings what is missing. */
  setUp?(): void
  /** Thread counts that are worth a run. */
  threads: readonly number[]
  /** The largest part of a workload it is asked to do; ratios are of MB/s. Default: all of it. */
  megabytes?: number
  /** It only reads the file and finds the texts: the limit of any pass, and no rival. */
  readsOnly?: boolean
  /** Whether it draws the same noise as tamis, so that its output has the same bytes. */
  sameNoise: boolean
  /** What is timed: the job as the engine reports it, or its whole process. */
  clock: 'job' | 'process'
  dsir(job: DsirJob, jobFile: string): Command
}

/** Data to do a job on. */
export interface Workload {
  name: string
  about: string
  /** Megabytes of a full run. */
  megabytes: number
  /** Writes about `megabytes` of raw records to `raw` and the target to `target`. The same bytes each time. */
  generate(raw: string, target: string, megabytes: number): void
}
