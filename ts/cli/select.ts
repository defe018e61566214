/**
 * `tamis select`: what it is told, and what it says.
 * @hidden
 * @module
 */
import { dirname, resolve } from 'node:path'
import { Command, Option } from 'commander'
import type { FileSelection, FileSelectionOptions } from '../corpus/index.js'
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatPlural,
  formatShare,
  formatSignificant,
} from '../format.js'
import { UsageError } from './failures.js'
import { addResume, stoppable } from './interrupts.js'
import { METHODS, type Method } from './methods.js'
import { parseCount, parseFraction, parseRoom, parseSize } from './numbers.js'
import { showProgress } from './progress.js'
import { checkReport, drawReport, reportOption } from './report.js'
import { addSettings, splitSettings } from './settings.js'
import { alignColumns, bold, print, shorten, tell, tellSkipped } from './terminal.js'

const AMOUNTS = ['count', 'fraction', 'tokens', 'bytes'] as const

/** The options that every method understands. */
type Common = Pick<FileSelectionOptions, (typeof AMOUNTS)[number]> &
  Pick<FileSelectionOptions, 'textField' | 'textUnit' | 'maxRecord' | 'onBadRecord' | 'threads'> &
  Pick<FileSelectionOptions, 'out' | 'scores' | 'addScores' | 'resume' | 'force' | 'dryRun'> &
  Pick<FileSelectionOptions, 'spoolBytes'> & {
    method: string
    report?: string
    json?: boolean
    quiet?: boolean
  }

/** Options of reading, which other commands on files share. */
export function addReadOptions(command: Command): Command {
  const group = (option: Option) => option.helpGroup('How records are read:')
  return command
    .addOption(
      group(
        new Option(
          '--text-field <name>',
          'field or column of the text; dots reach nested ones (default: text)',
        ),
      ),
    )
    .addOption(
      group(
        new Option('--text-unit <unit>', 'what is one document of a plain text file (default: line)').choices(
          ['line', 'file'],
        ),
      ),
    )
    .addOption(
      group(
        new Option('--max-record <size>', 'longest record that is read (default: 64MiB)').argParser(
          parseSize,
        ),
      ),
    )
    .addOption(
      group(
        new Option(
          '--on-bad-record <what>',
          'what a record that cannot be read does (default: throw)',
        ).choices(['throw', 'skip']),
      ),
    )
}

/** Options of running, which other commands on files share. */
export function addRunOptions(command: Command): Command {
  const group = (option: Option) => option.helpGroup('How it runs:')
  return command
    .addOption(
      group(
        new Option('--threads <n>', 'threads to use (default: TAMIS_THREADS, else one a core)').argParser(
          parseCount(1, 2 ** 16),
        ),
      ),
    )
    .addOption(group(new Option('--json', 'print one JSON object instead of a table')))
    .addOption(group(new Option('--quiet', 'no progress, no warnings, no table; errors are still told')))
}

/** The command with the options of every method. */
export function selectCommand(words: readonly string[]): Command {
  const command = new Command('select')
    .description('Choose training data from files: keep the records that the method finds worth keeping.')
    .argument(
      '<raw...>',
      'files, globs, folders (.jsonl .jsonl.gz .jsonl.zst .parquet .txt), or "-" for standard input',
    )
  const method = new Option('--method <name>', 'how to choose')
    .choices(METHODS.map(({ name }) => name))
    .default('dsir')
  command.addOption(method)
  const amount = (option: Option) => command.addOption(option.helpGroup('How much to keep (one of them):'))
  amount(new Option('--count <n>', 'so many records').argParser(parseCount(1)))
  amount(new Option('--fraction <share>', 'this share of the candidates: 0.1, 10%').argParser(parseFraction))
  amount(new Option('--tokens <n>', 'records until so many tokens are spent').argParser(parseCount(1)))
  amount(new Option('--bytes <size>', 'records until so many bytes of text are spent').argParser(parseSize))
  const output = (option: Option) => command.addOption(option.helpGroup('What is written:'))
  output(
    new Option(
      '--out <path>',
      'the kept records: one file (.jsonl .jsonl.gz .jsonl.zst .parquet .txt), else a folder with a file for each input',
    ),
  )
  output(reportOption('what was kept'))
  output(new Option('--scores <file.parquet>', 'score and tokens of every record'))
  output(new Option('--add-scores', 'add score and source to the kept records'))
  output(new Option('--force', 'replace outputs that exist'))
  output(new Option('--resume', 'go on with an interrupted run of the same options and files'))
  output(
    new Option(
      '--dry-run',
      'read, score and choose, but write nothing except the report that --report asks for',
    ),
  )
  for (const one of METHODS) addSettings(command, one)
  addReadOptions(command)
  addRunOptions(command)
  command.addOption(
    new Option(
      '--spool-bytes <size>',
      'disk space beside the output for what the first pass computes and the second needs again; 0: none (default: up to a quarter of what is free)',
    )
      .argParser(parseRoom)
      .helpGroup('How it runs:'),
  )
  command.addHelpText('after', SELECT_NOTES)
  return command.action(async (raw: string[], options: Record<string, unknown>) => {
    await select(raw, options as Common & Record<string, unknown>, command, words)
  })
}

const FLAG = /^--[a-z-]+/

