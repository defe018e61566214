/**
 * `tamis mix`: sources of records as one file, in wanted proportions or epochs.
 * @hidden
 * @module
 */
import { resolve } from 'node:path'
import { Command, Option } from 'commander'
import type { MixedFiles, MixFilesOptions } from '../corpus/index.js'
import { formatCount, formatDuration, formatPlural, formatShare } from '../format.js'
import { UsageError } from './failures.js'
import { addResume, stoppable } from './interrupts.js'
import { groupTargets } from './methods.js'
import { parseCount, parseProportions, parseSeed } from './numbers.js'
import { showProgress } from './progress.js'
import { checkReport, drawReport, reportOption } from './report.js'
import { addReadOptions, addRunOptions } from './select.js'
import { alignColumns, print, tell } from './terminal.js'

interface Given extends MixFilesOptions {
  report?: string
  json?: boolean
  quiet?: boolean
}

const NOTES = `
Each argument is a source; a name before several of them makes one of them: web=a.jsonl web=b.jsonl books=c.parquet.

Examples:
  tamis mix web.jsonl.gz books.parquet --epochs 1,2.5 --out mixture.jsonl.zst
  tamis mix web='web/*.jsonl' books=books --proportions 7,3 --by tokens --total 1M \\
    --out mixture.jsonl --report report.html`

/** The command. */
export function mixCommand(words: readonly string[]): Command {
  const command = new Command('mix')
    .description('Mix sources into one file: every record by chance, each source in epochs of its own.')
    .argument('<[name=]source...>', 'files, globs, folders, or "-" for standard input')
  const how = (option: Option) => command.addOption(option.helpGroup('What is mixed:'))
  how(
    new Option(
      '--epochs <a,b,...>',
      'how often each source is gone through, in their order (default: 1 each)',
    ).argParser(parseProportions),
  )
  how(
    new Option('--proportions <a,b,...>', 'share of each source, in place of --epochs').argParser(
      parseProportions,
    ),
  )
  how(new Option('--by <unit>', 'what proportions are of (default: records)').choices(['records', 'tokens']))
  how(
    new Option(
      '--total <n>',
      'records of the mixture (default: what the epochs give; with proportions as many as there are)',
    ).argParser(parseCount(0, 2 ** 32 - 1)),
  )
  how(new Option('--seed <n>', 'seed of the draws (default: 0)').argParser(parseSeed))
  const output = (option: Option) => command.addOption(option.helpGroup('What is written:'))
  output(
    new Option('--out <file>', 'the mixture: .jsonl .jsonl.gz .jsonl.zst .parquet, of text files also .txt'),
  )
  output(reportOption('what was mixed'))
  output(new Option('--force', 'replace outputs that exist'))
  output(new Option('--resume', 'go on with an interrupted run of the same options and files'))
  output(new Option('--dry-run', 'read and draw, but write nothing except the report that --report asks for'))
  addRunOptions(addReadOptions(command)).addHelpText('after', NOTES)
  return command.action(async (sources: string[], given: Given) => {
    await mix(sources, given, words)
  })
}

async function mix(
  given: string[],
  { json, quiet = false, report, ...options }: Given,
  words: readonly string[],
): Promise<void> {
  if (options.out === undefined && !options.dryRun) {
    throw new UsageError('say where the mixture goes: --out FILE (or --dry-run to write nothing)')
  }
  checkReport(report, options.force)
  const { mixFiles } = await import('../corpus/index.js')
  const progress = await showProgress(quiet)
  const sources = groupTargets('the source', given) ?? []
  const mixed = await stoppable(async (signal) => {
    try {
      const done = await mixFiles(sources, { ...options, signal, onProgress: progress.update })
      await drawReport(report, done, words)
      return done
    } finally {
      progress.stop()
    }
  }).catch((error: unknown) => {
    throw addResume(error, words)
  })
  if (!quiet) for (const message of mixed.bad) tell(`skipped: ${message}`)
  if (json) print(JSON.stringify(summarize(mixed, report)))
  else if (!quiet) for (const line of table(mixed, given, report)) print(line)
}

/** What `--json` prints. */
function summarize({ report: _data, ...mixed }: MixedFiles, report: string | undefined): object {
  return {
    ...mixed,
    manifest: mixed.manifest ?? null,
    report: report === undefined ? null : resolve(report),
  }
}

function table(
  { records, sources, files, manifest, seconds }: MixedFiles,
  words: string[],
  report: string | undefined,
): string[] {
  const rows: [string, string][] = [['mixed', formatPlural(records, 'record')]]
  for (const [i, source] of sources.entries()) {
    const name = source.name === String(i) ? (words[i] as string) : source.name
    const share = formatShare(records === 0 ? 0 : source.mixed / records)
    const epochs = Math.round(1000 * source.epochs) / 1000
    rows.push([
      name,
      `${formatCount(source.mixed)} (${share}), ${epochs} epochs of ${formatPlural(source.records, 'record')}`,
    ])
  }
  rows.push(['time', formatDuration(seconds)])
  rows.push(['output', files[0] ?? 'none: a dry run'])
  if (manifest !== undefined) rows.push(['manifest', manifest])
  if (report !== undefined) rows.push(['report', report])
  return alignColumns(rows)
}
