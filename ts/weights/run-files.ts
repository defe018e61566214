/**
 * What every call on checkpoints shares: which files it reads and writes, how it reports, stops and cleans up.
 * @module
 */
import { AttendedRun, attend, checkApart } from '../attend.js'
import { TamisError } from '../errors.js'
import { type NativeJob, native } from '../native.js'
import type { NativeOutput, NativeState } from '../native-files.js'
import type { NativeOrigin, NativeWeightsFile, NativeWrittenWeights } from '../native-weights-files.js'
import { checkBoolean, checkOneOf, show } from '../options.js'
import type { WeightsReport } from '../report/data.js'
import type { Cancellable } from '../run.js'

/** The passes: ranking magnitudes, where a method needs that, and writing. */
export type WeightsPass = 'measure' | 'write'

/** How far a call is. */
export interface WeightsProgress {
  pass: WeightsPass
  /** Bytes read in this pass. */
  bytes: number
  /** Bytes of this pass in all. */
  totalBytes: number
  /** Tensors done in this pass. */
  tensors: number
}

/** A type that weights are written in. Every number is rounded to it once more, to nearest even, from float32. */
export type WeightsType = 'float32' | 'float16' | 'bfloat16'

/** What every call on checkpoints understands. */
export interface WeightsFileOptions extends Cancellable {
  /**
   * Where the result goes. A path that ends in `.safetensors` is written as that one file; any other is a folder, with
   * the configuration, tokenizer and other side files of the folder that was read.
   */
  out: string
  /** Replace an output that exists. Default false. */
  force?: boolean | undefined
  /**
   * Go on with an interrupted call of the same inputs and options, from the last tensors that it had noted. What that one left
   * lies in a hidden folder beside the output. Default false: begin anew.
   */
  resume?: boolean | undefined
  /** Called about ten times a second. */
  onProgress?: ((progress: WeightsProgress) => void) | undefined
}

/** Where updates begin. */
export interface BaseOptions {
  /**
   * What the models were made from: a `.safetensors` file or a folder. Without it the inputs are updates themselves
   * (adapters), and so is the result.
   */
  base?: string | undefined
  /** The base is ones, in place of a file (IA3 vectors). Default false. */
  ones?: boolean | undefined
  /**
   * Tensors that are copies of another one, as `{ copy: original }`, beside those that a `config.json` says
   * (`tie_word_embeddings`; the halves of an encoder-decoder). A copy enters once and is written as its original is.
   */
  tied?: Readonly<Record<string, string>> | undefined
}

/** What a call wrote. */
export interface WeightsFiles {
  files: string[]
  /** Bytes of the files. */
  bytes: number
  /** Tensors of the update. */
  tensors: number
  /** Items of the update. */
  elements: number
  /** Where the manifest lies. */
  manifest: string
  seconds: number
  /** What a person should know. */
  warnings: string[]
  /** What a report is drawn from. */
  report: WeightsReport
}

/** The names of {@link WeightsFileOptions} and {@link BaseOptions}. @hidden */
export const WEIGHTS_FILE_OPTIONS = [
  'out',
  'force',
  'resume',
  'onProgress',
  'signal',
  'base',
  'ones',
  'tied',
] as const

const PASSES: readonly (WeightsPass | undefined)[] = [undefined, 'measure', 'write']

/** A path. @hidden */
export function checkPath(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new TamisError('ERR_TAMIS_TYPE', `${name} must be a path, got ${show(value)}`)
}

/** A list of names of tensors. @hidden */
export function checkNames(name: string, value: unknown): string[] {
  if (value === undefined) return []
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value
  throw new TamisError('ERR_TAMIS_TYPE', `${name} must be a list of strings, got ${show(value)}`)
}

/** A type to write in, or none. @hidden */
export function checkType(value: unknown): WeightsType | undefined {
  if (value === undefined) return undefined
  return checkOneOf('dtype', value, ['float32', 'float16', 'bfloat16'])
}

/** Checks where updates begin. @hidden */
export function checkOrigin({ base, ones, tied }: BaseOptions): NativeOrigin {
  const one = checkBoolean('ones', ones, false)
  if (base !== undefined && one)
    throw new TamisError('ERR_TAMIS_RANGE', 'base and ones are two ways to say what the base is: give one')
  if (tied !== undefined && (typeof tied !== 'object' || tied === null || Array.isArray(tied))) {
    throw new TamisError(
      'ERR_TAMIS_TYPE',
      `tied must be an object of names, { copy: original }, got ${show(tied)}`,
    )
  }
  const copies = Object.keys(tied ?? {})
  const originals = checkNames('tied', Object.values(tied ?? {}))
  return {
    origin: one ? 'one' : 'zero',
    base: base === undefined ? undefined : checkPath('base', base),
    copies,
    originals,
  }
}

