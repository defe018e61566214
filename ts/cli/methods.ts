/**
 * The methods of `tamis select`. Each declares its own options here, once: the command's help, its checks and the
 * docs' tables are made from this list.
 * @hidden
 * @module
 */
import type { FileSelection, FileSelectionOptions, ImportanceSelection } from '../corpus/index.js'
import { UsageError } from './failures.js'
import { parseAmount, parseCount, parseProportions, parseSeed } from './numbers.js'
import { type Choice, type Setting, VECTOR_PLACE } from './settings.js'

/** A way to select. */
export interface Method extends Choice {
  /** The short name of its recipe. */
  recipe?: string
  /**
   * Calls the API.
   * @param settings - what was given of the method's own options, by their camel-case names
   */
  select(
    raw: string[],
    settings: Record<string, unknown>,
    options: FileSelectionOptions,
  ): Promise<FileSelection | ImportanceSelection>
}

const SEED: Setting = {
  flags: '--seed <n>',
  description: 'seed of the random draw',
  default: '0',
  parse: parseSeed,
}

const TARGET: Setting = {
  flags: '--target <[name=]file>',
  description:
    'what the kept should look like: a file, glob, folder or "-"; repeat it for more files. A name groups files into one of several targets (write ./a=b for a file with "=" in its name; zip-fit has one target, without a name)',
  repeatable: true,
}

const MIN_TOKENS: Setting = {
  flags: '--min-tokens <n>',
  description: 'records of fewer tokens are no candidates',
  default: '100; of zip-fit and random 0',
  parse: parseCount(0, 2 ** 32 - 1),
}

const CLUSTERS: Setting = {
  flags: '--clusters <n>',
  description: 'clusters of k-means',
  default: 'kmq: the records to keep, at most 1024; prototypes: the root of the records, at most 1000',
  parse: parseCount(1, 2 ** 32 - 1),
}

/** Where the vectors are, and whether they are scaled. */
const VECTORS: readonly Setting[] = [
  ...VECTOR_PLACE,
  { flags: '--normalize', description: 'divide each vector by its norm' },
]

const MOST_BUCKETS = 2 ** 32 - 1

const dsir: Method = {
  name: 'dsir',
  recipe: 'dsir',
  summary: 'importance resampling: documents whose words and word pairs look like a target',
  settings: [
    TARGET,
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
    MIN_TOKENS,
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

const kmq: Method = {
  name: 'kmq',
  recipe: 'diversify-conquer',
  summary: 'a share of every k-means cluster of the embeddings, inside a cluster by quality',
  settings: [
    ...VECTORS,
    CLUSTERS,
    { flags: '--quality <name>', description: "field or column of each record's quality, a number" },
    {
      flags: '--temper <softmax|linear>',
      description: 'draw in proportion to exp(quality), or to the quality itself',
      default: 'softmax',
    },
    {
      flags: '--allocation <equal|proportional>',
      description: 'shares of the clusters: equal, or by their size',
      default: 'equal',
    },
    SEED,
  ],
  async select(raw, settings, options) {
    const { selectFilesByClusters } = await import('../corpus/index.js')
    return selectFilesByClusters(raw, { ...options, ...settings })
  },
}

const prototypes: Method = {
  name: 'prototypes',
  recipe: 'ssl-prototypes',
  summary: 'records far from every k-means prototype of the embeddings (hard), or near to one (easy)',
  settings: [
    ...VECTORS,
    CLUSTERS,
    { flags: '--keep <hard|easy>', description: 'which records', default: 'hard' },
    SEED,
  ],
  async select(raw, settings, options) {
    const { selectFilesByPrototypes } = await import('../corpus/index.js')
    return selectFilesByPrototypes(raw, { ...options, ...settings })
  },
}

const maxmin: Method = {
  name: 'maxmin',
  recipe: 'divprune',
  summary: 'records whose embeddings are as far apart as can be',
  settings: [
    ...VECTORS,
    { flags: '--metric <cosine|euclidean>', description: 'the distance', default: 'cosine' },
    {
      flags: '--start <random|isolated>',
      description: 'the first record: drawn by the seed, or the one whose nearest neighbour is farthest',
      default: 'random',
    },
    {
      flags: '--min-distance <x>',
      description: 'stop before a record that is nearer than this to a kept one',
      parse: parseAmount,
    },
    SEED,
  ],
  async select(raw, settings, options) {
    const { selectFilesByDistance } = await import('../corpus/index.js')
    return selectFilesByDistance(raw, { ...options, ...settings })
  },
}

const zipFit: Method = {
  name: 'zip-fit',
  recipe: 'zip-fit',
  summary: 'records that share most with target texts, as gzip sees them',
  settings: [
    TARGET,
    {
      flags: '--level <n>',
      description: 'level of compression, 1 to 9',
      default: '6',
      parse: parseCount(1, 9),
    },
    MIN_TOKENS,
  ],
  async select(raw, { target, ...settings }, options) {
    const files = groupTargets('--target', target)
    if (files === undefined) {
      throw new UsageError('the method zip-fit needs a sample of what to keep: give --target FILE')
    }
    if (!Array.isArray(files)) {
      throw new UsageError('the method zip-fit has one target: give --target FILE, without a name')
    }
    const { selectFilesByCompression } = await import('../corpus/index.js')
    return selectFilesByCompression(raw, files, { ...options, ...settings })
  },
}

const colorFilter: Method = {
  name: 'color-filter',
  recipe: 'color-filter',
  summary: 'records whose loss a language model fine-tuned on the target reduces most',
  settings: [
    {
      flags: '--prior-loss <name>',
      description: "field or column of each record's mean loss under the model; dots reach nested ones",
      default: 'prior_loss',
    },
    {
      flags: '--conditional-loss <name>',
      description: 'field or column of its mean loss under the fine-tuned model',
      default: 'conditional_loss',
    },
  ],
  async select(raw, settings, options) {
    const { selectFilesByLossReduction } = await import('../corpus/index.js')
    return selectFilesByLossReduction(raw, { ...options, ...settings })
  },
}

const random: Method = {
  name: 'random',
  summary: 'a random sample, to compare the others with',
  settings: [SEED, MIN_TOKENS],
  async select(raw, settings, options) {
    const { selectFilesAtRandom } = await import('../corpus/index.js')
    return selectFilesAtRandom(raw, { ...options, ...settings })
  },
}

/** All methods. */
export const METHODS: readonly Method[] = [dsir, zipFit, colorFilter, kmq, prototypes, maxmin, random]

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
