/**
 * The scores file of a selection: the weights of every record, so that another choice needs no new scoring.
 * @module
 */
import { fromNative } from '../errors.js'
import { checkName } from '../files.js'
import { native } from '../native.js'
import type { Tensor } from '../tensor.js'

/** The scores of all records of a selection's raw files, in their order. */
export interface Scores {
  /** float64 [n], or [n, targets] of several targets. */
  logWeights: Tensor
  /** uint32 [n] */
  tokens: Tensor
  /** Names of the targets' columns. */
  columns: string[]
}

/**
 * Reads the file that `scores` of {@link selectFilesByImportance} wrote; {@link importanceResample} draws from it with
 * another count, seed, method or length. O(records) memory: 12 bytes a record of one target.
 * @throws TamisError `ERR_TAMIS_FORMAT` for what is no scores file, `ERR_TAMIS_IO`
 * @example
 * import { corpus } from 'tamis'
 * const { logWeights, tokens } = await corpus.readScores('scores.parquet')
 * const { indices } = await corpus.importanceResample(logWeights, 1000, { tokens, seed: 2 })
 */
export async function readScores(path: string): Promise<Scores> {
  checkName('path', path)
  try {
    const { columns, logWeights, tokens } = await native.readScores(path, new native.Job())
    const n = tokens.length
    return {
      logWeights: {
        type: 'float64',
        dims: columns.length === 1 ? [n] : [n, columns.length],
        data: logWeights,
      },
      tokens: { type: 'uint32', dims: [n], data: tokens },
      columns,
    }
  } catch (error) {
    throw fromNative(error)
  }
}
