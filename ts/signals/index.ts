/**
 * Recipes over signals: images, audio, and the samplers that make them.
 * @module
 */
export { type GuideDiversityOptions, type Guided, guideDiversity } from './meaningful-diversity.js'
