/**
 * The operations on which every recipe runs. Each is a promise under its plain name, worked off the event loop, and
 * synchronous with the suffix `Sync`.
 * @module
 */
export {
  type ApportionOptions,
  type Assignment,
  type AssignOptions,
  apportion,
  apportionSync,
  assign,
  assignSync,
} from './assign.js'
export { type KMeans, type KMeansOptions, kMeans, kMeansSync } from './cluster.js'
export { type ConvolveOptions, convolve, convolveSync } from './convolve.js'
export {
  type Metric,
  type Nearest,
  type NearestOptions,
  nearest,
  nearestSync,
  type PairwiseOptions,
  pairwise,
  pairwiseSync,
  type Scores,
} from './distances.js'
export {
  type FarthestFirst,
  type FarthestFirstOptions,
  farthestFirst,
  farthestFirstSync,
} from './diversity.js'
export {
  type Eigen,
  eigh,
  eighSync,
  type FactorOptions,
  leastSquares,
  leastSquaresSync,
  type RidgeOptions,
  type Svd,
  solve,
  solveSync,
  svd,
  svdSync,
} from './factor.js'
export {
  type LshParams,
  lshParams,
  lshParamsSync,
  type MinHashOptions,
  minHash,
  minHashSync,
} from './minhash.js'
export {
  type CountNgramsOptions,
  countNgrams,
  countNgramsSync,
  hashNgrams,
  hashNgramsSync,
  type NgramOptions,
  type NgramRows,
} from './ngrams.js'
export {
  dequantize,
  dequantizeSync,
  type Quantized,
  type QuantizeOptions,
  quantize,
  quantizeSync,
} from './quantize.js'
export {
  below,
  belowSync,
  type DrawOptions,
  type Filled,
  gumbel,
  gumbelSync,
  normal,
  normalSync,
  permutation,
  permutationSync,
  philox,
  philoxSync,
  type RealDrawOptions,
  uniform,
  uniformSync,
} from './random.js'
export {
  type GumbelTopK,
  type GumbelTopKOptions,
  gumbelTopK,
  gumbelTopKSync,
  type TopK,
  type TopKOptions,
  topK,
  topKSync,
} from './select.js'
export { type Sparse, type SparsifyOptions, sparsify, sparsifySync } from './sparsify.js'
export { type TernarizeOptions, type TernaryTensor, ternarize, ternarizeSync } from './ternary.js'
export {
  type InverseWavelet2Options,
  type InverseWavelet3Options,
  inverseWavelet2,
  inverseWavelet2Sync,
  inverseWavelet3,
  inverseWavelet3Sync,
  type Wavelet,
  type WaveletFilter,
  type WaveletOptions,
  wavelet2,
  wavelet2Sync,
  wavelet3,
  wavelet3Sync,
  waveletFilter,
  waveletFilterSync,
} from './wavelets.js'
