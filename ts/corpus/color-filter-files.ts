/**
 * CoLoR-Filter over files whose records carry their losses: {@link filterByLossReduction} over fields or columns.
 * @module
 */

import { checkName, FILE_OPTIONS } from '../files.js'
import { checkOptions } from '../options.js'
import { chooseBest, selectByPlaces } from './placed-files.js'
import type { FileSelection } from './select-files.js'
import { type FileSelectionOptions, planSelection, SELECTION_OPTIONS } from './select-files-options.js'

/** What {@link selectFilesByLossReduction} is told. */
export interface LossReductionFileOptions extends FileSelectionOptions {
  /** The field or column of each record's mean loss under the prior; dots reach nested ones. Default `prior_loss`. */
  priorLoss?: string
  /** The field or column of its mean loss under the fine-tuned prior. Default `conditional_loss`. */
  conditionalLoss?: string
}

/**
 * Keeps the records of files whose loss a model fine-tuned on the target reduces most: {@link filterByLossReduction} of two numbers that
 * each record carries. Any amount can be given; a fraction of 1 / tau keeps what `tau` does. One pass over the files to read, one to
 * write what is kept; memory: 60 bytes a record. An interrupted run can be gone on with.
 * @param raw - paths, globs, folders, `-`
 * @throws TamisError `FILE:RECORD: no finite number in the field "F"`, and what {@link selectFilesByImportance} throws of files and
 * amounts
 * @example
 * import { corpus } from 'tamis'
 * await corpus.selectFilesByLossReduction(['scored.parquet'], { priorLoss: 'prior', conditionalLoss: 'tuned',
 *   fraction: 1 / 16, out: 'kept.parquet' })
 */
export async function selectFilesByLossReduction(
  raw: readonly string[],
  options: LossReductionFileOptions,
): Promise<FileSelection> {
  const known = [...FILE_OPTIONS, ...SELECTION_OPTIONS, 'priorLoss', 'conditionalLoss'] as const
  const o = checkOptions('options', options, known)
  const priorLoss = checkName('priorLoss', o.priorLoss ?? 'prior_loss')
  const conditionalLoss = checkName('conditionalLoss', o.conditionalLoss ?? 'conditional_loss')
  return selectByPlaces(raw, o, planSelection(o), {
    method: 'color-filter',
    settings: { priorLoss, conditionalLoss },
    numbers: [priorLoss, conditionalLoss],
    score: 'Loss reduction',
    async choose(pool) {
      const scores = await pool.run.work((job) => pool.places.takeReductions(job))
      return { chosen: chooseBest(pool, scores, false), scores }
    },
  })
}
