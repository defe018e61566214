/**
 * k-means from the first rows, in plain loops over typed arrays; on the first rows only, of which there must be k.
 *
 *   tsx bench/engines/javascript/k-means.ts FILE WIDTH K ITERATIONS PART
 * @module
 */
import { argv } from 'node:process'
import { readRows } from '../read-rows.js'
import { timed } from '../timing.js'

const [file = ''] = argv.slice(2)
const [width = 1, k = 1, iterations = 1, part = 1] = argv.slice(3).map(Number)
const x = readRows(file)
const rows = Math.round((x.length / width) * part)

/** The nearest centre of a row: the largest x . c - |c|^2 / 2. */
function nearest(row: number, centers: Float32Array, halves: Float64Array): number {
  let [best, most] = [0, -Infinity]
  for (let j = 0; j < k; j++) {
    let [a, b, c, d] = [0, 0, 0, 0]
    for (let i = 0; i < width; i += 4) {
      a += (x[row * width + i] as number) * (centers[j * width + i] as number)
      b += (x[row * width + i + 1] as number) * (centers[j * width + i + 1] as number)
      c += (x[row * width + i + 2] as number) * (centers[j * width + i + 2] as number)
      d += (x[row * width + i + 3] as number) * (centers[j * width + i + 3] as number)
    }
    const form = a + b + c + d - (halves[j] as number)
    if (form > most) [best, most] = [j, form]
  }
  return best
}

/** The labels after so many updates. */
function cluster(): Uint32Array {
  const centers = x.slice(0, k * width)
  const labels = new Uint32Array(rows)
  for (let iteration = 0; iteration <= iterations; iteration++) {
    const halves = new Float64Array(k)
    for (let i = 0; i < k * width; i++) {
      halves[Math.floor(i / width)] =
        (halves[Math.floor(i / width)] as number) + (centers[i] as number) ** 2 / 2
    }
    for (let row = 0; row < rows; row++) labels[row] = nearest(row, centers, halves)
    if (iteration === iterations) break
    const sums = new Float64Array(k * width)
    const counts = new Uint32Array(k)
    for (let row = 0; row < rows; row++) {
      const label = labels[row] as number
      counts[label] = (counts[label] as number) + 1
      for (let i = 0; i < width; i++) {
        sums[label * width + i] = (sums[label * width + i] as number) + (x[row * width + i] as number)
      }
    }
    for (let i = 0; i < k * width; i++) {
      const count = counts[Math.floor(i / width)] as number
      if (count > 0) centers[i] = (sums[i] as number) / count
    }
  }
  return labels
}

await timed(cluster, { repetitions: 2 })
