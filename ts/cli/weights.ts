/**
 * `tamis weights`: models on disk merged, their updates compressed and expanded, and compressed models compared.
 * @hidden
 * @module
 */
import { resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatPlural,
  formatShare,
  formatSignificant,
} from '../format.js'
import type {
  CompressedFiles,
  MergedFiles,
  MergeMethod,
  WeightsFiles,
  WeightsProgress,
} from '../weights/index.js'
import { compareCommand } from './compare.js'
import { UsageError } from './failures.js'
import { addResume, stoppable } from './interrupts.js'
import { parseAmount, parseCount, parseFraction } from './numbers.js'
import { showProgress } from './progress.js'
import { checkReport, drawReport, reportOption } from './report.js'
import { addRunOptions } from './select.js'
import { addSettings, type Choice, type Setting, splitSettings } from './settings.js'
import { alignColumns, bold, print, shorten, tell } from './terminal.js'

interface Common {
  out: string
  force?: boolean
  report?: string
  tied?: Record<string, string>
  threads?: number
  json?: boolean
  quiet?: boolean
}

/** What every call understands beside its own options. */
interface Running {
  signal: AbortSignal
  onProgress: (progress: WeightsProgress) => void
}

const finite = (text: string): number => {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (Number.isFinite(value)) return value
  throw new InvalidArgumentError('It must be a finite number, such as 0.4 or -1.')
}

const list = (text: string): number[] => text.split(',').map(finite)

const repeated = (text: string, earlier: string[] | undefined): string[] => [...(earlier ?? []), text]

const pairs = (text: string, earlier: Record<string, string> | undefined): Record<string, string> => {
  const [, copy, original] = /^([^=]+)=(.+)$/s.exec(text) ?? []
  if (copy === undefined || original === undefined) {
    throw new InvalidArgumentError('It must be COPY=ORIGINAL, two names of tensors.')
  }
  return { ...earlier, [copy]: original }
}

const WEIGHTS: Setting = {
  flags: '--weights <a,b,...>',
  description: 'a weight for each model, in their order',
  default: '1 each',
  parse: list,
}

const LAMBDA: Setting = {
  flags: '--lambda <x>',
  description: 'what the merged update is multiplied with before it is added to the base',
  default: '1',
  parse: finite,
}

const DTYPE: Setting = {
  flags: '--dtype <type>',
  description:
    'float32, float16 or bfloat16: the type of all weights, rounded from float32 to nearest even; config.json says so then',
  default: "each tensor's type in the base, or in the first model",
}

const MASK_LAMBDA: Setting = {
  flags: '--mask-lambda <x,...>',
  description:
    'how many times the rest of the sum an update must exceed to count: one, or one for each model',
  default: '0.4',
  parse: (text) => (text.includes(',') ? list(text) : finite(text)),
}

const METHODS: readonly (Choice & { name: MergeMethod })[] = [
  {
    name: 'ties',
    summary:
      'of each update its largest entries, of each number the updates that agree with the elected sign',
    settings: [
      {
        flags: '--density <share>',
        description: "share of each update's entries that is kept: 0.2, 20%",
        default: '0.2',
        parse: parseFraction,
      },
      { flags: '--merge <how>', description: 'what agrees becomes its mean, sum or max', default: 'mean' },
      {
        flags: '--scope <scope>',
        description: 'rank entries over the whole update (global) or each tensor apart (tensor)',
        default: 'global',
      },
      WEIGHTS,
      LAMBDA,
      DTYPE,
    ],
  },
  {
    name: 'consensus',
    summary: 'the sum of the updates where several of them need a number',
    settings: [
      MASK_LAMBDA,
      {
        flags: '--agree <n>',
        description: 'how many updates must need a number',
        default: '2',
        parse: parseCount(0),
      },
      LAMBDA,
      DTYPE,
    ],
  },
  {
    name: 'tall-masks',
    summary: 'one file with the sum of the updates and a mask for each model; expand-update recovers each',
    settings: [
      MASK_LAMBDA,
      {
        flags: '--task <name>',
        description: 'name of a model, in their order, without a dot',
        default: 'names of the files or folders',
        repeatable: true,
      },
    ],
  },
  { name: 'task-arithmetic', summary: 'the weighted sum of the updates', settings: [WEIGHTS, LAMBDA, DTYPE] },
  {
    name: 'linear',
    summary: 'the weighted mean of the models or updates',
    settings: [WEIGHTS, LAMBDA, DTYPE],
  },
]

