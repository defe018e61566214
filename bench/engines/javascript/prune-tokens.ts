/**
 * DivPrune in plain JavaScript: half of all products, then a step for each token.
 *
 *   tsx bench/engines/javascript/prune-tokens.ts TOKENS WIDTH KEEP
 * @module
 */
import { argv } from 'node:process'
import { latency } from '../latency.js'
import { digest } from '../timing.js'
import { tokens } from '../tokens.js'

const [n, width, keep] = argv.slice(2).map(Number) as [number, number, number]
const given = tokens(n, width)

function dot(x: Float32Array, i: number, j: number): number {
  let [a, b, c, d] = [0, 0, 0, 0]
  for (let p = i * width, q = j * width; p < (i + 1) * width; p += 4, q += 4) {
    a += (x[p] as number) * (x[q] as number)
    b += (x[p + 1] as number) * (x[q + 1] as number)
    c += (x[p + 2] as number) * (x[q + 2] as number)
    d += (x[p + 3] as number) * (x[q + 3] as number)
  }
  return a + b + c + d
}

function prune(): Uint32Array {
  const x = new Float32Array(given)
  for (let i = 0; i < n; i++) {
    const factor = 1 / Math.sqrt(dot(given, i, i))
    for (let p = i * width; p < (i + 1) * width; p++) x[p] = (x[p] as number) * factor
  }
  const distances = new Float32Array(n * n).fill(Infinity)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const distance = Math.max(0, 1 - dot(x, i, j))
      distances[i * n + j] = distance
      distances[j * n + i] = distance
    }
  }
  let near = Float32Array.from({ length: n }, (_, i) =>
    distances.subarray(i * n, (i + 1) * n).reduce((least, one) => Math.min(least, one)),
  )
  const order = new Uint32Array(keep)
  for (let step = 0; step < keep; step++) {
    const farthest = near.indexOf(near.reduce((most, one) => Math.max(most, one)))
    order[step] = farthest
    if (step === 0) near = new Float32Array(n).fill(Infinity)
    for (let i = 0; i < n; i++) near[i] = Math.min(near[i] as number, distances[i * n + farthest] as number)
    near[farthest] = -Infinity
  }
  return order
}

latency(prune, digest, 5)
