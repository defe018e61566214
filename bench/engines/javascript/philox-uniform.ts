/**
 * Uniform float32 draws of Philox4x32-10 in plain JavaScript: one loop over blocks, state in local variables.
 *
 *   tsx bench/engines/javascript/philox-uniform.ts N CALLS
 * @module
 */
import { argv } from 'node:process'
import { digest, timed } from '../timing.js'

const [n, calls] = [Number(argv[2]), Number(argv[3])]
const SCALE = 1 / 2 ** 23

/** A stream of a seed below 2^32; the high halves of the products from 16-bit parts, all in int32. */
function fill(out: Float32Array, seed: number, stream: number): void {
  for (let block = 0, at = 0; at < out.length; block++, at += 4) {
    let c0 = block
    let c1 = 0
    let c2 = stream
    let c3 = 0
    let k0 = seed
    let k1 = 0
    for (let round = 0; round < 10; round++) {
      const low0 = Math.imul(0xd2511f53, c0)
      const low1 = Math.imul(0xcd9e8d57, c2)
      const a = c0 & 0xffff
      const b = c0 >>> 16
      const c = c2 & 0xffff
      const d = c2 >>> 16
      // (h * 2^16 + l) * (b * 2^16 + a): every sum stays below 2^32, as an unsigned one.
      const low = Math.imul(0x1f53, a) >>> 16
      const middle = (Math.imul(0xd251, a) >>> 0) + low
      const across = (Math.imul(0x1f53, b) >>> 0) + (middle & 0xffff)
      const high0 = (Math.imul(0xd251, b) + (middle >>> 16) + (across >>> 16)) | 0
      const low2 = Math.imul(0x8d57, c) >>> 16
      const middle2 = (Math.imul(0xcd9e, c) >>> 0) + low2
      const across2 = (Math.imul(0x8d57, d) >>> 0) + (middle2 & 0xffff)
      const high1 = (Math.imul(0xcd9e, d) + (middle2 >>> 16) + (across2 >>> 16)) | 0
      c0 = high1 ^ c1 ^ k0
      c1 = low1
      c2 = high0 ^ c3 ^ k1
      c3 = low0
      k0 = (k0 + 0x9e3779b9) | 0
      k1 = (k1 + 0xbb67ae85) | 0
    }
    out[at] = ((c0 >>> 9) + 0.5) * SCALE
    if (at + 1 < out.length) out[at + 1] = ((c1 >>> 9) + 0.5) * SCALE
    if (at + 2 < out.length) out[at + 2] = ((c2 >>> 9) + 0.5) * SCALE
    if (at + 3 < out.length) out[at + 3] = ((c3 >>> 9) + 0.5) * SCALE
  }
}

const out = new Float32Array(n)
function draw(): void {
  for (let stream = 0; stream < calls; stream++) fill(out, 7, stream)
}

await timed(draw, { check: () => digest(out) })
