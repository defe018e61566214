/**
 * Models: what recipes take from one, without Python.
 * @module
 */
export type { ModelCallOptions, ModelProgress } from './calls.js'
export {
  CausalLM,
  type EncodeOptions,
  type LossOptions,
  type Message,
  type PerplexityOptions,
  type SequenceLosses,
  type TextsOrTokens,
} from './causal-lm.js'
export { type ConvertedModel, type ConvertOptions, convertGguf } from './convert-gguf.js'
export { type EmbeddedFiles, type EmbedFilesOptions, type EmbedPass, embedFiles } from './embed-files.js'
export { type FetchModelOptions, type FetchProgress, fetchModel, type ModelSource } from './hub.js'
export { type ScoredFiles, type ScoreFilesOptions, type ScorePass, scoreFiles } from './score-files.js'
export { TextEmbedder, type TextEmbedderOptions } from './text-embedder.js'
