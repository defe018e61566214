/**
 * `--report`, which several commands have: a page with pictures of the run.
 * @hidden
 * @module
 */
import { existsSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { Option } from 'commander'
import { TamisError } from '../errors.js'
import type { Report } from '../report/index.js'
import { UsageError } from './failures.js'
import { quoteCommand } from './interrupts.js'

/** The option. */
export function reportOption(what: string): Option {
  return new Option('--report <file.html>', `a page with pictures of ${what}`)
}

/** A report that cannot be written should not cost a whole run. */
export function checkReport(path: string | undefined, force = false): void {
  if (path === undefined) return
  if (!/\.html?$/i.test(path)) throw new UsageError(`--report must end in .html, got ${path}`)
  const folder = statSync(dirname(path), { throwIfNoEntry: false })
  if (!folder?.isDirectory()) {
    throw new TamisError('ERR_TAMIS_IO', `--report ${path}: the folder ${dirname(path)} does not exist`)
  }
  if (existsSync(path) && !force) {
    throw new UsageError(`${path} exists: choose another name, or replace it with --force`)
  }
}

/** Draws the page of what a run on files gave back; `words` are the command line. */
export async function drawReport(
  path: string | undefined,
  { report, bad }: { report: Report; bad: readonly string[] },
  words: readonly string[],
): Promise<void> {
  if (path === undefined) return
  const { writeReport } = await import('../report/index.js')
  const warnings = [...report.warnings, ...bad]
  await writeReport(path, { ...report, warnings }, { command: quoteCommand(words) })
}
