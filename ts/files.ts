/**
 * What every recipe on files shares: how a corpus is read, how a run reports, stops, goes on and cleans up.
 * @module
 */
import { existsSync } from 'node:fs'
import { AttendedRun, attend, checkApart as checkPathsApart } from './attend.js'
import { TamisError } from './errors.js'
import { type NativeJob, native } from './native.js'
import type { NativeCorpus, NativeOutput, NativeReadOptions, NativeWritten } from './native-files.js'
import { checkInteger, checkOneOf, show } from './options.js'

/** How far a run is. */
export interface FileProgress<Pass extends string = string> {
  /** Which pass over the files. */
  pass: Pass
  /** Bytes on disk done in this pass. */
  bytes: number
  /** Bytes on disk of this pass in all. */
  totalBytes: number
  /** Records done in this pass. */
  records: number
}

/** How the records of files are read. */
export interface ReadOptions {
  /**
   * Where a record's text lies: a field of JSONL records, a column of Parquet; dots lead into nested ones.
   * Default `text`.
   */
  textField?: string
  /** What is one document of a plain text file: each `line` that is not blank (default), or the `file`. */
  textUnit?: 'line' | 'file'
  /** The longest record in bytes, 1 to 2^31. Default 64 MiB. */
  maxRecord?: number
  /**
   * What a record that cannot be read does (no JSON, no string in the text field, not UTF-8, too long): `throw` ends
   * the run with an error that names it (default), `skip` passes over it, counts it, and gives it no index.
   */
  onBadRecord?: 'throw' | 'skip'
}

/** How a run on files works. */
export interface FileOptions<Pass extends string = string> extends ReadOptions {
  /** At most so many threads of the process's budget (`setThreads`). Default: all. */
  threads?: number
  /** Stops the run: partial outputs go, what can be gone on from stays, and the promise rejects. */
  signal?: AbortSignal
  /** Called about ten times a second. */
  onProgress?: (progress: FileProgress<Pass>) => void
}

/** The names of {@link FileOptions}. @hidden */
export const FILE_OPTIONS = [
  'textField',
  'textUnit',
  'maxRecord',
  'onBadRecord',
  'threads',
  'signal',
  'onProgress',
] as const

/** Checks the options of reading and fills in their defaults. @hidden */
export function readOptions(o: ReadOptions): NativeReadOptions {
  return {
    textField: checkName('textField', o.textField ?? 'text'),
    textUnit: checkOneOf('textUnit', o.textUnit ?? 'line', ['line', 'file']),
    maxRecord: checkInteger('maxRecord', o.maxRecord ?? 64 * 2 ** 20, 1, 2 ** 31),
    onBad: checkOneOf('onBadRecord', o.onBadRecord ?? 'throw', ['throw', 'skip']),
  }
}

/** A string that is not empty: a path, a field's name. @hidden */
export function checkName(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new TamisError('ERR_TAMIS_TYPE', `${name} must be a string that is not empty, got ${show(value)}`)
}

/** Checks a list of paths, globs, folders and `-`. @hidden */
export function checkPatterns(name: string, patterns: unknown): string[] {
  if (
    Array.isArray(patterns) &&
    patterns.length > 0 &&
    patterns.every((p) => typeof p === 'string' && p !== '')
  ) {
    return patterns
  }
  throw new TamisError(
    'ERR_TAMIS_TYPE',
    `${name} must be a list of at least one path, glob, folder or "-" (standard input), got ${show(patterns)}`,
  )
}

/** Refuses what standard input cannot do: be read twice. @hidden */
export function checkStandardInput(patterns: readonly string[], resume: boolean): void {
  const times = patterns.filter((p) => p === '-').length
  if (times > 1) {
    throw new TamisError('ERR_TAMIS_RANGE', `"-" (standard input) can be given once, got it ${times} times`)
  }
  if (times === 1 && resume) {
    throw new TamisError(
      'ERR_TAMIS_RANGE',
      'resume cannot read standard input ("-") again: write it to a file and give that',
    )
  }
}

/** One call that works on files: what it holds open, how far it is, and how it ends. @hidden */
export class FileRun<Pass extends string = string> extends AttendedRun<FileProgress<Pass>> {
  readonly options: FileOptions<Pass>
  readonly read: NativeReadOptions
  readonly threads: number | undefined
  readonly started = new Date()
  #corpora: NativeCorpus[] = []
  #outputs: (NativeOutput | NativeWritten)[] = []
  #pass: { name: Pass; bytes: number; records: number; totalBytes: number } | undefined
  #running = false

