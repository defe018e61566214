/**
 * Max-Min selection in plain JavaScript: one loop over the rows for each step.
 *
 *   tsx bench/engines/javascript/farthest-first.ts FILE WIDTH KEEP
 * @module
 */
import { readFileSync } from 'node:fs'
import { argv } from 'node:process'
import { digest, timed } from '../timing.js'

const [, , path = '', widthGiven, keepGiven] = argv
const [width, keep] = [Number(widthGiven), Number(keepGiven)]
const bytes = readFileSync(path)
const x = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
const rows = x.length / width
for (let at = 0; at < x.length; at += width) {
  let squared = 0
  for (let j = at; j < at + width; j++) squared += (x[j] as number) ** 2
  const factor = 1 / Math.sqrt(squared)
  for (let j = at; j < at + width; j++) x[j] = (x[j] as number) * factor
}

/** Updates every distance by one kept row, and finds the farthest; sums in four parts, so that none waits. */
function step(near: Float32Array, kept: number): number {
  const row = x.slice(kept * width, (kept + 1) * width)
  near[kept] = -Infinity
  let farthest = 0
  let most = -Infinity
  for (let i = 0, at = 0; i < rows; i++, at += width) {
    let [a, b, c, d] = [0, 0, 0, 0]
    for (let j = 0; j < width; j += 4) {
      a += (x[at + j] as number) * (row[j] as number)
      b += (x[at + j + 1] as number) * (row[j + 1] as number)
      c += (x[at + j + 2] as number) * (row[j + 2] as number)
      d += (x[at + j + 3] as number) * (row[j + 3] as number)
    }
    const distance = Math.max(0, 1 - (a + b + c + d))
    if (distance < (near[i] as number)) near[i] = distance
    if ((near[i] as number) > most) {
      most = near[i] as number
      farthest = i
    }
  }
  return farthest
}

function select(): Uint32Array {
  const near = new Float32Array(rows).fill(Infinity)
  const indices = new Uint32Array(keep)
  for (let i = 1; i < keep; i++) indices[i] = step(near, indices[i - 1] as number)
  return indices
}

await timed(select, { repetitions: 1, check: (indices) => digest(indices.slice(0, 12)) })
