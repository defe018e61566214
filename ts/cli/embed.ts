/**
 * `tamis embed`: the vectors of files' records.
 * @hidden
 * @module
 */
import { Command, Option } from 'commander'
import { formatCount, formatDuration, formatPlural } from '../format.js'
import type { EmbeddedFiles, EmbedFilesOptions } from '../models/index.js'
import { type ModelRunHooks, type ModelRunOptions, runModel } from './model-run.js'
import { parseCount } from './numbers.js'
import { addReadOptions, addRunOptions } from './select.js'
import { alignColumns } from './terminal.js'

interface Given extends EmbedFilesOptions, ModelRunOptions {}

const NOTES = `
The model is a folder as sentence-transformers keeps it: config.json, tokenizer.json, safetensors, and modules.json with the
pooling; or the name of one on the Hugging Face hub, which is fetched to the hub's cache (HF_HOME, HF_TOKEN, HF_ENDPOINT and
HF_HUB_OFFLINE are heeded). Vectors are in the order of the records: give them to select and dedup beside the same files.

Examples:
  tamis embed 'pool/*.jsonl.gz' --model all-MiniLM-L6-v2 --out pool.safetensors
  tamis embed pool.jsonl --model sentence-transformers/all-MiniLM-L6-v2 --out pool.safetensors
  tamis select 'pool/*.jsonl.gz' --method kmq --vectors pool.safetensors --count 10k --out kept.jsonl`

/** The command. */
export function embedCommand(words: readonly string[]): Command {
  const command = new Command('embed')
    .description('Write the vector of every record, by a sentence embedder.')
    .argument('<raw...>', 'files, globs, folders, or "-" for standard input')
  const how = (option: Option) => command.addOption(option.helpGroup('How texts become vectors:'))
  how(
    new Option(
      '--model <folder|name>',
      'the model: a folder, or ORG/NAME on the Hugging Face hub',
    ).makeOptionMandatory(),
  )
  how(new Option('--revision <rev>', 'the branch, tag or commit of a model by name (default: main)'))
  how(
    new Option(
      '--pooling <how>',
      "what of a text's states is used (default: as the model's files say)",
    ).choices(['mean', 'cls']),
  )
  how(new Option('--no-normalize', "leave vectors as long as they are (default: as the model's files say)"))
  how(
    new Option(
      '--max-tokens <n>',
      "tokens of a text that are used (default: the model's sequence limit)",
    ).argParser(parseCount(3, 1e6)),
  )
  const output = (option: Option) => command.addOption(option.helpGroup('What is written:'))
  output(new Option('--out <file>', 'the vectors: .safetensors .npy .parquet').makeOptionMandatory())
  output(new Option('--force', 'replace outputs that exist'))
  output(new Option('--resume', 'go on with an interrupted run of the same options and files'))
  addRunOptions(addReadOptions(command)).addHelpText('after', NOTES)
  return command.action(async (raw: string[], given: Given) => {
    await embed(raw, given, words)
  })
}

async function embed(
  raw: string[],
  { json, quiet, threads, normalize, ...options }: Given,
  words: readonly string[],
): Promise<void> {
  const call = async (hooks: ModelRunHooks) => {
    const { embedFiles } = await import('../models/index.js')
    // Commander sets it to true where it is not forbidden: then the files say.
    const own = normalize === false ? { normalize } : {}
    return embedFiles(raw, { ...options, ...own, ...hooks })
  }
  await runModel({ threads, json, quiet }, words, call, table)
}

function table({ records, dimensions, file, manifest, seconds }: EmbeddedFiles): string[] {
  return alignColumns([
    ['embedded', formatPlural(records, 'record')],
    ['dimensions', formatCount(dimensions)],
    ['time', `${formatDuration(seconds)}, ${formatCount(Math.round(records / seconds))} records a second`],
    ['output', file],
    ['manifest', manifest],
  ])
}
