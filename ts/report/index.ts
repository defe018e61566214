/**
 * Pictures of a run: a selection, a deduplication, a mixture or a call on checkpoints as one self-contained HTML page, readable offline, in light and dark.
 * @module
 */
import { randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { TamisError } from '../errors.js'
import type { PageOptions, Report } from './data.js'
import { dedupContent } from './dedup.js'
import type { Plotting } from './draw.js'
import { mixContent } from './mix.js'
import { buildPage, type Content } from './page.js'
import { selectionContent } from './selection.js'
import { weightsContent } from './weights.js'

export type * from './data.js'

/**
 * The page as text. The plotting library is loaded by the first call. Same report, same text.
 * @param report - the `report` of what a function on files gives back
 * @example
 * import { corpus, report } from 'tamis'
 * const kept = await corpus.selectFilesByImportance(['raw.jsonl'], ['target.jsonl'], { count: 100, out: 'kept' })
 * const page = await report.renderReport(kept.report)
 */
export async function renderReport(report: Report, options: PageOptions = {}): Promise<string> {
  return buildPage(report, options, contentOf(report, options.command, await import('./plot.js')))
}

function contentOf(report: Report, command: string | undefined, plotting: Plotting): Content {
  switch (report.kind) {
    case 'dedup':
      return dedupContent(report, command, plotting)
    case 'mix':
      return mixContent(report, command, plotting)
    case 'weights':
      return weightsContent(report, command, plotting)
    default:
      return selectionContent(report, command, plotting)
  }
}

/**
 * Writes the page beside `path` and renames it at the end: an earlier page is replaced whole or not at all.
 * @throws TamisError ERR_TAMIS_IO where the page cannot be written
 */
export async function writeReport(path: string, report: Report, options: PageOptions = {}): Promise<void> {
  const page = await renderReport(report, options)
  const beside = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  try {
    const file = await open(beside, 'wx')
    try {
      await file.writeFile(page)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(beside, path)
  } catch (error) {
    await rm(beside, { force: true })
    throw new TamisError('ERR_TAMIS_IO', `report: ${path} cannot be written: ${(error as Error).message}`)
  }
}