/** One call on checkpoints: what it holds, how far it is, and how it ends. @hidden */
export class WeightsRun extends AttendedRun<WeightsProgress> {
  readonly started = new Date()
  readonly out: string
  readonly oneFile: boolean
  readonly #force: boolean
  readonly #resume: boolean
  #held: { abandon(): Promise<void> }[] = []

  constructor(options: WeightsFileOptions) {
    super(options)
    this.#force = checkBoolean('force', options.force, false)
    this.#resume = checkBoolean('resume', options.resume, false)
    this.out = checkPath('out', options.out)
    this.oneFile = this.out.endsWith('.safetensors')
  }

  /**
   * Takes hold of the place that is written, in which none of the inputs may lie, and of what an interrupted run left for it.
   * @param options - what the result depends on beside the inputs
   */
  async open(
    method: string,
    options: Record<string, unknown>,
    inputs: readonly NativeWeightsFile[],
  ): Promise<{ output: NativeOutput; state: NativeState }> {
    await checkApart(this.out, inputs)
    this.check()
    const files = inputs.map((input) => input.path)
    const on = { options: { tamis: native.version(), method, ...options }, files }
    const force = await this.claim(this.out, on, { resume: this.#resume, force: this.#force })
    const output = this.#hold(await native.openOutput(this.out, !this.oneFile, force))
    return { output, state: this.state as NativeState }
  }

  /** One operation; its result, if it is an output, goes if the call fails later. */
  async work<T>(operation: (job: NativeJob) => Promise<T>): Promise<T> {
    this.check()
    const result = await operation(this.job)
    this.tell()
    return result
  }

  /** Puts what was written in place, its manifest last. */
  async commit(
    written: NativeWrittenWeights,
    about: {
      method: string
      options: Record<string, unknown>
      inputs: readonly NativeWeightsFile[]
      tensors: number
      elements: number
      more?: Partial<Pick<WeightsReport, 'signs' | 'histogram' | 'densities'>>
      /** Of each model, where there are several, its name. */
      models?: string[]
    },
  ): Promise<WeightsFiles> {
    this.#hold(written)
    this.check()
    const { method, options, inputs, tensors, elements, more, models = [] } = about
    const outputs = written.files()
    const seconds = (Date.now() - this.started.getTime()) / 1000
    const left = written.leftOut()
    const warnings =
      left.length > 0 ? [`other weights lie beside the input and were left out: ${left.join(', ')}`] : []
    const manifest = {
      tamis: native.version(),
      method,
      startedAt: this.started.toISOString(),
      seconds,
      options,
      inputs,
      totals: { tensors, elements },
      ...more,
      outputs,
      warnings,
    }
    const report: WeightsReport = {
      kind: 'weights',
      ...manifest,
      inputs: [...inputs],
      models,
      tensors: written.changes(),
    }
    const path = await this.settle(async () => {
      const json = `${JSON.stringify(manifest, null, 2)}\n`
      const place = await native.commitWeights(written, json, this.job)
      this.#held = []
      return place
    })
    return {
      files: outputs.map((file) => file.path),
      bytes: outputs.reduce((sum, file) => sum + file.bytes, 0),
      tensors,
      elements,
      manifest: path,
      seconds,
      warnings,
      report,
    }
  }

  protected progress(): WeightsProgress | undefined {
    const { phase, done, total, records } = this.job.progress()
    const pass = PASSES[phase]
    return pass && { pass, bytes: Math.min(done, total), totalBytes: total, tensors: records }
  }

  protected canReadAgain(): boolean {
    return true
  }

  async end(): Promise<void> {
    await Promise.all(this.#held.map((output) => output.abandon()))
    this.state?.release()
  }

  #hold<T extends { abandon(): Promise<void> }>(output: T): T {
    this.#held.push(output)
    return output
  }
}

/** Runs `body` and cleans up behind it however it ends. @hidden */
export async function runOnWeights<T>(
  options: WeightsFileOptions,
  body: (run: WeightsRun) => Promise<T>,
): Promise<T> {
  return attend(options, () => new WeightsRun(options), body)
}

/** The options that a result depends on: not how the call runs. @hidden */
export function optionsInForce(given: object, defaults: object): Record<string, unknown> {
  const {
    signal: _signal,
    onProgress: _progress,
    force: _force,
    resume: _resume,
    ...rest
  } = given as WeightsFileOptions
  const all = {
    ...defaults,
    ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}
