/**
 * Recipes of training: what to show a model, and in which order.
 * @module
 */
export {
  drawSubset,
  RandomSubsets,
  type RandomSubsetsOptions,
  type SubsetOptions,
} from './rs2.js'
