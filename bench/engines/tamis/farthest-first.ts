/**
 * Max-Min selection.
 *
 *   tsx bench/engines/tamis/farthest-first.ts FILE WIDTH KEEP
 * @module
 */
import { readFileSync } from 'node:fs'
import { argv } from 'node:process'
import { kernels } from 'tamis'
import { digest, timed } from '../timing.js'

const [, , path = '', width, keep] = argv
const bytes = readFileSync(path)
const data = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
const x = { type: 'float32' as const, dims: [data.length / Number(width), Number(width)], data }
await timed(() => kernels.farthestFirstSync(x, { k: Number(keep), start: 0 }), {
  repetitions: 3,
  // The slower engines keep fewer: what they keep is how this begins.
  check: ({ indices }) => digest(indices.slice(0, 12)),
})
