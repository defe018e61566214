/**
 * Mixtures of sources as one file: {@link mixSources} over the records of files.
 * @module
 */
import { TamisError } from '../errors.js'
import { bytesOf, checkStandardInput, FILE_OPTIONS, type FileOptions, runOnFiles } from '../files.js'
import { native } from '../native.js'
import { checkBoolean, checkOneOf, checkOptions, parseSeed, type Seed } from '../options.js'
import { commit, openPlaces, planOutput } from '../places.js'
import type { MixReport } from '../report/data.js'
import { reportMix } from './mix-files-report.js'
import { type Counted, checkSources, countSources } from './mix-files-sources.js'
import { type Mixed, mixSources } from './slimpajama-mix.js'

/** The passes of a mixture. */
export type MixPass = 'read' | 'write'

/** How sources are mixed, and where the mixture goes. */
export interface MixFilesOptions extends FileOptions<MixPass> {
  /** How often each source is gone through, in their order: `weights` of {@link mixSources}. Default 1 each. */
  epochs?: readonly number[]
  /** In place of it: the share of each source; they need not add up to 1. */
  proportions?: readonly number[]
  /** What proportions are of: `records` (default) or `tokens`. */
  by?: 'records' | 'tokens'
  /** Records of the mixture. Default: the sum of epochs times records; with proportions that of the records. */
  total?: number
  /** An integer 0..2^64-1. Default 0. */
  seed?: Seed
  /** The mixture: `.jsonl`, `.jsonl.gz`, `.jsonl.zst`, `.parquet`, and of text files `.txt`. Needed but in a dry run. */
  out?: string
  /** Go on with an interrupted run of the same options on the same files: what it read is not read again. Default false. */
  resume?: boolean
  /** Replace an output that exists. Default false. */
  force?: boolean
  /** Work everything out, write nothing. Default false. */
  dryRun?: boolean
}

/** What was mixed. */
export interface MixedFiles {
  /** Records of the mixture. */
  records: number
  /** Of each source: its good records, those of the mixture, tokens of both, its chance, and how often it was gone through. */
  sources: {
    name: string
    records: number
    tokens: number
    mixed: number
    probability: number
    epochs: number
  }[]
  /** Bad records passed over. */
  skipped: number
  /** Messages of the first of them. */
  bad: string[]
  /** The file written; none in a dry run. */
  files: string[]
  /** Where the manifest lies; undefined in a dry run. */
  manifest: string | undefined
  seconds: number
  /** What a report is drawn from. */
  report: MixReport
}

/** Each source: a file, glob or folder; several of them; or by name. */
export type MixedSources =
  | readonly (string | readonly string[])[]
  | Readonly<Record<string, string | readonly string[]>>

const OPTIONS = ['epochs', 'proportions', 'by', 'total', 'seed', 'out', 'resume', 'force', 'dryRun'] as const

/**
 * Mixes the records of several sources into one file, in the order that {@link mixSources} gives. Records keep all their fields. A pass
 * over the files finds the records, a second decodes those of the mixture into a temporary file beside the output, from
 * which they are put in order. An interrupted run can be gone on with. Memory: 52 bytes a record and 12 a record of the mixture; the same bytes for any number of threads.
 * @param sources - one pattern (path, glob, folder) a source, or several, or by name
 * @throws TamisError what {@link mixSources} throws of `proportions`, `total` and (as weights) `epochs`; `out`; of files what
 * {@link selectFilesByImportance} throws
 * @example
 * import { corpus } from 'tamis'
 * const { sources } = await corpus.mixFiles({ web: ['web/*.jsonl.gz'], books: 'books.parquet' }, {
 *   epochs: [1, 2.5],
 *   out: 'mixture.jsonl.zst',
 * })
 */
