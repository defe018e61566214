/**
 * Gumbel noise from Philox4x32-10, addressed by item.
 * @module
 */

/** The high 32 bits of a product of two words. */
function high(x: number, y: number): number {
  const x0 = x & 0xffff
  const x1 = x >>> 16
  const y0 = y & 0xffff
  const y1 = y >>> 16
  const middle = x1 * y0 + Math.floor((x0 * y0) / 65536)
  const middle2 = x0 * y1 + (middle % 65536)
  return (x1 * y1 + Math.floor(middle / 65536) + Math.floor(middle2 / 65536)) | 0
}

/** Item `i` of stream 0 of `seed` (below 2^32): `-ln(-ln u)`, u of 52 bits. */
export function gumbel(seed: number, i: number): number {
  const block = Math.floor(i / 2)
  let c0 = block | 0
  let c1 = Math.floor(block / 2 ** 32) | 0
  let c2 = 0
  let c3 = 0
  let k0 = seed | 0
  let k1 = 0
  for (let round = 0; round < 10; round++) {
    const high0 = high(0xd2511f53 | 0, c0)
    const high1 = high(0xcd9e8d57 | 0, c2)
    const low0 = Math.imul(0xd2511f53, c0)
    const low1 = Math.imul(0xcd9e8d57, c2)
    c0 = high1 ^ c1 ^ k0
    c1 = low1
    c2 = high0 ^ c3 ^ k1
    c3 = low0
    k0 = (k0 + 0x9e3779b9) | 0
    k1 = (k1 + 0xbb67ae85) | 0
  }
  const [upper, lower] = i % 2 === 0 ? [c0, c1] : [c2, c3]
  const u = ((upper >>> 0) * 2 ** 20 + (lower >>> 12) + 0.5) / 2 ** 52
  return -Math.log(-Math.log(u))
}
