/**
 * ZIP-FIT (Obbad, Mlauzi, Miranda, Schaeffer, Obbad, Bedi, Koyejo, "ZIP-FIT: Embedding-Free Data Selection via
 * Compression-Based Alignment", arXiv 2410.18194): keep what shares the most substrings with a small set of targets,
 * as gzip sees them.
 *
 * C(x) is the size in bytes of the gzip file of the UTF-8 text by stock zlib, and the alignment of x with t is
 * `1 - NCD(x, t) = 1 - (C(xt) - min(C(x), C(t))) / max(C(x), C(t))`: near 0 for unrelated texts, up to about 1 for
 * equal ones. The authors' package takes level 0 by default, which stores without compressing; here the default is 6,
 * and 0 is refused.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkOptions, show } from '../options.js'
import { type Cancellable, later, type Operation, promised } from '../run.js'
import { type Tensor, viewBytes } from '../tensor.js'
import { packTexts } from '../texts.js'

/** How hard gzip tries. */
export interface ZipOptions {
  /** 1..9. Default 6, gzip's own. */
  level?: number | undefined
}

function checkLevel(level: unknown = 6): number {
  if (typeof level === 'number' && Number.isInteger(level) && level >= 1 && level <= 9) return level
  throw new TamisError('ERR_TAMIS_RANGE', `level must be an integer from 1 to 9, got ${show(level)}`)
}

function pack(name: string, texts: readonly string[]) {
  try {
    return packTexts(name, texts)
  } catch (error) {
    if (error instanceof TamisError && error.code === 'ERR_TAMIS_TYPE') {
      throw new TamisError(error.code, `texts must be strings: ${error.message}`)
    }
    throw error
  }
}

function packSome(name: string, texts: readonly string[]) {
  const packed = pack(name, texts)
  if (texts.length > 0) return packed
  throw new TamisError('ERR_TAMIS_RANGE', `${name} must not be empty`)
}

/**
 * The gzip size of each text in bytes: uint32 [n]. An empty text has 20. O(bytes), in parallel.
 * @param texts - [n]; lone surrogates count as U+FFFD
 * @throws TamisError `level must be an integer from 1 to 9`, `texts must be strings`
 * @example
 * import { corpus } from 'tamis'
 * const sizes = await corpus.compressedSizes(['', 'abc abc abc abc abc'])
 * console.log(sizes.data) // Uint32Array(2) [ 20, 26 ]
 */
export async function compressedSizes(
  texts: readonly string[],
  options?: ZipOptions & Cancellable,
): Promise<Tensor<'uint32'>> {
  return promised(options, (o): Operation<Uint32Array, Tensor<'uint32'>> => {
    const level = checkLevel(checkOptions('options', o, ['level']).level)
    const packed = pack('texts', texts)
    return {
      call: (job) => native.compressedSizes(packed, level, job),
      finish: (data) => ({ type: 'uint32', dims: [data.length], data }),
    }
  })
}

/** How well the targets explain the sources. */
export interface CompressionAlignment {
  /** [n]: the mean of 1 - NCD of each source over the targets. */
  scores: Tensor<'float64'>
  /** Over all pairs. */
  mean: number
}

function align(
  sources: readonly string[],
  targets: readonly string[],
  level: number,
): Operation<{ scores: Float64Array; mean: number }, CompressionAlignment> {
  const [from, to] = [packSome('sources', sources), packSome('targets', targets)]
  return {
    call: (job) => native.compressionAlignments(from, to, level, job),
    finish: ({ scores, mean }) => ({
      scores: { type: 'float64', dims: [scores.length], data: scores },
      mean,
    }),
  }
}

/**
 * The alignment of each source with the targets (the paper's Section 3; exact, and the same on every machine, since
 * every size is an integer), and its mean. O(sources * targets * length), in parallel over sources; what of a source
 * does not depend on the target is compressed once.
 * @param sources - [n], one or more
 * @param targets - one or more
 * @throws TamisError `sources must not be empty`, `targets must not be empty`, `level must be an integer from 1 to 9`,
 * `texts must be strings`
 * @example
 * import { corpus } from 'tamis'
 * const { scores } = await corpus.alignByCompression(['for i in x: print(i)', 'a rose'], ['for j in y: print(j)'])
 * console.log(scores.data[0] > scores.data[1]) // true
 */
export async function alignByCompression(
  sources: readonly string[],
  targets: readonly string[],
  options?: ZipOptions & Cancellable,
): Promise<CompressionAlignment> {
  return promised(options, (o) => {
    const level = checkLevel(checkOptions('options', o, ['level']).level)
    return align(sources, targets, level)
  })
}

/** What a selection by compression keeps. */
export interface CompressionSelection {
  /** [count], ascending. */
  indices: Tensor<'uint32'>
  /** [n]: the alignment of every source. */
  scores: Tensor<'float64'>
}

/**
 * Keeps the `count` sources with the highest {@link alignByCompression}; ties go to the lowest index.
 * @param sources - [n], one or more
 * @param targets - one or more
 * @param options - `count`: 1..n
 * @throws TamisError `count must be between 1 and N`, and what {@link alignByCompression} throws
 * @example
 * import { corpus } from 'tamis'
 * const pool = ['def f(x): return x', 'a rose is a rose', 'def g(y): return y']
 * const { indices } = await corpus.selectByCompression(pool, ['def h(z): return z'], { count: 2 })
 * console.log(indices.data) // Uint32Array(2) [ 0, 2 ]
 */
export async function selectByCompression(
  sources: readonly string[],
  targets: readonly string[],
  options: ZipOptions & { count: number } & Cancellable,
): Promise<CompressionSelection> {
  const o = checkOptions('options', options, ['level', 'count', 'signal'])
  const { count, signal } = o
  const operation = align(sources, targets, checkLevel(o.level))
  if (!Number.isInteger(count) || count < 1 || count > sources.length) {
    const want = `count must be between 1 and ${sources.length}`
    throw new TamisError('ERR_TAMIS_RANGE', `${want}, got ${show(count)}`)
  }
  const { scores } = await later(operation, signal)
  const chosen: Operation<{ indices: Uint32Array }, CompressionSelection> = {
    call: (job) => native.topK('float64', viewBytes(scores), sources.length, count, true, false, job),
    finish: ({ indices }) => ({ indices: { type: 'uint32', dims: [count], data: indices }, scores }),
  }
  return later(chosen, signal)
}
