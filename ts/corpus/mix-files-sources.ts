/**
 * The sources of a mixture of files.
 * @module
 */
import { TamisError } from '../errors.js'
import { checkPatterns } from '../files.js'
import type { NativeCorpus, NativeFileTotals } from '../native-files.js'
import { show } from '../options.js'

/** A source as it was given. @hidden */
export interface Group {
  name: string
  patterns: string[]
}

/** The sources, each with its name (a number where none was given) and its patterns. @hidden */
export function checkSources(sources: unknown): Group[] {
  const isNamed = typeof sources === 'object' && sources !== null && !Array.isArray(sources)
  const entries: [string, unknown][] = isNamed
    ? Object.entries(sources)
    : Array.isArray(sources)
      ? sources.map((source, i) => [String(i), source])
      : []
  if (entries.length === 0) {
    throw new TamisError(
      'ERR_TAMIS_TYPE',
      `sources must be a list of at least one source, or an object of them by name, got ${show(sources)}`,
    )
  }
  return entries.map(([name, source]) => {
    const list = typeof source === 'string' ? [source] : source
    return { name, patterns: checkPatterns(`sources.${name}`, list) }
  })
}

/** A source, and what it holds. @hidden */
export interface Counted extends Group {
  /** Place of its first record among all. */
  first: number
  records: number
  tokens: number
}

/** What each source holds: its files follow one another. @hidden */
export function countSources(
  pool: NativeCorpus,
  files: readonly NativeFileTotals[],
  groups: readonly Group[],
): Counted[] {
  const owner = groups.flatMap(({ patterns }, g) => patterns.map(() => g))
  const counted = groups.map((group) => ({ ...group, first: 0, records: 0, tokens: 0 }))
  for (const [i, { pattern }] of pool.inputs().entries()) {
    const source = counted[owner[pattern] as number] as Counted
    source.records += files[i]?.records ?? 0
    source.tokens += files[i]?.tokens ?? 0
  }
  let first = 0
  for (const source of counted) {
    source.first = first
    first += source.records
  }
  return counted
}
