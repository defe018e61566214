/**
 * What the reports make of measured times.
 * @module
 */

/** The middle of the values, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/**
 * The exponent p of `time = c · size^p` by least squares of the logarithms. Sizes and times are positive, as many of one
 * as of the other, and at least two sizes differ; else a `RangeError`.
 */
export function fitExponent(sizes: readonly number[], times: readonly number[]): number {
  if (sizes.length !== times.length) {
    throw new RangeError(`there must be a time for each size, got ${times.length} for ${sizes.length}`)
  }
  if (![...sizes, ...times].every((x) => x > 0 && x < Number.POSITIVE_INFINITY)) {
    throw new RangeError('sizes and times must be positive')
  }
  if (new Set(sizes).size < 2) throw new RangeError('two different sizes must be there for a fit')
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length
  const [x, y] = [sizes.map(Math.log), times.map(Math.log)]
  const [middleX, middleY] = [mean(x), mean(y)]
  const along = x.reduce((sum, at, i) => sum + (at - middleX) * ((y[i] as number) - middleY), 0)
  return along / x.reduce((sum, at) => sum + (at - middleX) ** 2, 0)
}
