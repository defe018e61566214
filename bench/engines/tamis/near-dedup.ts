/**
 * Near duplicates from files to files.
 *
 *   tsx bench/engines/tamis/near-dedup.ts FOLDER BANDS ROWS
 * @module
 */
import { argv } from 'node:process'
import { corpus } from 'tamis'
import { peakMegabytes } from '../../memory.js'
import { timed } from '../timing.js'

const [folder = '', bands, rows] = argv.slice(2)
const shape = { bands: Number(bands), rows: Number(rows), numPerm: Number(bands) * Number(rows) }
await timed(() => corpus.dedupFilesNear([folder], { ...shape, out: `${folder}-tamis`, force: true }), {
  repetitions: 2,
  megabytes: peakMegabytes,
  notes: ({ kept, records }) => ({ kept: `${((100 * kept) / records).toFixed(1)} %` }),
})
