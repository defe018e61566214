/**
 * Options of which each belongs to one or several of a command's methods.
 * @hidden
 * @module
 */
import { type Command, Option } from 'commander'
import { UsageError } from './failures.js'

/** An option that belongs to a method. */
export interface Setting {
  /** As the command line has it: `--min-tokens <n>`. */
  flags: string
  description: string
  /** What holds where the option is not given, in words. */
  default?: string
  /** From the text to the value; the text itself where there is none. */
  parse?: (text: string) => unknown
  /** Whether it may be given several times: its value is then a list. */
  repeatable?: boolean
}

/** A method of a command. */
export interface Choice {
  name: string
  summary: string
  settings: readonly Setting[]
}

/** Where the vectors of records are. */
export const VECTOR_PLACE: readonly Setting[] = [
  {
    flags: '--embeddings <name>',
    description: "field or column of each record's vector; dots reach nested ones",
    default: 'embedding',
  },
  {
    flags: '--vectors <file>',
    description:
      'a .npy, .safetensors, .parquet or .jsonl file of vectors in place of it, a row a record in their order; repeat it for more files',
    repeatable: true,
  },
  {
    flags: '--vectors-name <name>',
    description: 'tensor, column or field of those files',
    default: 'the only one',
  },
]

/** One method's options, under a heading of their own. An option that several methods share is added once. */
export function addSettings(command: Command, method: Choice): void {
  for (const setting of method.settings) {
    if (command.options.some((option) => option.flags === setting.flags)) continue
    const option = new Option(setting.flags, describe(setting)).helpGroup(
      `Method ${method.name} (${method.summary}):`,
    )
    const { parse = (text: string) => text } = setting
    if (setting.repeatable) {
      option.argParser((text: string, earlier: unknown[] | undefined) => [...(earlier ?? []), parse(text)])
    } else if (option.required) option.argParser(parse)
    command.addOption(option)
  }
}

function describe(setting: Setting): string {
  const more = [setting.repeatable && 'repeatable', setting.default && `default: ${setting.default}`].filter(
    Boolean,
  )
  return more.length > 0 ? `${setting.description} (${more.join('; ')})` : setting.description
}

/** Keeps apart what the method declares and what every method has; refuses the options of other methods. */
export function splitSettings<Options extends object>(
  methods: readonly Choice[],
  method: Choice,
  command: Command,
  given: Record<string, unknown>,
): { settings: Record<string, unknown>; options: Options } {
  const settings: Record<string, unknown> = {}
  const options: Record<string, unknown> = {}
  for (const option of command.options) {
    const key = option.attributeName()
    if (given[key] === undefined) continue
    const owners = methods.filter((one) => one.settings.some((setting) => setting.flags === option.flags))
    if (owners.length === 0) options[key] = given[key]
    else if (owners.includes(method)) settings[key] = given[key]
    else {
      throw new UsageError(
        `${option.long} is no option of the method ${method.name}; it belongs to ${owners.map((one) => one.name).join(', ')}`,
      )
    }
  }
  return { settings, options: options as Options }
}
