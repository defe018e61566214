/**
 * `tamis score`: files' records with their losses under a language model.
 * @hidden
 * @module
 */
import { Command, Option } from 'commander'
import { formatCount, formatDuration, formatPlural, formatSignificant } from '../format.js'
import type { ScoredFiles, ScoreFilesOptions } from '../models/index.js'
import { UsageError } from './failures.js'
import { type ModelRunHooks, type ModelRunOptions, runModel } from './model-run.js'
import { parseCount } from './numbers.js'
import { addReadOptions, addRunOptions } from './select.js'
import { alignColumns } from './terminal.js'

interface Given extends ScoreFilesOptions, ModelRunOptions {}

const NOTES = `
The model is a folder as transformers keeps it (config.json, tokenizer.json, safetensors), or a GGUF file; or the name of either
on the Hugging Face hub, which is fetched to the hub's cache (HF_HOME, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE are heeded).
Records keep all their fields; JSONL gets "tamis":{"perplexity":...,"loss":...,"tokens":...}, Parquet columns
tamis_perplexity, tamis_loss, tamis_tokens.

Examples:
  tamis score pool.jsonl --model SmolLM2-135M-Instruct.Q4_1.gguf --out scored.jsonl
  tamis score 'pool/*.parquet' --model smollm2 --max-tokens 1024 --stride 512 --out scored
  tamis score pool.jsonl --model HuggingFaceTB/SmolLM2-135M-Instruct --revision main --out scored.jsonl`

/** The command. */
export function scoreCommand(words: readonly string[]): Command {
  const command = new Command('score')
    .description('Add to every record its loss and perplexity under a causal language model.')
    .argument('<raw...>', 'files, globs, folders, or "-" for standard input')
  const how = (option: Option) => command.addOption(option.helpGroup('How texts are scored:'))
  how(
    new Option(
      '--model <path|name>',
      'the model: a path, or ORG/NAME or ORG/NAME/FILE.gguf on the Hugging Face hub',
    ).makeOptionMandatory(),
  )
  how(new Option('--revision <rev>', 'the branch, tag or commit of a model by name (default: main)'))
  how(
    new Option(
      '--max-tokens <n>',
      "tokens that go through the model at once (default: the model's positions)",
    ).argParser(parseCount(2, 1e7)),
  )
  how(
    new Option(
      '--stride <n>',
      'by how many tokens the windows of a longer record are apart (default: no overlap)',
    ).argParser(parseCount(1, 1e7)),
  )
  how(
    new Option(
      '--bos',
      "begin every record with the model's token for that (default: as its tokenizer says)",
    ),
  )
  how(new Option('--no-bos', 'do not'))
  const output = (option: Option) => command.addOption(option.helpGroup('What is written:'))
  output(
    new Option(
      '--out <file|folder>',
      'one file: .jsonl .jsonl.gz .jsonl.zst .parquet; or a folder, each input under its name',
    ),
  )
  output(new Option('--force', 'replace outputs that exist'))
  output(new Option('--resume', 'go on with an interrupted run of the same options and files'))
  addRunOptions(addReadOptions(command)).addHelpText('after', NOTES)
  return command.action(async (raw: string[], given: Given) => {
    await score(raw, given, words)
  })
}

async function score(
  raw: string[],
  { json, quiet, threads, ...options }: Given,
  words: readonly string[],
): Promise<void> {
  if (options.out === undefined) throw new UsageError('say where the records go: --out FILE or FOLDER')
  const call = async (hooks: ModelRunHooks) => {
    const { scoreFiles } = await import('../models/index.js')
    return scoreFiles(raw, { ...options, ...hooks })
  }
  await runModel({ threads, json, quiet }, words, call, table)
}

function table({ records, tokens, loss, files, manifest, seconds }: ScoredFiles): string[] {
  const rate = formatCount(Math.round(tokens / seconds))
  return alignColumns([
    ['scored', `${formatPlural(records, 'record')}, ${formatPlural(tokens, 'token')}`],
    ['loss', `${formatSignificant(loss, 4)} a token: perplexity ${formatSignificant(Math.exp(loss), 4)}`],
    ['time', `${formatDuration(seconds)}, ${rate} tokens a second`],
    ['output', files.length === 1 ? (files[0] as string) : formatPlural(files.length, 'file')],
    ['manifest', manifest],
  ])
}
