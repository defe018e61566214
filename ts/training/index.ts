/**
 * Recipes of training: what to show a model, and in which order.
 * @module
 */
export {
  type InstanceNoiseOptions,
  instanceNoise,
  type RelativisticLoss,
  relativisticLoss,
} from './disgan.js'
export {
  type ReweightedLoss,
  type ReweightLossOptions,
  type ReweightOptions,
  type ReweightStrategy,
  reweightLoss,
  weighSamples,
} from './loss-reweight.js'
export {
  drawSubset,
  RandomSubsets,
  type RandomSubsetsOptions,
  type SubsetOptions,
} from './rs2.js'