/** The command and its parts. */
export function weightsCommand(words: readonly string[]): Command {
  return new Command('weights')
    .description(
      'Merge models on disk, compress their updates to signs, expand them again, and compare what compression cost.',
    )
    .addCommand(compressCommand(words))
    .addCommand(expandCommand(words))
    .addCommand(mergeCommand(words))
    .addCommand(compareCommand())
}

function addCommon(command: Command, what: string): Command {
  const output = (option: Option) => command.addOption(option.helpGroup('What is written:'))
  output(
    new Option(
      '--out <path>',
      `${what}: one file (.safetensors), else a folder with configuration, tokenizer and other side files`,
    ),
  )
  output(reportOption('what became of the weights'))
  output(new Option('--force', 'replace outputs that exist'))
  output(new Option('--resume', 'go on with an interrupted run of the same options and models'))
  const origin = (option: Option) => command.addOption(option.helpGroup('Where updates begin:'))
  origin(
    new Option('--base <path>', 'the model that updates are told from; without it the inputs are updates'),
  )
  origin(new Option('--ones', 'the base is ones (IA3 vectors)'))
  origin(
    new Option(
      '--tied <copy=original>',
      'a tensor that is a copy of another one, beside those that config.json says (tie_word_embeddings); repeatable',
    ).argParser(pairs),
  )
  return addRunOptions(command)
}

function addSkip(command: Command): Command {
  return command.addOption(
    new Option('--skip <name>', 'a tensor that is no part of the updates; repeatable')
      .argParser(repeated)
      .helpGroup('Where updates begin:'),
  )
}

function compressCommand(words: readonly string[]): Command {
  const command = new Command('compress-update')
    .description(
      'Compress a fine-tuning update (ComPEFT): of MODEL - BASE, or of an adapter, keep the signs of the largest entries and one number.',
    )
    .argument('<model>', 'a .safetensors file, a sharded folder or its index')
  addSkip(addCommon(command, 'the compressed update'))
  const how = (option: Option) => command.addOption(option.helpGroup('How it is compressed:'))
  how(
    new Option('--density <share>', 'share of the entries that is kept: 0.2, 5% (default: 0.2)').argParser(
      parseFraction,
    ),
  )
  how(new Option('--alpha <x>', 'standard deviations of the scale (default: 1)').argParser(parseAmount))
  how(
    new Option(
      '--scale <kind>',
      'alpha standard deviations, or the mean magnitude of the kept (default: std)',
    ).choices(['std', 'mean-abs']),
  )
  how(
    new Option('--encoding <kind>', 'how signs are written (default: golomb)').choices(['golomb', 'bitmask']),
  )
  command.addHelpText(
    'after',
    `
Examples:
  tamis weights compress-update adapter --density 5% --out adapter-small
  tamis weights compress-update tuned --base model --out update.safetensors`,
  )
  return command.action((model: string, given: Common & Record<string, unknown>) =>
    run(given, words, async (options, running) => {
      const { compressUpdateFiles } = await import('../weights/index.js')
      const done = await compressUpdateFiles(model, { ...options, ...running })
      return { done, rows: compressedRows(done) }
    }),
  )
}

function expandCommand(words: readonly string[]): Command {
  const command = new Command('expand-update')
    .description(
      'Expand a compressed update, or one task of a file of task masks: BASE + update, or without a base the update itself.',
    )
    .argument(
      '<update>',
      'what compress-update or merge --method tall-masks wrote: a file, or a folder with one',
    )
  addCommon(command, 'the model, or the update')
  const how = (option: Option) => command.addOption(option.helpGroup('How it is expanded:'))
  how(new Option('--task <name>', 'which of several models'))
  how(new Option('--lambda <x>', 'what the update is multiplied with (default: 1)').argParser(finite))
  how(
    new Option(
      '--dtype <type>',
      "type of all weights, rounded from float32 to nearest even (default: each tensor's in the base; float32 without one)",
    ).choices(['float32', 'float16', 'bfloat16']),
  )
  command.addHelpText(
    'after',
    `
Examples:
  tamis weights expand-update adapter-small --out adapter
  tamis weights expand-update tasks.safetensors --task maths --base model --out model-maths`,
  )
  return command.action((update: string, given: Common & Record<string, unknown>) =>
    run(given, words, async (options, running) => {
      const { expandUpdateFiles } = await import('../weights/index.js')
      return { done: await expandUpdateFiles(update, { ...options, ...running }), rows: [] }
    }),
  )
}

