/**
 * ComPEFT over files: an update as signs and one scale, and back.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import type { TernaryCost } from '../native-weights.js'
import type { NativeSigns } from '../native-weights-files.js'
import { checkOptions, show } from '../options.js'
import { checkKnown, TERNARIZE, type TernarizeOptions, ternarizeOptions } from '../ternary.js'
import {
  type BaseOptions,
  checkNames,
  checkOrigin,
  checkPath,
  checkType,
  optionsInForce,
  runOnWeights,
  WEIGHTS_FILE_OPTIONS,
  type WeightsFileOptions,
  type WeightsFiles,
  type WeightsType,
} from './run-files.js'

/** How an update is compressed. */
export interface CompressFilesOptions extends WeightsFileOptions, BaseOptions, TernarizeOptions {
  /** How signs are written. Default `golomb`. */
  encoding?: 'golomb' | 'bitmask' | undefined
  /** Tensors that are no part of the update. */
  skip?: readonly string[] | undefined
}

/** What a compressed update takes, in bits: see `weights.compressUpdate`. */
export interface CompressedFiles extends WeightsFiles, Omit<TernaryCost, 'elements'> {
  scale: number
}

/** A finite number. @hidden */
export function checkLambda(value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw new TamisError('ERR_TAMIS_RANGE', `lambda must be a finite number, got ${show(value)}`)
}

/**
 * Compresses a fine-tuning update on disk (ComPEFT, Yadav et al. 2023): of `model - base` (or of an adapter) only the
 * signs of the largest entries and one number are kept, in a safetensors file. The same bytes that
 * {@link writeTernary} makes of {@link compressUpdate}'s result.
 *
 * Reads the files three times, window by window, O(bytes); memory is two windows (32 MiB) and two bits an item of the
 * largest tensor, whatever the size of the model. Weights are float32, float16 or bfloat16. An interrupted call can be gone on with
 * (`resume`).
 * @param model - a `.safetensors` file, a sharded folder or its index
 * @throws TamisError `density must be in (0, 1]`, `alpha must be positive`, `unknown scale`, `unknown encoding`; with the
 * file and the tensor `updates differ in tensors`, `shape mismatch`, `not finite`; `update is empty`; `OUT exists`;
 * `ERR_TAMIS_IO`, also where the disk has no room; `ERR_TAMIS_ABORTED`
 * @example
 * import { weights } from 'tamis'
 * const { bytes, denseBits } = await weights.compressUpdateFiles('adapter', { out: 'update.safetensors', density: 0.05 })
 * console.log(`${(denseBits / 8 / bytes).toFixed(1)} times smaller`)
 */
export async function compressUpdateFiles(
  model: string,
  options: CompressFilesOptions,
): Promise<CompressedFiles> {
  const o = checkOptions('options', options, [...WEIGHTS_FILE_OPTIONS, ...TERNARIZE, 'encoding', 'skip'])
  checkPath('model', model)
  const { density, alpha } = ternarizeOptions(o)
  const encoding = checkKnown('encoding', o.encoding ?? 'golomb', ['golomb', 'bitmask'])
  const match = { ...checkOrigin(o), skip: checkNames('skip', o.skip) }
  return runOnWeights(o, async (run) => {
    const updates = await run.work((job) => native.openUpdates([model], match, job))
    const inputs = updates.inputs()
    const used = optionsInForce(o, {
      density,
      alpha,
      scale: alpha === undefined ? 'mean-abs' : 'std',
      encoding,
    })
    const { output, state } = await run.open('compeft', used, inputs)
    const written = await run.work((job) =>
      native.compressModel(updates, output, state, { density, alpha, golomb: encoding === 'golomb' }, job),
    )
    const { elements, ...signs } = written.signs() as NativeSigns
    const done = await run.commit(written, {
      method: 'compeft',
      options: used,
      inputs,
      tensors: updates.tensors(),
      elements,
      more: { signs },
    })
    return { ...done, ...signs }
  })
}

/** How an update is expanded. */
export interface ExpandFilesOptions extends WeightsFileOptions, BaseOptions {
  /** Which of several models: needed for a file with the masks of several. */
  task?: string | undefined
  /** What the update is multiplied with. Default 1. */
  lambda?: number | undefined
  /** The type of all weights. Default: each tensor's in the base; float32 without a base. */
  dtype?: WeightsType | undefined
}

/**
 * Expands an update that {@link compressUpdateFiles} wrote, or one task of a file of task masks: `base + lambda update`
 * with the base's files, types and side files, or without a base the update itself.
 *
 * Reads both once, O(bytes); memory is three windows (16 MiB) and one or two bits an item of the largest tensor. An interrupted call can
 * be gone on with (`resume`).
 * @param update - a `.safetensors` file, or a folder with one
 * @throws TamisError `not a ternary file`, `unsupported version`, `golomb stream is truncated`,
 * `golomb stream is corrupt`, `unknown task`; with the file and the tensor `updates differ in tensors`,
 * `shape mismatch`, `not finite`, `does not fit`; `OUT exists`; `ERR_TAMIS_IO`, `ERR_TAMIS_ABORTED`
 * @example
 * import { weights } from 'tamis'
 * await weights.expandUpdateFiles('update.safetensors', { base: 'model', out: 'model-tuned', dtype: 'bfloat16' })
 */
export async function expandUpdateFiles(update: string, options: ExpandFilesOptions): Promise<WeightsFiles> {
  const o = checkOptions('options', options, [...WEIGHTS_FILE_OPTIONS, 'task', 'lambda', 'dtype'])
  checkPath('update', update)
  const lambda = checkLambda(o.lambda ?? 1)
  const dtype = checkType(o.dtype)
  const task = o.task === undefined ? undefined : checkTask(o.task)
  const settings = { ...checkOrigin(o), task, lambda, dtype }
  return runOnWeights(o, async (run) => {
    const expansion = await run.work((job) => native.openExpansion(update, settings, job))
    const inputs = expansion.inputs()
    const used = optionsInForce(o, { lambda })
    const { output, state } = await run.open('expand-update', used, inputs)
    const written = await run.work((job) => native.expandModel(expansion, output, state, run.oneFile, job))
    return run.commit(written, {
      method: 'expand-update',
      options: used,
      inputs,
      tensors: expansion.tensors(),
      elements: expansion.elements(),
    })
  })
}

function checkTask(value: unknown): string {
  if (typeof value === 'string') return value
  throw new TamisError('ERR_TAMIS_TYPE', `task must be a string, got ${show(value)}`)
}
