/**
 * Alignment by compression.
 *
 *   tsx bench/engines/tamis/zip-fit.ts DATA.json PART    the check is the mean score of the first part of the sources
 * @module
 */
import { readFileSync } from 'node:fs'
import { argv } from 'node:process'
import { corpus } from 'tamis'
import { timed } from '../timing.js'

const { sources, targets } = JSON.parse(readFileSync(argv[2] as string, 'utf8')) as Record<string, string[]>
const part = Math.round(Number(argv[3]) * (sources as string[]).length)
await timed(() => corpus.alignByCompression(sources as string[], targets as string[]), {
  check: ({ scores }) => scores.data.slice(0, part).reduce((a, b) => a + b, 0) / part,
})
