/**
 * The addon's functions for matrix products and masked matrices.
 * @hidden
 * @module
 */

/** A row-major matrix [rows, columns], taken as it is or transposed. */
export interface NativeFactor {
  data: Float32Array
  rows: number
  columns: number
  transposed: boolean
}

/** All work at once, in float32. */
export interface NativeMasked {
  /** `base + factor * A B`; without a base `factor * A B`. */
  multiply(a: NativeFactor, b: NativeFactor, factor: number, base?: Float32Array): Float32Array
  /** `|weight| + productFactor * product + lineFactor * (row + column)`. */
  maskScores(
    weight: Float32Array,
    product: Float32Array,
    productFactor: number,
    rows: Float32Array,
    columns: Float32Array,
    lineFactor: number,
  ): Float32Array
  /**
   * The slopes behind `mask * weight`, rows of `width` items: by the scores that made the mask, their sums over rows and
   * columns, and by the weight.
   */
  maskSlopes(
    gradient: Float32Array,
    weight: Float32Array,
    mask: Uint8Array,
    width: number,
  ): { scores: Float32Array; rows: Float32Array; columns: Float32Array; weight: Float32Array }
}
