/**
 * What finding duplicates in files is told: what is compared with what, and where the rest goes.
 * @module
 */
import { TamisError } from '../errors.js'
import { checkName, checkPatterns, checkStandardInput, FILE_OPTIONS, type FileOptions } from '../files.js'
import { checkBoolean, checkOneOf, checkPositiveInteger, show } from '../options.js'
import { type OutputPlan, planOutput } from '../places.js'

/** The passes of a run that finds duplicates: each document is marked, groups are found, what is kept is written. */
export type DedupPass = 'mark' | 'link' | 'write'

/**
 * Paths, globs, folders (their `.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.parquet`, `.txt` files), `-` for standard input. By name:
 * the sources of documents; in a list each item is a source of its own.
 */
export type FileSources = readonly string[] | Readonly<Record<string, readonly string[]>>

/** What a run that finds duplicates is told, whatever it takes for one. */
export interface FileDedupOptions extends FileOptions<DedupPass> {
  /** Compare documents of all sources (`global`, the default), or only those of one source (`local`). */
  scope?: 'global' | 'local'
  /**
   * Files as in the input that are only compared with: their documents come first, are never written, and what is the same as
   * one of them, in any source, is dropped.
   */
  against?: readonly string[]
  /**
   * Where the kept records go, in input order. A path that ends in `.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.parquet`
   * (or `.txt`, `.txt.gz`, `.txt.zst` for plain text) is written as that one file; any other is a folder with a file for
   * each input under its own name. Needed but in a dry run.
   */
  out?: string
  /** As `out`, but always a folder. */
  outDir?: string
  /**
   * Also write a record for each document that was dropped to this file, which ends in `.jsonl`, `.jsonl.gz`, `.jsonl.zst` or
   * `.parquet`: its `file` and `record` (from 0, among the good ones of its file), `of_file` and `of_record` of the document
   * that stands for it, and whether that is one of `against`.
   */
  clusters?: string
  /**
   * Bytes of memory that marks and tables may take, beside 4 for each document. What is more lies on disk beside the output, and
   * is read in several passes. Default 1 GiB.
   */
  memory?: number
  /** Go on with an interrupted run of the same options on the same files. Default false. */
  resume?: boolean
  /** Replace an output that exists. Default false. */
  force?: boolean
  /** Work everything out, write nothing. Default false. */
  dryRun?: boolean
}

/** The names of {@link FileDedupOptions}. @hidden */
export const DEDUP_OPTIONS = [
  ...FILE_OPTIONS,
  'scope',
  'against',
  'out',
  'outDir',
  'clusters',
  'memory',
  'resume',
  'force',
  'dryRun',
] as const

const CLUSTER_ENDINGS = ['.jsonl', '.jsonl.gz', '.jsonl.zst', '.parquet']

/** What is compared, and where it goes. @hidden */
export interface DedupPlan extends OutputPlan {
  /** All patterns, source after source. */
  patterns: string[]
  sources: string[]
  /** Of each pattern, the number of its source. */
  sourceOf: number[]
  local: boolean
  against: string[]
  memory: number
}

/** Checks what can be checked before a file is touched. @hidden */
export function planDedup(inputs: FileSources, o: FileDedupOptions): DedupPlan {
  const groups = groupSources(inputs)
  const patterns = groups.flatMap(({ files }) => files)
  const against = o.against === undefined ? [] : checkPatterns('against', o.against)
  const resume = checkBoolean('resume', o.resume, false)
  checkStandardInput([...against, ...patterns], resume)
  const dryRun = checkBoolean('dryRun', o.dryRun, false)
  const { clusters } = o
  return {
    patterns,
    sources: groups.map(({ name }) => name),
    sourceOf: groups.flatMap(({ files }, source) => files.map(() => source)),
    local: checkOneOf('scope', o.scope ?? 'global', ['global', 'local']) === 'local',
    against,
    memory: checkPositiveInteger('memory', o.memory ?? 2 ** 30),
    output: planOutput(o, dryRun),
    side:
      clusters === undefined
        ? undefined
        : { name: 'clusters', path: checkName('clusters', clusters), endings: CLUSTER_ENDINGS },
    resume,
    force: checkBoolean('force', o.force, false),
    dryRun,
  }
}

function groupSources(inputs: FileSources): { name: string; files: string[] }[] {
  if (Array.isArray(inputs))
    return checkPatterns('inputs', inputs).map((file) => ({ name: file, files: [file] }))
  const named = typeof inputs === 'object' && inputs !== null ? Object.entries(inputs) : []
  if (named.length === 0) {
    throw new TamisError(
      'ERR_TAMIS_TYPE',
      `inputs must be a list of paths, globs and folders, or an object of such lists by the names of their sources, got ${show(inputs)}`,
    )
  }
  return named.map(([name, files]) => ({ name, files: checkPatterns(`inputs.${name}`, files) }))
}
