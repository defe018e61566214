/**
 * Tokens of 100 kinds, the same in every language: sines of integers, which need no generator.
 * @module
 */

/** [n, width] in float32. */
export function tokens(n: number, width: number): Float32Array {
  return Float32Array.from({ length: n * width }, (_, i) => {
    const [row, column] = [Math.floor(i / width), i % width]
    const kind = (row * 37) % 100
    const hash = (a: number, b: number) => (((a * 7919 + b * 104_729) % 65_521) * 12_345) % 65_521
    return (hash(kind + 1, column) + 0.7 * hash(row + 1000, column)) / 65_521 - 0.85
  })
}
