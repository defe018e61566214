/**
 * Near duplicates of documents that come in batches.
 * @hidden
 * @module
 */
import { TamisError } from '../errors.js'
import { checkThreshold, type MinHashOptions, minHashShape } from '../minhash.js'
import { type NativeJob, native } from '../native.js'
import type { NativeAddedBatch, NativeNearFinder, NativeNearOptions } from '../native-dedup.js'
import { checkBoolean, checkCount, checkOneOf, checkOptions, checkPositiveInteger, show } from '../options.js'
import { type Cancellable, later } from '../run.js'
import { checkTensor, type Tensor } from '../tensor.js'
import { packTexts } from '../texts.js'
import { checkScope, SourceNumbers, type Sources } from './slimpajama-sources.js'

/** Which documents are kept. */
export interface Deduplicated {
  /** [n]: 1 for a document that is kept. */
  keep: Uint8Array
  /** Their indices, ascending. */
  kept: Uint32Array
  /** [n]: the document that is kept of each one's component; itself for one that is kept. */
  representative: Uint32Array
}

/** What near duplicates are. */
export interface NearOptions extends MinHashOptions {
  /** The Jaccard similarity from which on documents are duplicates, in (0, 1). Default 0.8. */
  threshold?: number | undefined
  /** Bands and rows of a signature: both, or neither for those of {@link kernels.lshParams}. */
  bands?: number | undefined
  /** Values of a band. */
  rows?: number | undefined
  /** `local` links documents of one source only. Default `global`. */
  scope?: 'global' | 'local' | undefined
  /** Link only documents whose estimated Jaccard similarity is at least `threshold`. Default false. */
  verify?: boolean | undefined
}

/** Where what does not fit in memory goes. */
export interface SpillOptions {
  /** A folder that is there: 8 bytes a band and document go into files in it, that are removed at the end. Default: all is in memory. */
  spillDir?: string | undefined
  /** With `spillDir`: bytes for keys and tables; 4 bytes a document lie beside them. Default 2^30. */
  memory?: number | undefined
}

/** The names of {@link NearOptions}. */
export const NEAR_OPTIONS = [
  'ngram',
  'numPerm',
  'seed',
  'threshold',
  'bands',
  'rows',
  'scope',
  'verify',
] as const

/** What a batch of documents comes with. */
export interface BatchOptions extends Cancellable {
  /** The source of each. */
  sources?: Sources | undefined
  /** float32 [n]: of a component the document with the largest is kept. With every batch, or with none. */
  prefer?: Tensor | undefined
}

/**
 * Finds near duplicates among documents that come in any number of batches, as {@link dedupNear} does among all of them. It holds no
 * texts: about 112 bytes a document (9 bands), or with `spillDir` 4 bytes beside `memory`.
 *
 * Calls are worked through in the order in which they are made.
 * @throws TamisError `bands`, `threshold`, `ngram`, `numPerm`, `seed`, `scope`, `memory`, `spillDir`
 * @example
 * import { corpus } from 'tamis'
 * const near = new corpus.NearDeduplicator({ threshold: 0.8 })
 * await near.add(['The same text, word for word.', 'Another text altogether'])
 * const { keep, first } = await near.add(['the same text word for word']) // [ 0 ], 2
 * const { representative } = await near.finish() // [ 0, 1, 0 ]
 */
