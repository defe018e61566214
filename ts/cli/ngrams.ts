/**
 * `tamis ngrams`: counts of hashed n-grams as files that can be made in parts, merged and fitted from.
 * @hidden
 * @module
 */
import { Command, Option } from 'commander'
import type { CountFilesOptions, NgramCounts } from '../corpus/index.js'
import { formatBytes, formatCount } from '../format.js'
import { stoppable } from './interrupts.js'
import { parseCount } from './numbers.js'
import { showProgress } from './progress.js'
import { addReadOptions, addRunOptions } from './select.js'
import { alignColumns, print, tell } from './terminal.js'

interface Given extends CountFilesOptions {
  out: string
  json?: boolean
  quiet?: boolean
}

/** The command and its parts. */
export function ngramsCommand(): Command {
  const command = new Command('ngrams').description(
    'Count n-grams once, in parts or whole, and fit from the counts many times.',
  )
  const count = new Command('count')
    .description(
      'Count the n-grams of files into a counts file, for `tamis select --counts` and `--target-counts`.',
    )
    .argument('<files...>', 'files, globs, folders, or "-" for standard input')
    .requiredOption('--out <file.counts>', 'where the counts go')
    .addOption(
      new Option('--ngrams <n>', 'longest n-gram counted (default: 2)').argParser(parseCount(1, 2 ** 32 - 1)),
    )
    .addOption(
      new Option('--buckets <n>', 'buckets that n-grams are hashed into (default: 10000)').argParser(
        parseCount(1, 2 ** 32 - 1),
      ),
    )
    .option('--force', 'replace an output that exists')
  addRunOptions(addReadOptions(count)).action(countFiles)
  const merge = new Command('merge')
    .description('Add up counts files: the counts of the parts are those of the whole.')
    .argument('<counts...>', 'counts files of one n-gram length, number of buckets and Unicode version')
    .requiredOption('--out <file.counts>', 'where the sum goes')
    .option('--force', 'replace an output that exists')
    .option('--json', 'print one JSON object instead of a table')
    .option('--quiet', 'no table')
    .action(mergeFiles)
  const show = new Command('show')
    .description('Say what a counts file holds.')
    .argument('<counts>', 'a counts file')
    .option('--json', 'print one JSON object instead of a table')
    .action(showFile)
  return command.addCommand(count).addCommand(merge).addCommand(show)
}

async function countFiles(files: string[], { json, quiet = false, ...options }: Given): Promise<void> {
  const { countNgramFiles } = await import('../corpus/index.js')
  const progress = await showProgress(quiet)
  try {
    const counts = await stoppable((signal) =>
      countNgramFiles(files, { ...options, signal, onProgress: (p) => progress.update(p) }),
    )
    progress.stop()
    if (!quiet) for (const message of counts.bad) tell(`skipped: ${message}`)
    say(counts, { out: options.out, skipped: counts.skipped }, json, quiet)
  } finally {
    progress.stop()
  }
}

async function mergeFiles(paths: string[], { json, quiet, ...options }: Given): Promise<void> {
  const { mergeNgramCounts } = await import('../corpus/index.js')
  say(await mergeNgramCounts(paths, options), { out: options.out }, json, quiet)
}

async function showFile(path: string, { json }: { json?: boolean }): Promise<void> {
  const { readNgramCounts } = await import('../corpus/index.js')
  say(await readNgramCounts(path), { file: path }, json, false)
}

function say(
  { ngrams, buckets, unicode, records, tokens, features, bytes }: NgramCounts,
  more: { out?: string; file?: string; skipped?: number },
  json = false,
  quiet = false,
): void {
  if (json) {
    print(JSON.stringify({ ...more, ngrams, buckets, unicode, records, tokens, features, bytes }))
    return
  }
  if (quiet) return
  const rows: [string, string][] = [
    ['records', formatCount(records)],
    ['tokens', formatCount(tokens)],
    ['n-grams', `${formatCount(features)} of up to ${ngrams} tokens, in ${formatCount(buckets)} buckets`],
    ['text', formatBytes(bytes)],
    ['Unicode', unicode],
  ]
  if (more.skipped) rows.push(['skipped', formatCount(more.skipped)])
  if (more.out !== undefined) rows.push(['output', more.out])
  for (const line of alignColumns(rows)) print(line)
}
