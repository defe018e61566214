/**
 * Recipes of training: what to show a model, in which order, and what of it to keep.
 * @module
 */

export { type CubicSparsityOptions, cubicSparsity } from './cubic-sparsity.js'
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
  type PstLinear,
  type PstOptions,
  type PstTrainable,
  type PstWeights,
  pstInit,
  pstLinear,
  pstMergeWeight,
} from './pst.js'
export {
  drawSubset,
  RandomSubsets,
  type RandomSubsetsOptions,
  type SubsetOptions,
} from './rs2.js'
