/**
 * DSIR from files to a file, time after time in one process.
 *
 *   tsx bench/engines/tamis/select.ts RAW TARGET OUT
 * @module
 */
import { argv } from 'node:process'
import { corpus } from 'tamis'
import { timed } from '../timing.js'

const [raw = '', target = '', out = ''] = argv.slice(2)
await timed(
  () => corpus.selectFilesByImportance([raw], [target], { count: 20, out, minTokens: 100, force: true }),
  { repetitions: 3 },
)