  constructor(options: FileOptions<Pass>) {
    super(options)
    this.options = options
    this.read = readOptions(options)
    this.threads =
      options.threads === undefined ? undefined : checkInteger('threads', options.threads, 1, 2 ** 16)
  }

  /** Finds the files of a corpus. */
  async open(patterns: string[]): Promise<NativeCorpus> {
    this.check()
    const corpus = await native.openCorpus(patterns, this.read, this.job)
    this.#corpora.push(corpus)
    return corpus
  }

  /** Holds an output, which goes if the run fails. */
  hold<T extends NativeOutput | NativeWritten>(output: T): T {
    this.#outputs.push(output)
    return output
  }

  /** The output is in place: nothing of it may go any more. */
  committed(): void {
    this.#outputs = []
  }

  /** Starts a pass over so many bytes. */
  begin(name: Pass, totalBytes: number): void {
    this.#pass = { name, bytes: 0, records: 0, totalBytes }
  }

  /** One operation of the pass that was begun; its progress adds to that of those before it. */
  async work<T>(operation: (job: NativeJob) => Promise<T>): Promise<T> {
    this.check()
    // The operation sets the job's counters to zero before it returns its promise.
    const running = operation(this.job)
    this.#running = true
    try {
      const result = await running
      this.tell()
      return result
    } finally {
      this.#running = false
      if (this.#pass) {
        const { done, records } = this.job.progress()
        this.#pass.bytes += done
        this.#pass.records += records
      }
    }
  }

  /**
   * What `make` gives, kept for the next run if this one is cut short later: of an interrupted run, what that one had kept.
   * @param name - lower-case letters
   */
  async once<T extends Uint32Array | Float32Array>(
    name: string,
    type: new (buffer: ArrayBufferLike, byteOffset: number, length: number) => T,
    make: () => Promise<T>,
  ): Promise<T> {
    const kept = this.state?.resumed() ? await this.state.kept(name) : null
    if (kept) return new type(kept.buffer, kept.byteOffset, kept.byteLength / 4)
    const made = await make()
    this.check()
    await this.state?.keep(name, new Uint8Array(made.buffer, made.byteOffset, made.byteLength))
    return made
  }

  protected progress(): FileProgress<Pass> | undefined {
    if (!this.#pass) return undefined
    const { name, bytes, records, totalBytes } = this.#pass
    const now = this.#running ? this.job.progress() : { done: 0, records: 0 }
    return {
      pass: name,
      bytes: Math.min(bytes + now.done, totalBytes),
      totalBytes,
      records: records + now.records,
    }
  }

  protected canReadAgain(): boolean {
    return !this.#corpora.some((corpus) => corpus.usesStandardInput())
  }

  async end(): Promise<void> {
    await Promise.all(this.#outputs.map((output) => output.abandon()))
    this.state?.release()
    await Promise.all(this.#corpora.map((corpus) => corpus.close()))
  }
}

/** Runs `body` off the event loop, as far as it does so itself, and cleans up behind it however it ends. @hidden */
export async function runOnFiles<Pass extends string, T>(
  options: FileOptions<Pass>,
  body: (run: FileRun<Pass>) => Promise<T>,
): Promise<T> {
  return attend(options, () => new FileRun(options), body)
}

/** Checks, before the work starts, where a file beside the main output will go. @hidden */
export function checkSideFile(
  name: string,
  path: string,
  force: boolean,
  endings: readonly string[] = [''],
): void {
  checkName(name, path)
  if (!endings.some((ending) => path.toLowerCase().endsWith(ending))) {
    throw new TamisError('ERR_TAMIS_RANGE', `${name} must end in ${endings.join(', ')}, got ${path}`)
  }
  if (force || !existsSync(path)) return
  throw new TamisError(
    'ERR_TAMIS_RANGE',
    `${path} exists: choose another name, or replace it with --force (force: true)`,
  )
}

/** Refuses to replace an output in which an input lies, or which is one. @hidden */
export async function checkApart(output: string, corpora: readonly NativeCorpus[]): Promise<void> {
  const files = corpora.filter((corpus) => !corpus.usesStandardInput())
  await checkPathsApart(
    output,
    files.flatMap((corpus) => corpus.inputs()),
  )
}

/** Bytes of corpora on disk. @hidden */
export function bytesOf(...corpora: NativeCorpus[]): number {
  return corpora.flatMap((corpus) => corpus.inputs()).reduce((sum, input) => sum + input.bytes, 0)
}
