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
export { selectFilesByImportance } from './dsir-files.js'
export type { FileImportanceOptions, FileTargets } from './dsir-fit.js'
export type { FileOptions, FileProgress, ReadOptions } from './files.js'
export {
  type CountFilesOptions,
  countNgramFiles,
  mergeNgramCounts,
  type NgramCounts,
  readNgramCounts,
} from './ngram-counts.js'
export { readScores, type Scores } from './scores.js'
export type { FileSelection } from './select-files.js'
export type { FileSelectionOptions, SelectionPass } from './select-files-options.js'
