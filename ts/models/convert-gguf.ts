/**
 * GGUF files as folders that other tools load.
 * @module
 */
import { native } from '../native.js'
import { checkBoolean, checkOneOf, checkOptions } from '../options.js'
import { callModel, checkPath, type ModelCallOptions } from './calls.js'

/** What {@link convertGguf} is told. */
export interface ConvertOptions extends Pick<ModelCallOptions, 'signal'> {
  /** The type of the weights. Default `float32`, which keeps the values that the file's blocks stand for. */
  dtype?: 'float32' | 'float16' | 'bfloat16'
  /** Whether a folder that is there is replaced. Default false. */
  force?: boolean
}

/** What {@link convertGguf} wrote. */
export interface ConvertedModel {
  tensors: number
  parameters: number
  /** Of `model.safetensors`. */
  bytes: number
}

/**
 * Writes a GGUF file of Llama's architecture as a folder that transformers, and {@link CausalLM}, load: `config.json`, `tokenizer.json`,
 * `tokenizer_config.json` and `model.safetensors`. Queries' and keys' rows, which GGUF keeps in pairs, are turned back to halves; tied heads
 * stay tied. The folder appears whole or not at all. O(parameters); memory: the largest tensor in float32.
 * @throws TamisError `ERR_TAMIS_FORMAT` with what is not read or has no place in such a folder: another architecture, tokenizer, or type of
 * blocks; `ERR_TAMIS_RANGE` if the folder is there; `ERR_TAMIS_IO`
 * @example
 * import { models } from 'tamis'
 * await models.convertGguf('SmolLM2-135M-Instruct.Q4_1.gguf', 'smollm2', { dtype: 'bfloat16' })
 */
export async function convertGguf(
  file: string,
  folder: string,
  options?: ConvertOptions,
): Promise<ConvertedModel> {
  const [from, to] = [checkPath('file', file), checkPath('folder', folder)]
  const o = checkOptions('options', options, ['signal', 'dtype', 'force'])
  const dtype = checkOneOf('dtype', o.dtype ?? 'float32', ['float32', 'float16', 'bfloat16'])
  const force = checkBoolean('force', o.force, false)
  return callModel({ signal: o.signal }, 1, (job) => native.convertGguf(from, to, dtype, force, job))
}
