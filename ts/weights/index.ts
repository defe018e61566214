/**
 * Recipes that choose weights and bits: layers, channels and weights dropped; updates compressed, merged and told apart.
 * @module
 */
export {
  type AllocateSparsityOptions,
  allocateRanks,
  allocateSparsity,
  type FfnWeights,
  type SpreadOptions,
  scoreFfn,
  selectNeurons,
} from './cfsp.js'
export {
  type CompressedUpdate,
  compressUpdate,
  decodeTernary,
  dotTernary,
  encodeTernary,
  expandTernary,
  multiplyTernary,
  readTernary,
  type TernarizeOptions,
  type TernaryCost,
  type TernaryTensor,
  writeTernary,
} from './compeft.js'
export {
  type CompressedFiles,
  type CompressFilesOptions,
  compressUpdateFiles,
  type ExpandFilesOptions,
  expandUpdateFiles,
} from './compress-files.js'
export { type CompensateOptions, type Compensation, compensateLowRank, gram } from './eora.js'
export {
  ActivationStats,
  type ActivationStatsOptions,
  type ActivationSummary,
  type ChannelMetric,
  scoreChannels,
} from './flap.js'
export {
  type BlockRun,
  type DroppedLayers,
  dropBlockRun,
  dropLayers,
  type LayerSimilarities,
  namesWithoutLayers,
  type SimilarityOptions,
  SimilarityStats,
} from './llm-drop.js'
export {
  type Answered,
  type AnswerScores,
  type ComparedModel,
  compareCompressed,
  evaluateCompressed,
  type GeneratingModel,
  matchFactoids,
  parseJudge,
  perplexity,
  type ScoredTask,
  scoreAnswers,
} from './llm-kick.js'
export {
  type ChoiceItem,
  choicePrompt,
  contextPrompt,
  type RetrievalItem,
  retrievalTask,
} from './llm-kick-prompts.js'
export {
  type PrunedLinear,
  type PruneInputsOptions,
  type PruneOutputsOptions,
  pruneInputs,
  pruneOutputs,
} from './matrix.js'
export {
  type MergedFiles,
  type MergeFilesOptions,
  type MergeMethod,
  mergeFiles,
} from './merge-files.js'
export type {
  BaseOptions,
  WeightsFileOptions,
  WeightsFiles,
  WeightsPass,
  WeightsProgress,
  WeightsType,
} from './run-files.js'
export type { MaskDict, StateDict } from './state-dict.js'
export {
  type SearchStructureOptions,
  type Structure,
  type StructureScores,
  searchStructure,
} from './structure.js'
export {
  type Consensus,
  consensusMask,
  type MaskTasksOptions,
  maskTasks,
  mergeConsensus,
  readTask,
  type TaskMasks,
  writeTasks,
} from './tall-masks.js'
export { addUpdate, type MergeTiesOptions, mergeTies, taskVector } from './ties.js'
export { type PruneWeightsOptions, pruneMagnitude, pruneWanda, type SparseWeight } from './wanda.js'
