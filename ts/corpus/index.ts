/**
 * Recipes that choose documents.
 * @module
 */
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
export { type FileImportanceOptions, type FileTargets, selectFilesByImportance } from './dsir-files.js'
export type { FileOptions, FileProgress, ReadOptions } from './files.js'
export {
  type CountFilesOptions,
  countNgramFiles,
  mergeNgramCounts,
  type NgramCounts,
  readNgramCounts,
} from './ngram-counts.js'
export { readScores, type Scores } from './scores.js'
export type { FileSelection, FileSelectionOptions, SelectionPass } from './select-files.js'
