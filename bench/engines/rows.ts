/**
 * Writes float32 rows of a kind: `uniform` in all directions, or `clustered` around centres.
 *
 *   tsx bench/engines/rows.ts FILE KIND ROWS WIDTH
 * @module
 */
import { closeSync, openSync, renameSync, writeSync } from 'node:fs'
import { argv } from 'node:process'
import { kernels } from 'tamis'

const [, , path = '', kind = '', rowsGiven, widthGiven] = argv
const [rows, width] = [Number(rowsGiven), Number(widthGiven)]
const [CLUSTERS, SPREAD, BLOCK] = [2000, 0.3, 10_000]

const centres = kernels.normalSync(CLUSTERS * width, { seed: 1 }).data as Float32Array
const file = openSync(`${path}.part`, 'w')
for (let first = 0; first < rows; first += BLOCK) {
  const count = Math.min(BLOCK, rows - first)
  const block = kernels.normalSync(count * width, { seed: 2, stream: first / BLOCK }).data as Float32Array
  if (kind === 'clustered') {
    for (let i = 0; i < block.length; i++) {
      const row = first + Math.floor(i / width)
      const centre = centres[((row * 7919) % CLUSTERS) * width + (i % width)] as number
      block[i] = centre + SPREAD * (block[i] as number)
    }
  }
  writeSync(file, new Uint8Array(block.buffer, block.byteOffset, block.byteLength))
}
closeSync(file)
renameSync(`${path}.part`, path)