function mergeCommand(words: readonly string[]): Command {
  const command = new Command('merge')
    .description('Merge models that were made from one base into one, tensor by tensor.')
    .argument('<model...>', '.safetensors files, sharded folders or their indexes')
  command.addOption(
    new Option('--method <name>', 'how to merge').choices(METHODS.map(({ name }) => name)).default('ties'),
  )
  addSkip(addCommon(command, 'the merged model'))
  for (const one of METHODS) addSettings(command, one)
  command.addHelpText(
    'after',
    `
Examples:
  tamis weights merge tuned-code tuned-maths --base model --out merged
  tamis weights merge a b c --base model --method linear --weights 2,1,1 --dtype bfloat16 --out mean
  tamis weights merge a b c --base model --method tall-masks --out tasks.safetensors`,
  )
  return command.action((models: string[], given: Common & Record<string, unknown>) => {
    const { method: name, ...rest } = given
    const method = METHODS.find((one) => one.name === name) as (typeof METHODS)[number]
    const { settings, options: common } = splitSettings<Common>(METHODS, method, command, rest)
    const { task, ...own } = settings
    return run({ ...common, ...own }, words, async (options, running) => {
      const { mergeFiles } = await import('../weights/index.js')
      const tasks = task === undefined ? {} : { tasks: task as string[] }
      const done = await mergeFiles(models, { ...options, ...tasks, ...running, method: method.name })
      return { done, rows: mergedRows(done) }
    })
  })
}

/** Runs a call with progress and signals, and says what came of it. */
async function run(
  { json = false, quiet = false, threads, report, ...options }: Common & Record<string, unknown>,
  words: readonly string[],
  call: (
    options: { out: string },
    running: Running,
  ) => Promise<{ done: WeightsFiles; rows: [string, string][] }>,
): Promise<void> {
  if (options.out === undefined) {
    throw new UsageError('say where the result goes: --out PATH')
  }
  checkReport(report, options.force)
  if (threads !== undefined) (await import('../threads.js')).setThreads(threads)
  const progress = await showProgress(quiet)
  const onProgress = ({ tensors, ...pass }: WeightsProgress) =>
    progress.update({ ...pass, records: tensors, unit: 'tensor' })
  const { done, rows } = await stoppable(async (signal) => {
    try {
      const called = await call(options, { signal, onProgress })
      await drawReport(report, { report: called.done.report, bad: [] }, words)
      return called
    } finally {
      progress.stop()
    }
  }).catch((error: unknown) => {
    throw addResume(error, words)
  })
  if (!quiet) for (const warning of done.warnings) tell(`warning: ${warning}`)
  if (json) print(JSON.stringify(summarize(done, report)))
  else if (!quiet) for (const line of table(done, rows, report)) print(line)
}

/** What `--json` prints. */
function summarize({ report: _data, ...done }: WeightsFiles, report: string | undefined): object {
  return { ...done, report: report === undefined ? null : resolve(report) }
}

function table(done: WeightsFiles, more: [string, string][], report: string | undefined): string[] {
  const { files, bytes, tensors, elements, manifest, seconds } = done
  const [first = ''] = files
  const rows: [string, string][] = [
    ['update', `${bold(formatPlural(tensors, 'tensor'))}, ${formatCount(elements)} numbers`],
    ...more,
    ['time', formatDuration(seconds)],
    [
      'output',
      `${files.length === 1 ? shorten(first) : formatPlural(files.length, 'file')}, ${formatBytes(bytes)}`,
    ],
    ['manifest', shorten(manifest)],
  ]
  if (report !== undefined) rows.push(['report', shorten(report)])
  return alignColumns(rows)
}

function compressedRows({ kept, elements, scale, bytes, denseBits }: CompressedFiles): [string, string][] {
  return [
    [
      'kept',
      `${formatCount(kept)} signs (${formatShare(kept / elements)}), scale ${formatSignificant(scale)}`,
    ],
    ['size', `${formatSignificant(denseBits / 8 / bytes)} times smaller than in half precision`],
  ]
}

function mergedRows({ method, histogram, densities }: MergedFiles): [string, string][] {
  const rows: [string, string][] = [['method', method]]
  const total = histogram?.reduce((a, b) => a + b, 0) ?? 0
  for (const [agree, n] of histogram?.entries() ?? []) {
    rows.push([`needed by ${agree}`, `${formatCount(n)} (${formatShare(n / total)})`])
  }
  for (const [task, share] of Object.entries(densities ?? {})) rows.push([`mask ${task}`, formatShare(share)])
  return rows
}
