/**
 * k-means from the first rows by the npm package `ml-kmeans`; on the first rows only, of which there must be k.
 *
 *   tsx bench/engines/javascript/k-means-ml.ts FILE WIDTH K ITERATIONS PART
 * @module
 */
import { argv } from 'node:process'
import { importPackage } from '../../node-packages.js'
import { readRows } from '../read-rows.js'
import { timed } from '../timing.js'

interface MlKMeans {
  kmeans(
    data: number[][],
    k: number,
    options: { initialization: number[][]; maxIterations: number; tolerance: number },
  ): { clusters: number[] }
}
const { kmeans } = await importPackage<MlKMeans>('ml-kmeans')

const [file = ''] = argv.slice(2)
const [width = 1, k = 1, maxIterations = 1, part = 1] = argv.slice(3).map(Number)
const items = readRows(file)
const count = Math.round((items.length / width) * part)
const data = Array.from({ length: count }, (_, row) => [...items.subarray(row * width, (row + 1) * width)])
const initialization = data.slice(0, k)

await timed(() => kmeans(data, k, { initialization, maxIterations, tolerance: 0 }), { repetitions: 1 })
