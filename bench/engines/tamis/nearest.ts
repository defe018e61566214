/**
 * The k nearest rows of a base by cosine.
 *
 *   tsx bench/engines/tamis/nearest.ts QUERIES BASE WIDTH K
 * @module
 */
import { argv } from 'node:process'
import { kernels, type Tensor } from 'tamis'
import { readRows } from '../read-rows.js'
import { meanScore } from '../scores.js'
import { timed } from '../timing.js'

const [queries = '', base = '', width = '0', k = '1'] = argv.slice(2)
const load = (file: string): Tensor => {
  const data = readRows(file)
  return { type: 'float32', dims: [data.length / Number(width), Number(width)], data }
}
const [from, to] = [load(queries), load(base)]
await timed(() => kernels.nearestSync(from, to, { k: Number(k) }), {
  repetitions: 3,
  check: ({ scores }) => meanScore(scores.data as Float32Array, Number(k)),
})