/** Every method with all of its options, those that it shares with others included. */
/** The longest name, and two spaces. */
const NAMES = 2 + Math.max(...METHODS.map(({ name }) => name.length))
const METHOD_NOTES = METHODS.map(({ name, summary, settings }) => {
  const flags = settings.map(({ flags }) => FLAG.exec(flags)?.[0]).join(' ')
  return `  ${name.padEnd(NAMES)}${summary}\n${' '.repeat(2 + NAMES)}${flags}`
}).join('\n')

const SELECT_NOTES = `
Methods, and the options of each:
${METHOD_NOTES}

Numbers may be written 5000, 1e6, 10k, 2.5M, 1G; sizes also 500MB (10^6), 64MiB (2^20). Options may stand before,
between and after the files. Quote globs of --target, or the shell takes all but the first match for raw files.

Examples:
  tamis select 'web/*.jsonl.gz' --target sample.jsonl --fraction 10% --out kept
  tamis select pool.parquet --target law=law.jsonl --target med=med.jsonl --proportions 2,1 --tokens 1G \\
    --out kept.parquet --report report.html`

async function select(
  raw: string[],
  given: Common & Record<string, unknown>,
  command: Command,
  words: readonly string[],
): Promise<void> {
  const { method: name, report, json = false, quiet = false, ...rest } = given
  const method = METHODS.find((one) => one.name === name) as Method
  const { settings, options } = splitSettings<FileSelectionOptions>(METHODS, method, command, rest)
  checkAmounts(given)
  if (given.out === undefined && !given.dryRun) {
    throw new UsageError('say where the kept records go: --out PATH (or --dry-run to write nothing)')
  }
  checkReport(report, given.force)
  const progress = await showProgress(quiet)
  const selection = await stoppable(async (signal) => {
    try {
      const done = await method.select(raw, settings, { ...options, signal, onProgress: progress.update })
      await drawReport(report, done, words)
      return done
    } finally {
      progress.stop()
    }
  }).catch((error: unknown) => {
    throw addResume(error, words)
  })
  if (!quiet) warn(selection)
  if (json) print(JSON.stringify(summarize(selection, report, given.scores, given.dryRun)))
  else if (!quiet) for (const line of table(selection, report, given.scores)) print(line)
}

function checkAmounts(given: Common): void {
  const chosen = AMOUNTS.filter((amount) => given[amount] !== undefined)
  if (chosen.length === 1) return
  const flags = AMOUNTS.map((amount) => `--${amount}`).join(', ')
  throw new UsageError(
    chosen.length === 0
      ? `say how much to keep: one of ${flags}`
      : `give only one of ${flags}, got ${chosen.map((amount) => `--${amount}`).join(' and ')}`,
  )
}

function warn({ bad, report }: FileSelection): void {
  for (const warning of report.warnings) tell(`warning: ${warning}`)
  tellSkipped(bad)
}

/** What `--json` prints. */
function summarize(
  selection: FileSelection,
  report: string | undefined,
  scores: string | undefined,
  dryRun = false,
): Record<string, unknown> {
  const { report: data, ...counts } = selection
  const { tamis, method, kl, warnings } = data
  return {
    tamis,
    method,
    dryRun,
    ...counts,
    manifest: counts.manifest ?? null,
    scores: dryRun || scores === undefined ? null : resolve(scores),
    report: report === undefined ? null : resolve(report),
    targets: data.targets.map(({ name, kept }) => ({
      name,
      kept,
      ...kl.find(({ target }) => target === name),
    })),
    warnings,
  }
}

function table(selection: FileSelection, report: string | undefined, scores: string | undefined): string[] {
  const { kept, candidates, records, skipped, tokens, files, manifest, seconds, bytesRead } = selection
  const { targets, totals, klReduction } = selection.report
  const share = (part: number, whole: number) => formatShare(whole === 0 ? 0 : part / whole)
  const short = records - candidates
  const about = [
    short > 0 && `${formatPlural(short, 'record')} too short`,
    skipped > 0 && `${formatCount(skipped)} bad`,
  ].filter(Boolean)
  const aside = about.length > 0 ? `; ${about.join(', ')}` : ''
  const rows: [string, string][] = [
    [
      'kept',
      `${bold(formatCount(kept))} of ${formatPlural(candidates, 'candidate')} (${share(kept, candidates)})${aside}`,
    ],
    ['tokens', `${formatCount(tokens)} of ${formatCount(totals.tokens)} (${share(tokens, totals.tokens)})`],
  ]
  if (klReduction !== undefined) {
    rows.push(['KL reduction', `${formatSignificant(klReduction)} nats (higher is nearer to the target)`])
  }
  if (targets.length > 1)
    for (const target of targets) rows.push([`for ${target.name}`, formatCount(target.kept)])
  rows.push(['time', `${formatDuration(seconds)}, ${formatBytes(bytesRead)} read`])
  if (manifest === undefined) rows.push(['output', 'none: a dry run'])
  else {
    const [first = ''] = files
    const folder = files.length === 1 ? '' : ` in ${shorten(dirname(manifest))}`
    rows.push([
      'output',
      files.length === 1 ? shorten(first) : `${formatPlural(files.length, 'file')}${folder}`,
    ])
    rows.push(['manifest', shorten(manifest)])
    if (scores !== undefined) rows.push(['scores', scores])
  }
  if (report !== undefined) rows.push(['report', report])
  return alignColumns(rows)
}
