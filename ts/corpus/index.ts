/**
 * Recipes that choose documents.
 * @module
 */

export type { FileOptions, FileProgress, ReadOptions } from '../files.js'
export {
  filterByLossReduction,
  type LossReduction,
  type LossReductionOptions,
  type SequenceLossOptions,
  sequenceLoss,
} from './color-filter.js'
export { type LossReductionFileOptions, selectFilesByLossReduction } from './color-filter-files.js'
export {
  dedupFilesExact,
  dedupFilesNear,
  type ExactFileOptions,
  type NearFileOptions,
} from './dedup-files.js'
export type { DedupPass, FileDedupOptions, FileSources } from './dedup-files-options.js'
export type { FileDedup } from './dedup-files-result.js'
export { dedupFilesSemantic, type SemanticFileOptions } from './dedup-files-semantic.js'
export {
  type ClusterSample,
  type ClusterSampleOptions,
  type DiverseSelection,
  IterativeSampler,
  type IterativeSamplerOptions,
  sampleClusters,
  selectDiverse,
} from './diversify-conquer.js'
export {
  type ImportanceOptions,
  importanceResample,
  importanceWeights,
  klReduction,
  ngramLogRatio,
  type Resampled,
  type ResampleOptions,
  selectByImportance,
  type Weighted,
} from './dsir.js'
export { type ImportanceSelection, selectFilesByImportance } from './dsir-files.js'
export type { FileImportanceOptions, FileTargets } from './dsir-fit.js'
export {
  type ClusterFileOptions,
  type DistanceFileOptions,
  type PrototypeFileOptions,
  selectFilesByClusters,
  selectFilesByDistance,
  selectFilesByPrototypes,
  type VectorFileOptions,
} from './embedded-files.js'
export {
  type MixedFiles,
  type MixedSources,
  type MixFilesOptions,
  type MixPass,
  mixFiles,
} from './mix-files.js'
export {
  type CountFilesOptions,
  countNgramFiles,
  mergeNgramCounts,
  type NgramCounts,
  readNgramCounts,
} from './ngram-counts.js'
export {
  type CompressionFileOptions,
  type RandomFileOptions,
  selectFilesAtRandom,
  selectFilesByCompression,
} from './scored-files.js'
export { readScores, type Scores } from './scores.js'
export type { FileSelection } from './select-files.js'
export type { FileSelectionOptions, SelectionPass } from './select-files-options.js'
export {
  cleanText,
  dedupExact,
  dedupNear,
  type ExactOptions,
  filterShort,
  type ShortOptions,
} from './slimpajama.js'
export { BloomFilter, type BloomOptions } from './slimpajama-bloom.js'
export { type Mixed, type MixOptions, mixSources } from './slimpajama-mix.js'
export {
  type BatchOptions,
  type Deduplicated,
  NearDeduplicator,
  type NearOptions,
  type SpillOptions,
} from './slimpajama-near.js'
export type { Sources } from './slimpajama-sources.js'
export {
  dedupSemantic,
  type PrototypeOptions,
  type PrototypeScores,
  type PruneOptions,
  prototypeScores,
  pruneByScore,
  type SemanticDedup,
} from './ssl-prototypes.js'
export { readVectors } from './vector-files.js'
export {
  alignByCompression,
  type CompressionAlignment,
  type CompressionSelection,
  compressedSizes,
  selectByCompression,
  type ZipOptions,
} from './zip-fit.js'
