/**
 * Recipes over vectors: tokens, embeddings, samples.
 * @module
 */
export {
  type BatchOfTokens,
  type PrunedBatch,
  type PrunedTokens,
  type PruneTokensOptions,
  pruneTokens,
} from './divprune.js'
export {
  type PickDiverseOptions,
  pickDiverse,
  type SampleMetric,
  type UniformizeOptions,
  uniformizeWeights,
} from './meaningful-diversity.js'
export {
  AttributedIndex,
  type AttributedIndexOptions,
  type AttributeFilter,
  type SearchAnswer,
  type SearchOptions,
} from './squash.js'
export {
  allocateBits,
  type DistanceBounds,
  designCells,
  packCodes,
  quantizedBounds,
  unpackCodes,
} from './squash-codes.js'
