/**
 * N-gram counts as files: a corpus counted once, in parts or whole, and fitted from many times.
 *
 * Counting is a sum of integers: the counts of parts, worked through in any order, in other processes or on other
 * machines, merge to the counts of the whole. The file's form is documented in `docs/formats.md`.
 * @module
 */
import { fromNative } from '../errors.js'
import {
  bytesOf,
  checkApart,
  checkName,
  checkPatterns,
  checkSideFile,
  checkStandardInput,
  FILE_OPTIONS,
  type FileOptions,
  runOnFiles,
} from '../files.js'
import { native } from '../native.js'
import type { NativeNgramCounts } from '../native-files.js'
import { type NgramOptions, ngramShape } from '../ngrams.js'
import { checkBoolean, checkOptions } from '../options.js'
import type { Tensor } from '../tensor.js'

/** Counts of hashed n-grams over a corpus, or a part of one. */
export interface NgramCounts {
  /** The longest n-gram counted. */
  ngrams: number
  buckets: number
  /** Version of the Unicode tables that cut and lower-cased the words: counts of two versions do not merge. */
  unicode: string
  /** Records counted. */
  records: number
  /** Tokens in them. */
  tokens: number
  /** N-grams in them: the sum of the counts. */
  features: number
  /** UTF-8 bytes of text in them. */
  bytes: number
  /** float64 [buckets] of whole numbers. */
  counts: Tensor
}

/** How {@link countNgramFiles} works. */
export interface CountFilesOptions extends NgramOptions, FileOptions<'count'> {
  /** Write the counts to this file. */
  out?: string
  /** Replace an output that exists. Default false. */
  force?: boolean
}

const asCounts = ({ counts, ...header }: NativeNgramCounts): NgramCounts => ({
  ...header,
  counts: { type: 'float64', dims: [counts.length], data: counts },
})

/**
 * Counts the n-grams of files: what {@link kernels.countNgrams} gives for their texts. One pass, O(bytes), in
 * parallel; memory does not grow with the files.
 * @param files - paths, globs, folders, `-` for standard input
 * @returns the counts, and how many bad records were skipped
 * @throws TamisError `FILE:RECORD: not a record with a string field "text"`, what the files' formats refuse, and
 * `ERR_TAMIS_ABORTED`
 * @example
 * import { corpus } from 'tamis'
 * const { features } = await corpus.countNgramFiles(['part-1/*.jsonl.gz'], { out: 'part-1.counts' })
 */
export async function countNgramFiles(
  files: readonly string[],
  options?: CountFilesOptions,
): Promise<NgramCounts & { skipped: number; bad: string[] }> {
  const o = checkOptions('options', options, ['ngrams', 'buckets', 'out', 'force', ...FILE_OPTIONS])
  const { ngrams, buckets } = ngramShape(o)
  const patterns = checkPatterns('files', files)
  checkStandardInput(patterns, false)
  const force = checkBoolean('force', o.force, false)
  if (o.out !== undefined) checkSideFile('out', o.out, force)
  return runOnFiles(o, async (run) => {
    const corpus = await run.open(patterns)
    if (o.out !== undefined) await checkApart(o.out, [corpus])
    run.begin('count', bytesOf(corpus))
    const counted = await run.work((job) =>
      native.countCorpus(
        corpus,
        { ngrams, buckets, hash: false, threads: run.threads },
        undefined,
        'count',
        job,
      ),
    )
    const sum = (of: 'records' | 'tokens' | 'features' | 'textBytes' | 'skipped') =>
      counted.files.reduce((total, file) => total + file[of], 0)
    const result: NativeNgramCounts = {
      ngrams,
      buckets,
      unicode: native.unicodeVersion(),
      records: sum('records'),
      tokens: sum('tokens'),
      features: sum('features'),
      bytes: sum('textBytes'),
      counts: counted.counts,
    }
    run.check()
    if (o.out !== undefined) await native.writeCounts(o.out, result, force, run.job)
    return { ...asCounts(result), skipped: sum('skipped'), bad: counted.bad }
  })
}

/**
 * Adds up counts files. Those of another n-gram length, number of buckets or Unicode version are refused.
 * @param options - `out`: write the sum to this file; `force`: replace it
 * @example
 * import { corpus } from 'tamis'
 * await corpus.mergeNgramCounts(['part-1.counts', 'part-2.counts'], { out: 'raw.counts' })
 */
export async function mergeNgramCounts(
  paths: readonly string[],
  options?: { out?: string; force?: boolean },
): Promise<NgramCounts> {
  const o = checkOptions('options', options, ['out', 'force'])
  const force = checkBoolean('force', o.force, false)
  const files = checkPatterns('paths', paths)
  if (o.out !== undefined) checkSideFile('out', o.out, force)
  try {
    const sum = await native.mergeCounts(files, new native.Job())
    if (o.out !== undefined) await native.writeCounts(o.out, sum, force, new native.Job())
    return asCounts(sum)
  } catch (error) {
    throw fromNative(error)
  }
}

/**
 * Reads a counts file.
 * @throws TamisError what is no whole and undamaged counts file
 * @example
 * import { corpus } from 'tamis'
 * const { counts, records } = await corpus.readNgramCounts('raw.counts')
 */
export async function readNgramCounts(path: string): Promise<NgramCounts> {
  checkName('path', path)
  try {
    return asCounts(await native.readCounts(path, new native.Job()))
  } catch (error) {
    throw fromNative(error)
  }
}
