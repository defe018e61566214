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
export { Hesso, type HessoSchedule, type HessoStep } from './hesso.js'
export { HessoCric, type HessoCricOptions, type HessoCricStep } from './hesso-cric.js'
export { groupSaliency, type HessoOptions, type PruneGroups } from './hesso-groups.js'
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
