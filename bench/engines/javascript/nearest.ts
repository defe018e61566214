/**
 * The k nearest rows of a base by cosine, in plain loops over typed arrays.
 *
 *   tsx bench/engines/javascript/nearest.ts QUERIES BASE WIDTH K PART
 * @module
 */
import { argv } from 'node:process'
import { readRows } from '../read-rows.js'
import { timed } from '../timing.js'

const [queryFile = '', baseFile = ''] = argv.slice(2)
const [width = 1, k = 1, part = 1] = argv.slice(4).map(Number)
const base = unit(readRows(baseFile))
const all = readRows(queryFile)
const count = Math.max(1, Math.round((all.length / width) * part))
const queries = unit(all.slice(0, count * width))

/** Rows divided by their norms. */
function unit(x: Float32Array): Float32Array {
  for (let from = 0; from < x.length; from += width) {
    let square = 0
    for (let j = from; j < from + width; j++) square += (x[j] as number) ** 2
    const norm = Math.sqrt(square)
    for (let j = from; j < from + width; j++) x[j] = (x[j] as number) / norm
  }
  return x
}

/** The product of a query and a row: four sums, so that one addition need not wait for the last. */
function dot(q: number, row: number): number {
  let [a, b, c, d] = [0, 0, 0, 0]
  for (let j = 0; j < width; j += 4) {
    a += (queries[q + j] as number) * (base[row + j] as number)
    b += (queries[q + j + 1] as number) * (base[row + j + 1] as number)
    c += (queries[q + j + 2] as number) * (base[row + j + 2] as number)
    d += (queries[q + j + 3] as number) * (base[row + j + 3] as number)
  }
  return a + b + c + d
}

/** The scores of each query's best rows, best first. */
function search(): number[][] {
  const best: number[][] = Array.from({ length: count }, () => Array(k).fill(-Infinity))
  for (let row = 0; row < base.length; row += width) {
    for (let i = 0; i < count; i++) {
      const score = dot(i * width, row)
      const list = best[i] as number[]
      if (score <= (list[k - 1] as number)) continue
      let at = k - 1
      while (at > 0 && (list[at - 1] as number) < score) {
        list[at] = list[at - 1] as number
        at--
      }
      list[at] = score
    }
  }
  return best
}

await timed(search, { repetitions: 2 })
