/**
 * Uniform float32 draws.
 *
 *   tsx bench/engines/tamis/philox.ts N CALLS
 * @module
 */
import { argv } from 'node:process'
import { kernels } from 'tamis'
import { digest, timed } from '../timing.js'

const [n, calls] = [Number(argv[2]), Number(argv[3])]

/** One stream a call; the last one's draws are the check. */
function draw(): Float32Array {
  let data = new Float32Array(0)
  for (let stream = 0; stream < calls; stream++) {
    data = kernels.uniformSync(n, { seed: 7, stream }).data as Float32Array<ArrayBuffer>
  }
  return data
}

await timed(draw, { check: digest })
