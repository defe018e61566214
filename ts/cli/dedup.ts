/**
 * `tamis dedup`: what it is told, and what it says.
 * @hidden
 * @module
 */
import { dirname, resolve } from 'node:path'
import { Command, Option } from 'commander'
import type { FileDedup, FileDedupOptions, FileSources } from '../corpus/index.js'
import { formatBytes, formatCount, formatDuration, formatPlural, formatShare } from '../format.js'
import { UsageError } from './failures.js'
import { addResume, stoppable } from './interrupts.js'
import { groupTargets } from './methods.js'
import { parseCount, parseFraction, parseSeed, parseSize } from './numbers.js'
import { showProgress } from './progress.js'
import { checkReport, drawReport, reportOption } from './report.js'
import { addReadOptions, addRunOptions } from './select.js'
import { addSettings, type Choice, type Setting, splitSettings, VECTOR_PLACE } from './settings.js'
import { alignColumns, bold, print, shorten, tell, tellSkipped } from './terminal.js'

/** What makes two documents the same. */
interface Method extends Choice {
  dedup(inputs: FileSources, options: FileDedupOptions & Record<string, unknown>): Promise<FileDedup>
}

const THRESHOLD: Setting = {
  flags: '--threshold <x>',
  description: 'similarity from which documents are duplicates, above 0 and below 1',
  default: '0.8 for near (Jaccard), 0.95 for semantic (cosine)',
  parse: parseFraction,
}

const SEED: Setting = {
  flags: '--seed <n>',
  description: 'seed of what is random',
  default: '0',
  parse: parseSeed,
}

const near: Method = {
  name: 'near',
  summary: 'texts that share most of their character n-grams, found by MinHash',
  settings: [
    THRESHOLD,
    {
      flags: '--ngram <n>',
      description: 'characters of an n-gram of the cleaned text',
      default: '13',
      parse: parseCount(1, 2 ** 31 - 1),
    },
    {
      flags: '--num-perm <n>',
      description: 'values of a signature',
      default: '128',
      parse: parseCount(1, 4096),
    },
    {
      flags: '--bands <n>',
      description: 'bands of a signature, together with --rows',
      default: 'those that suit the threshold',
      parse: parseCount(1, 4096),
    },
    { flags: '--rows <n>', description: 'values of a band', parse: parseCount(1, 4096) },
    {
      flags: '--verify',
      description: 'link only documents whose signatures agree as much as --threshold says',
    },
    SEED,
  ],
  async dedup(inputs, options) {
    const { dedupFilesNear } = await import('../corpus/index.js')
    return dedupFilesNear(inputs, options)
  },
}

const exact: Method = {
  name: 'exact',
  summary: 'texts that are the same byte for byte',
  settings: [
    { flags: '--clean', description: 'ignore case, ASCII punctuation and the amount of white space' },
  ],
  async dedup(inputs, options) {
    const { dedupFilesExact } = await import('../corpus/index.js')
    return dedupFilesExact(inputs, options)
  },
}

const semantic: Method = {
  name: 'semantic',
  summary: 'embeddings that point the same way',
  settings: [
    THRESHOLD,
    ...VECTOR_PLACE,
    {
      flags: '--k <n>',
      description: 'k-means clusters, within which documents are compared',
      default: 'sqrt(records / 10)',
      parse: parseCount(1, 2 ** 32 - 1),
    },
    SEED,
  ],
  async dedup(inputs, options) {
    const { dedupFilesSemantic } = await import('../corpus/index.js')
    const refused = (['against', 'memory'] as const).find((name) => options[name] !== undefined)
    if (refused) throw new UsageError(`--${refused} is no option of the method semantic`)
    return dedupFilesSemantic(inputs, options)
  },
}

const METHODS: readonly Method[] = [near, exact, semantic]

type Common = FileDedupOptions & { method: string; report?: string; json?: boolean; quiet?: boolean }

/** The command with the options of every method. */
export function dedupCommand(words: readonly string[]): Command {
  const command = new Command('dedup')
    .description('Drop duplicates from files: of each group of documents that are the same, keep the first.')
    .argument(
      '<[name=]in...>',
      'files, globs, folders (.jsonl .jsonl.gz .jsonl.zst .parquet .txt), or "-" for standard input; a name groups them into sources (write ./a=b for a file with "=" in its name)',
    )
  command.addOption(
    new Option('--method <name>', 'what makes documents the same')
      .choices(METHODS.map(({ name }) => name))
      .default('near'),
  )
  const what = (option: Option) => command.addOption(option.helpGroup('What is compared:'))
  what(
    new Option(
      '--scope <scope>',
      'compare documents of all sources, or only those of one: of one name, or where nothing has a name, of one argument (default: global)',
    ).choices(['global', 'local']),
  )
  what(
    new Option(
      '--against <other>',
      'files that are only compared with: drop what is the same as one of their documents, and keep none of them; repeatable',
    ).argParser((text: string, earlier: string[] | undefined) => [...(earlier ?? []), text]),
  )
  const output = (option: Option) => command.addOption(option.helpGroup('What is written:'))
  output(
    new Option(
      '--out <path>',
      'the kept records: one file (.jsonl .jsonl.gz .jsonl.zst .parquet .txt), else a folder with a file for each input',
    ),
  )
  output(reportOption('what was dropped'))
  output(
    new Option(
      '--clusters <file>',
      'who duplicates whom: a record for each one that was dropped (.jsonl .jsonl.gz .jsonl.zst .parquet)',
    ),
  )
  output(new Option('--force', 'replace outputs that exist'))
  output(new Option('--resume', 'go on with an interrupted run of the same options and files'))
  output(
    new Option(
      '--dry-run',
      'find the duplicates, but write nothing except the report that --report asks for',
    ),
  )
  for (const one of METHODS) addSettings(command, one)
  addReadOptions(command)
  addRunOptions(command)
  command.addOption(
    new Option(
      '--memory <size>',
      'memory for what is compared, beside 4 bytes a document; what is more lies on disk beside the output (default: 1GiB)',
    )
      .argParser(parseSize)
      .helpGroup('How it runs:'),
  )
  command.addHelpText('after', NOTES)
  return command.action(async (inputs: string[], given: Common & Record<string, unknown>) => {
    await dedup(inputs, given, command, words)
  })
}

