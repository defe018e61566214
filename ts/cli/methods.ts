/**
 * The methods of `tamis select`. Each declares its own options here, once: the command's help, its checks and the
 * docs' tables are made from this list.
 * @hidden
 * @module
 */
import type { FileSelection, FileSelectionOptions } from '../corpus/index.js'
import { UsageError } from './failures.js'
import { parseAmount, parseCount, parseProportions, parseSeed } from './numbers.js'
import type { Choice, Setting } from './settings.js'

/** A way to select, named as its recipe. */
export interface Method extends Choice {
  /**
   * Calls the API.
   * @param settings - what was given of the method's own options, by their camel-case names
   */
  select(
    raw: string[],
    settings: Record<string, unknown>,
    options: FileSelectionOptions,
  ): Promise<FileSelection>
}

const SEED: Setting = {
  flags: '--seed <n>',
  description: 'seed of the random draw',
  default: '0',
  parse: parseSeed,
}

const MOST_BUCKETS = 2 ** 32 - 1

const dsir: Method = {
  name: 'dsir',
  summary: 'importance resampling: documents whose words and word pairs look like a target',
  settings: [
    {
      flags: '--target <[name=]file>',
      description:
        'what the kept should look like: a file, glob, folder or "-"; repeat it for more files. A name groups files into one of several targets (write ./a=b for a file with "=" in its name)',
      repeatable: true,
    },
    {
      flags: '--target-counts <[name=]file>',
      description: 'n-gram counts of a target, made by `tamis ngrams count`, instead of --target',
      repeatable: true,
    },
    {
      flags: '--counts <file>',
      description: 'n-gram counts of the raw side to fit on, instead of a pass over the raw files',
    },
    {
      flags: '--proportions <a,b,...>',
      description:
        'what share of the amount each target gets, in the order in which the targets are first named',
      default: "the targets' n-gram totals",
      parse: parseProportions,
    },
    { flags: '--top-k', description: 'take the highest weights instead of drawing in proportion to them' },
    SEED,
    {
      flags: '--min-tokens <n>',
      description: 'records of fewer tokens are no candidates',
      default: '100',
      parse: parseCount(0, 2 ** 32 - 1),
    },
    {
      flags: '--ngrams <n>',
      description: 'longest n-gram counted',
      default: '2',
      parse: parseCount(1, MOST_BUCKETS),
    },
    {
      flags: '--buckets <n>',
      description: 'buckets that n-grams are hashed into',
      default: '10000',
      parse: parseCount(1, MOST_BUCKETS),
    },
    {
      flags: '--smoothing <x>',
      description: "added to every bucket of a target's counts",
      default: '0',
      parse: parseAmount,
    },
    {
      flags: '--fit-ngrams <all|auto|n>',
      description: 'n-grams of the raw side to fit on; auto is 100,000 for each bucket',
      default: 'all',
      parse: (text) => (text === 'all' || text === 'auto' ? text : parseCount(1)(text)),
    },
  ],
  async select(raw, settings, options) {
    const { target, targetCounts, counts, topK, ...rest } = settings
    const files = groupTargets('--target', target)
    const counted = groupTargets('--target-counts', targetCounts)
    if (!files === !counted) {
      throw new UsageError(
        files
          ? '--target and --target-counts are two ways to give the targets: give one of them'
          : 'the method dsir needs a sample of what to keep: give --target FILE, or --target-counts FILE',
      )
    }
    const { selectFilesByImportance } = await import('../corpus/index.js')
    return selectFilesByImportance(raw, files ?? [], {
      ...options,
      ...rest,
      ...(topK === true && { method: 'topK' as const }),
      ...(counts !== undefined && { rawCounts: counts as string }),
      ...(counted && { targetCounts: counted }),
    })
  },
}

/** All methods, by name. */
export const METHODS: readonly Method[] = [dsir]

/** `NAME=FILE`; a path has no such beginning. */
const NAMED = /^([\w.-]*\w[\w.-]*)=(.+)$/s

/** Files by the names before them; a plain list where no file has one. */
export function groupTargets(flag: string, given: unknown): string[] | Record<string, string[]> | undefined {
  if (given === undefined) return undefined
  const list = given as string[]
  const named = list.map((item) => NAMED.exec(item))
  if (named.every((match) => match === null)) return list
  const groups = new Map<string, string[]>()
  for (const [i, match] of named.entries()) {
    if (match === null) {
      throw new UsageError(
        `${flag} ${list[i]} has no name, but others have: give every one a name (NAME=FILE), or none`,
      )
    }
    const [, name, file] = match as unknown as [string, string, string]
    groups.set(name, [...(groups.get(name) ?? []), file])
  }
  return Object.fromEntries(groups)
}