export class NearDeduplicator {
  readonly #options: NativeNearOptions
  readonly #finder: NativeNearFinder
  readonly #sources = new SourceNumbers()
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options?: NearOptions & SpillOptions) {
    this.#options = nearOptions(options)
    this.#finder = new native.NearFinder(this.#options)
  }

  /**
   * Links a batch of documents, and tells which of them would be kept if no more came; with `spillDir` the mask is all 1. Only
   * {@link NearDeduplicator.finish} is final: a later document may join two kept ones, or be preferred.
   * @param input - texts, or signatures (uint32 [n, numPerm]) made by {@link kernels.minHash} with the same options
   * @returns the mask, and the index of the batch's first document
   * @throws TamisError `texts`, `numPerm` (signatures of another width), `sources`, `prefer`, and after `finish`
   */
  async add(input: readonly string[] | Tensor, options?: BatchOptions): Promise<NativeAddedBatch> {
    const o = checkOptions('options', options, ['sources', 'prefer', 'signal'])
    const { numPerm, local } = this.#options
    const signatures = Array.isArray(input) ? undefined : checkSignatures(input as Tensor, numPerm)
    const texts = signatures ? undefined : packTexts('texts', input)
    const count = signatures ? signatures.length / numPerm : (input as readonly string[]).length
    const sources = o.sources && this.#sources.of('sources', o.sources, count)
    checkScope(local, sources)
    const prefer = o.prefer && checkPrefer(o.prefer, count)
    return this.#inTurn(o, (job) =>
      texts
        ? this.#finder.addTexts(texts, sources, prefer, job)
        : this.#finder.addSignatures(signatures as Uint32Array, sources, prefer, job),
    )
  }

  /**
   * The kept document of every component. Nothing can be added afterwards, and spill files are gone.
   * @throws TamisError what a spill file cannot be read for
   */
  async finish(options?: Cancellable): Promise<Deduplicated> {
    const o = checkOptions('options', options, ['signal'])
    return this.#inTurn(o, (job) => this.#finder.finish(job))
  }

  #inTurn<T>({ signal }: Cancellable, call: (job: NativeJob) => Promise<T>): Promise<T> {
    const work = () => later({ call: (job) => call(job as NativeJob), finish: (value: T) => value }, signal)
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(() => undefined)
    return turn
  }
}

function nearOptions(options: (NearOptions & SpillOptions) | undefined): NativeNearOptions {
  const o = checkOptions('options', options, [...NEAR_OPTIONS, 'spillDir', 'memory'])
  const shape = minHashShape(o)
  if (o.spillDir !== undefined && (typeof o.spillDir !== 'string' || o.spillDir === '')) {
    throw new TamisError('ERR_TAMIS_TYPE', `spillDir must be the path of a folder, got ${show(o.spillDir)}`)
  }
  return {
    ...shape,
    ...checkBands(o, shape.numPerm),
    threshold: checkThreshold(o.threshold ?? 0.8),
    verify: checkBoolean('verify', o.verify, false),
    local: checkOneOf('scope', o.scope ?? 'global', ['global', 'local']) === 'local',
    spillDir: o.spillDir,
    memory: checkPositiveInteger('memory', o.memory ?? 2 ** 30),
  }
}

/** Both or neither, within the signature. */
export function checkBands(
  { bands, rows }: NearOptions,
  numPerm: number,
): { bands: number | undefined; rows: number | undefined } {
  if (bands === undefined && rows === undefined) return { bands, rows }
  if (bands === undefined || rows === undefined) {
    throw new TamisError('ERR_TAMIS_RANGE', 'bands and rows must be given together')
  }
  const checked = { bands: checkCount('bands', bands, 1), rows: checkCount('rows', rows, 1) }
  if (checked.bands * checked.rows <= numPerm) return checked
  const want = `bands * rows must be at most numPerm, ${numPerm}`
  throw new TamisError('ERR_TAMIS_RANGE', `${want}, got ${bands} * ${rows}`)
}

/** How many values the signatures have, if these are signatures. */
export function signatureWidth(input: readonly string[] | Tensor): number | undefined {
  if (Array.isArray(input)) return undefined
  return checkTensor('texts', input, { types: ['uint32'], ranks: [2] }).dims[1]
}

/** A copy: it may wait for its turn. */
function checkSignatures(input: Tensor, numPerm: number): Uint32Array {
  const { dims, data } = checkTensor('texts', input, { types: ['uint32'], ranks: [2] })
  if (dims[1] === numPerm) return Uint32Array.from(data)
  const want = `numPerm must be the width of the signatures`
  throw new TamisError('ERR_TAMIS_SHAPE', `${want}, ${dims[1]}, got ${numPerm}`)
}

function checkPrefer(prefer: Tensor, count: number): Float32Array {
  return Float32Array.from(checkTensor('prefer', prefer, { types: ['float32'], dims: [count] }).data)
}
