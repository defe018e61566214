/**
 * Writes float32 rows of normal draws, around centres if there are clumps.
 *
 *   tsx bench/engines/rows.ts FILE ROWS WIDTH SEED [CLUMPS]
 * @module
 */
import { closeSync, openSync, renameSync, writeSync } from 'node:fs'
import { argv } from 'node:process'
import { kernels } from 'tamis'

const [, , path = '', ...numbers] = argv
const [rows = 0, width = 1, seed = 0, clumps = 0] = numbers.map(Number)
/** How far rows lie from their centre, which is a normal draw itself. */
const SPREAD = 0.3
const BLOCK = 10_000

const centres = kernels.normalSync(clumps * width, { seed, stream: 2 ** 31 }).data as Float32Array
const file = openSync(`${path}.part`, 'w')
for (let first = 0; first < rows; first += BLOCK) {
  const count = Math.min(BLOCK, rows - first)
  const block = kernels.normalSync(count * width, { seed, stream: first / BLOCK }).data as Float32Array
  if (clumps > 0) {
    for (let i = 0; i < block.length; i++) {
      const row = first + Math.floor(i / width)
      const centre = centres[((row * 7919) % clumps) * width + (i % width)] as number
      block[i] = centre + SPREAD * (block[i] as number)
    }
  }
  writeSync(file, new Uint8Array(block.buffer, block.byteOffset, block.byteLength))
}
closeSync(file)
renameSync(`${path}.part`, path)
