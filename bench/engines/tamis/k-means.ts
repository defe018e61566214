/**
 * k-means from the first rows.
 *
 *   tsx bench/engines/tamis/k-means.ts FILE WIDTH K ITERATIONS
 * @module
 */
import { argv } from 'node:process'
import { kernels, type Tensor } from 'tamis'
import { readRows } from '../read-rows.js'
import { timed } from '../timing.js'

const [file = ''] = argv.slice(2)
const [width = 1, k = 1, maxIterations = 1] = argv.slice(3).map(Number)
const data = readRows(file)
const x: Tensor = { type: 'float32', dims: [data.length / width, width], data }
const init: Tensor = { type: 'float32', dims: [k, width], data: data.slice(0, k * width) }
await timed(() => kernels.kMeansSync(x, { k, init, maxIterations, tolerance: 0 }), {
  repetitions: 3,
  check: ({ inertia }) => inertia,
  notes: ({ iterations }) => ({ iterations }),
})