const NOTES = `
Numbers may be written 5000, 1e6, 10k, 2.5M, 1G; sizes also 500MB (10^6), 64MiB (2^20). Options may stand before,
between and after the files.

Examples:
  tamis dedup 'web/*.jsonl.gz' books.parquet --out distinct
  tamis dedup web=web/a web=web/b books=books --scope local --out distinct
  tamis dedup pool.jsonl --method exact --against eval/ --clusters dropped.jsonl --out clean.jsonl \\
    --report report.html`

async function dedup(
  inputs: string[],
  given: Common & Record<string, unknown>,
  command: Command,
  words: readonly string[],
): Promise<void> {
  const { method: name, report, json = false, quiet = false, ...rest } = given
  const method = METHODS.find((one) => one.name === name) as Method
  const { settings, options } = splitSettings<FileDedupOptions>(METHODS, method, command, rest)
  if (given.out === undefined && !given.dryRun) {
    throw new UsageError('say where the kept records go: --out PATH (or --dry-run to write nothing)')
  }
  checkReport(report, given.force)
  const sources = groupTargets('the input', inputs) as FileSources
  const progress = await showProgress(quiet)
  const done = await stoppable(async (signal) => {
    try {
      const running = { signal, onProgress: progress.update }
      const done = await method.dedup(sources, { ...options, ...settings, ...running })
      await drawReport(report, done, words)
      return done
    } finally {
      progress.stop()
    }
  }).catch((error: unknown) => {
    throw addResume(error, words)
  })
  if (!quiet) {
    for (const warning of done.warnings) tell(`warning: ${warning}`)
    tellSkipped(done.bad)
  }
  if (json) print(JSON.stringify(summarize(method, done, given)))
  else if (!quiet) for (const line of table(done, given.clusters, report)) print(line)
}

/** What `--json` prints. */
function summarize(
  { name }: Method,
  { report: _data, ...done }: FileDedup,
  { clusters, report, dryRun = false }: Common,
): Record<string, unknown> {
  return {
    method: name,
    dryRun,
    ...done,
    manifest: done.manifest ?? null,
    clustersFile: dryRun || clusters === undefined ? null : resolve(clusters),
    report: report === undefined ? null : resolve(report),
  }
}

function table(done: FileDedup, clustersFile: string | undefined, report: string | undefined): string[] {
  const { kept, records, matched, clusters, skipped, against, sources, files, manifest, bytes, keptBytes } =
    done
  const share = (part: number, whole: number) => formatShare(whole === 0 ? 0 : part / whole)
  const bad = skipped > 0 ? `; ${formatCount(skipped)} bad` : ''
  const rows: [string, string][] = [
    [
      'kept',
      `${bold(formatCount(kept))} of ${formatPlural(records, 'record')} (${share(kept, records)})${bad}`,
    ],
    ['text', `${formatBytes(keptBytes)} of ${formatBytes(bytes)} (${share(keptBytes, bytes)})`],
    ['clusters', `${formatCount(clusters)} of two and more records`],
  ]
  if (against > 0) {
    rows.push([
      'matched',
      `${formatPlural(matched, 'record')} of ${formatCount(against)} in --against dropped`,
    ])
  }
  if (sources.length > 1 && sources.length <= SHOWN_SOURCES) {
    for (const source of sources) {
      const part = `${formatCount(source.kept)} of ${formatCount(source.records)}`
      rows.push([`of ${source.name}`, `${part} (${share(source.kept, source.records)})`])
    }
  }
  rows.push(['time', `${formatDuration(done.seconds)}, ${formatBytes(done.bytesRead)} read`])
  if (manifest === undefined) rows.push(['output', 'none: a dry run'])
  else {
    const [first = ''] = files
    const folder = files.length === 1 ? '' : ` in ${shorten(dirname(manifest))}`
    rows.push([
      'output',
      files.length === 1 ? shorten(first) : `${formatPlural(files.length, 'file')}${folder}`,
    ])
    rows.push(['manifest', shorten(manifest)])
    if (clustersFile !== undefined) rows.push(['dropped', clustersFile])
  }
  if (report !== undefined) rows.push(['report', report])
  return alignColumns(rows)
}

/** Sources that have a row of their own in the table. */
const SHOWN_SOURCES = 20
