/**
 * Vectors on disk.
 * @module
 */
import { TamisError } from '../errors.js'
import { checkName } from '../files.js'
import { native } from '../native.js'
import { checkOptions, show } from '../options.js'
import { type Cancellable, later } from '../run.js'
import type { Tensor } from '../tensor.js'

/** One file or several, as a list. @hidden */
export function checkPaths(name: string, paths: unknown): string[] {
  const list = typeof paths === 'string' ? [paths] : paths
  if (Array.isArray(list) && list.length > 0) return list.map((path) => checkName(name, path))
  throw new TamisError('ERR_TAMIS_TYPE', `${name} must be a path or a list of paths, got ${show(paths)}`)
}

/**
 * Reads vectors, one a row: a `.npy` array of two axes, a tensor of a `.safetensors` file, a column of lists of a `.parquet` file,
 * or a field of `.jsonl` records (also `.gz`, `.zst`). Several files are read one after the other. O(bytes), off the event
 * loop; memory: the result.
 * @param paths - a file, or several of vectors of one width
 * @param options - `name`: which tensor, column or field (dots reach nested ones); default: the only one, in JSONL `embedding`
 * @returns float32 [n, d], all of it finite
 * @throws TamisError `ERR_TAMIS_FORMAT` with file and row for what is no such file or no such vector, `ERR_TAMIS_IO`
 * @example
 * import { corpus } from 'tamis'
 * const x = await corpus.readVectors('embeddings.npy')
 * const { scores } = await corpus.prototypeScores(x, { clusters: 100 })
 */
export async function readVectors(
  paths: string | readonly string[],
  options?: { name?: string | undefined } & Cancellable,
): Promise<Tensor<'float32'>> {
  const o = checkOptions('options', options, ['name', 'signal'])
  const files = checkPaths('paths', paths)
  const name = o.name === undefined ? undefined : checkName('name', o.name)
  return later(
    {
      // A later call always has a job.
      call: (job) => native.readVectors(files, name, job ?? new native.Job()),
      finish: ({ rows, width, data }): Tensor<'float32'> => ({ type: 'float32', dims: [rows, width], data }),
    },
    o.signal,
  )
}
