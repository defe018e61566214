/**
 * The k nearest rows of a base by cosine, by the exact search of the npm package `usearch`; of the first queries only.
 *
 *   tsx bench/engines/javascript/nearest-usearch.ts QUERIES BASE WIDTH K PART THREADS
 * @module
 */
import { argv } from 'node:process'
import { importPackage } from '../../node-packages.js'
import { readRows } from '../read-rows.js'
import { meanScore } from '../scores.js'
import { timed } from '../timing.js'

interface Usearch {
  MetricKind: { Cos: string }
  exactSearch(
    base: Float32Array,
    queries: Float32Array,
    width: number,
    count: number,
    metric: string,
    threads: number,
  ): { distances: Float32Array }
}
const { exactSearch, MetricKind } = await importPackage<Usearch>('usearch')

const [queryFile = '', baseFile = ''] = argv.slice(2)
const [width = 1, k = 1, part = 1, threads = 1] = argv.slice(4).map(Number)
const base = readRows(baseFile)
const all = readRows(queryFile)
const queries = all.slice(0, Math.round((all.length / width) * part) * width)

await timed(() => exactSearch(base, queries, width, k, MetricKind.Cos, threads), {
  repetitions: 2,
  check: ({ distances }) =>
    meanScore(
      distances.map((distance) => 1 - distance),
      k,
    ),
})
