/**
 * Recipes over signals: images, audio, and the samplers that make them.
 * @module
 */
export {
  type DenoiseWaveletOptions,
  denoiseWavelet,
  superResolveVolume,
  type WaveletParts,
  waveletUnit,
} from './disgan.js'
export {
  type FitSubPixelOptions,
  type FittedSubPixel,
  fitSubPixel,
  type SuperResolveLoss,
  type SuperResolveOptions,
  superResolve,
  superResolveLoss,
} from './espcn.js'
export {
  pixelShuffle,
  pixelUnshuffle,
  type ResizeOptions,
  resize,
  type ShuffleOptions,
} from './espcn-pixels.js'
export { type GuideDiversityOptions, type Guided, guideDiversity } from './meaningful-diversity.js'
