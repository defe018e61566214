/**
 * tamis: what to keep. Methods of published papers, on fast native kernels.
 * @module
 */
import { native } from './native.js'

export * as corpus from './corpus/index.js'
export { TamisError, type TamisErrorCode } from './errors.js'
export * as kernels from './kernels/index.js'
export * as models from './models/index.js'
export type { Seed } from './options.js'
export { operations, type Recipe, type Room, recipes } from './recipes.js'
export * as report from './report/index.js'
export type { Cancellable } from './run.js'
export * as signals from './signals/index.js'
export { type Float16Like, type Tensor, type TensorData, type TensorType, tensor } from './tensor.js'
export { setThreads, threads } from './threads.js'
export * as training from './training/index.js'
export * as vectors from './vectors/index.js'
export * as weights from './weights/index.js'

/** The version of this package's addon. */
export const version: string = native.version()
