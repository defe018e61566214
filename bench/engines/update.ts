/**
 * A fine-tuning update for the workloads of weights: many small numbers, few large ones.
 * @module
 */

/** The same items in every engine: `v³ / 100` in float32, v in (-1, 1) from a generator of 32 bits. */
export function update(n: number): Float32Array {
  const data = new Float32Array(n)
  let state = 1
  for (let i = 0; i < n; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    const v = (state + 0.5) / 2 ** 31 - 1
    data[i] = (v * v * v) / 100
  }
  return data
}
