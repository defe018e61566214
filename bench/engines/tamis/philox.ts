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

const out = new Float32Array(n)

/** One stream a call; the last one's draws are the check. */
function draw(): Float32Array {
  for (let stream = 0; stream < calls; stream++) kernels.uniformSync(n, { seed: 7, stream, out })
  return out
}

await timed(draw, { check: digest })
