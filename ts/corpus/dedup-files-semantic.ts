/**
 * Duplicates in files by meaning: documents whose embeddings point the same way.
 * @module
 */
import { TamisError } from '../errors.js'
import { bytesOf, runOnFiles } from '../files.js'
import { kMeans } from '../kernels/index.js'
import { native } from '../native.js'
import { checkCount, checkNumber, checkOptions, parseSeed, type Seed } from '../options.js'
import { openPlaces } from '../places.js'
import { DEDUP_OPTIONS, type FileDedupOptions, type FileSources, planDedup } from './dedup-files-options.js'
import { surveyGroups } from './dedup-files-report.js'
import { completeDedup, type FileDedup, sourcesOf } from './dedup-files-result.js'
import { checkSource, type VectorFileOptions, vectorsOf } from './embedded-files.js'

/** What {@link dedupFilesSemantic} is told. */
export interface SemanticFileOptions
  extends Omit<FileDedupOptions, 'against' | 'memory'>,
    Pick<VectorFileOptions, 'embeddings' | 'vectors' | 'vectorsName'> {
  /** The cosine from which on documents are duplicates, above 0, at most 1. Default 0.95. */
  threshold?: number
  /** Clusters, within which documents are compared: 1 to the number of records. Default max(1, floor(sqrt(records / 10))). */
  k?: number
  /** Of the clusters' starts: an integer 0..2^64-1. Default 0. */
  seed?: Seed
}

const KNOWN = [
  ...DEDUP_OPTIONS.filter((name) => name !== 'against' && name !== 'memory'),
  'embeddings',
  'vectors',
  'vectorsName',
  'threshold',
  'k',
  'seed',
] as const

/** Updates of the clusters' centres: they only have to keep what is alike together. */
const ITERATIONS = 20

/**
 * Keeps the first of each group of records whose embeddings are alike, and writes it with all its other fields to one
 * file or a folder. Embeddings are clustered (spherical k-means), and records of one cluster whose cosine is at least
 * `threshold` are linked; a group is what links join. O(records * k * dimensions) for each of at most 20 iterations, and
 * O(records^2 / k * dimensions) to compare; pairs that lie in different clusters are not found.
 *
 * Memory: the vectors, three times, and 60 bytes a record.
 * @param inputs - the files, see {@link FileSources}
 * @throws TamisError `threshold`, `k`, `embeddings`, `vectors`, what {@link kernels.kMeans} throws of rows without a direction,
 * and what {@link dedupFilesExact} throws of files
 * @example
 * import { corpus } from 'tamis'
 * const { kept } = await corpus.dedupFilesSemantic(['pool.parquet'], { vectors: 'pool.npy', out: 'distinct.parquet' })
 */
export async function dedupFilesSemantic(
  inputs: FileSources,
  options: SemanticFileOptions,
): Promise<FileDedup> {
  const o = checkOptions('options', options, KNOWN)
  const plan = planDedup(inputs, o)
  const source = checkSource(o)
  const threshold = checkNumber('threshold', o.threshold ?? 0.95, { above: 0, max: 1 })
  const given = o.k === undefined ? undefined : checkCount('k', o.k, 1)
  const seed = parseSeed(o.seed)
  return runOnFiles(o, async (run) => {
    const pool = await run.open(plan.patterns)
    const sources = sourcesOf(plan, pool)
    const { normalize: _normalize, ...vectors } = source.told
    const fingerprint = {
      tamis: native.version(),
      unicode: native.unicodeVersion(),
      method: 'semantic',
      ...run.read,
      ...vectors,
      threshold,
      k: given,
      seed: String(seed),
      scope: plan.local,
      sources,
    }
    const places = await openPlaces(run, plan, [pool], fingerprint, source.files)
    run.begin('mark', bytesOf(pool))
    const wanted = { vector: source.field, numbers: [], hash: true, threads: run.threads }
    const found = await run.work((job) => native.findPlaces(pool, wanted, run.state, job))
    const x = await vectorsOf(run, found, source)
    const records = found.records()
    if (given !== undefined && given > records) {
      throw new TamisError('ERR_TAMIS_RANGE', `k must be at most the ${records} records, got ${given}`)
    }
    const k = given ?? Math.max(1, Math.floor(Math.sqrt(records / 10)))
    run.begin('link', 0)
    const clustering = { k, spherical: true, maxIterations: ITERATIONS, seed, signal: o.signal }
    const labels = await run.once('labels', Uint32Array, async () =>
      records === 0 ? new Uint32Array() : (await kMeans(x, clustering)).labels.data,
    )
    const similar = { threshold, sources: plan.local ? sources : undefined }
    const duplicates = await run.work((job) => native.findSimilar(found, x.data, labels, similar, job))
    const survey = await surveyGroups(run, duplicates, sources)
    const { shown } = survey
    const chosen = found.chooseShown(duplicates.kept(), shown)
    run.begin('write', chosen.bytes())
    const how = { ngrams: 1, buckets: 1, addScores: undefined, examples: shown.length, threads: run.threads }
    const written = run.hold(
      await run.work((job) => native.writeChosen(pool, chosen, places.output, how, undefined, job)),
    )
    const seen = [
      { files: found.files(), bad: found.bad(), bytesRead: found.bytesRead(), hashes: found.hashes() },
    ]
    const settings = { ...vectors, threshold, k, seed: String(seed) }
    return completeDedup(
      run,
      plan,
      { places, pool, against: undefined, sources },
      { method: 'semantic', settings, seen, duplicates, survey, written },
    )
  })
}