export async function mixFiles(sources: MixedSources, options: MixFilesOptions): Promise<MixedFiles> {
  const o = checkOptions('options', options, [...FILE_OPTIONS, ...OPTIONS])
  const groups = checkSources(sources)
  const seed = parseSeed(o.seed)
  const by = checkOneOf('by', o.by ?? 'records', ['records', 'tokens'])
  const dryRun = checkBoolean('dryRun', o.dryRun, false)
  const plan = {
    output: planOutput(o, dryRun),
    side: undefined,
    resume: checkBoolean('resume', o.resume, false),
    force: checkBoolean('force', o.force, false),
    dryRun,
  }
  if (plan.output?.folder) {
    throw new TamisError(
      'ERR_TAMIS_RANGE',
      `out must be one file (.jsonl, .jsonl.gz, .jsonl.zst, .parquet or .txt), got ${plan.output.path}`,
    )
  }
  if (by === 'tokens' && o.proportions === undefined) {
    throw new TamisError('ERR_TAMIS_RANGE', "by: 'tokens' needs proportions")
  }
  const patterns = groups.flatMap((group) => group.patterns)
  checkStandardInput(patterns, plan.resume)
  return runOnFiles(o, async (run) => {
    const pool = await run.open(patterns)
    const { epochs, proportions, total } = o
    const used = { epochs, proportions, by, total, seed: String(seed) }
    const places = await openPlaces(run, plan, [pool], {
      tamis: native.version(),
      unicode: native.unicodeVersion(),
      method: 'mix',
      ...run.read,
      ...used,
      sources: groups,
    })
    run.begin('read', bytesOf(pool))
    const { threads } = run
    const wanted = { vector: undefined, numbers: [], hash: true, threads }
    const found = await run.work((job) => native.findPlaces(pool, wanted, run.state, job))
    const files = found.files()
    const counted = countSources(pool, files, groups)
    const mean = (t: { records: number; tokens: number }) => (t.records === 0 ? 0 : t.tokens / t.records)
    const mixed = await mixSources(
      counted.map((source) => source.records),
      {
        ...(o.epochs !== undefined && { weights: o.epochs }),
        ...(o.proportions !== undefined && { proportions: o.proportions }),
        ...(by === 'tokens' && { meanTokens: counted.map(mean) }),
        ...(o.total !== undefined && { total: o.total }),
        seed,
        ...(o.signal && { signal: o.signal }),
      },
    )
    const { order, counts } = native.mixtureOrder(
      mixed.source,
      mixed.index,
      Uint32Array.from(counted, (source) => source.first),
    )
    run.begin('write', places.output ? found.mixtureBytes(order) : 0)
    const written = run.hold(
      await run.work((job) =>
        native.writeMixture(pool, found, order, places.output, run.state, threads, job),
      ),
    )
    const told = tell(counted, mixed, counts)
    const outputs = written.files()
    const report = reportMix(run, pool, {
      options: used,
      by,
      proportions,
      files,
      written: written.totals(),
      groups,
      sources: told,
    })
    const { tamis, method, startedAt, seconds, options, warnings } = report
    const { skipped } = report.totals
    const manifest =
      places.output &&
      (await commit(run, written, {
        tamis,
        method,
        startedAt,
        seconds,
        options,
        inputs: report.inputs.map((input, i) => ({ ...input, sha256: found.hashes()[i] ?? null })),
        sources: told,
        totals: { records: order.length, skipped },
        outputs,
        warnings,
      }))
    return {
      records: order.length,
      sources: told,
      skipped,
      bad: found.bad(),
      files: manifest === undefined ? [] : outputs.map((file) => file.path),
      manifest,
      seconds,
      report,
    }
  })
}

function tell(counted: Counted[], mixed: Mixed, counts: Uint32Array): MixedFiles['sources'] {
  return counted.map(({ name, records, tokens }, i) => ({
    name,
    records,
    tokens,
    mixed: counts[i] as number,
    probability: mixed.probability[i] as number,
    epochs: mixed.epochs[i] as number,
  }))
}
