/**
 * The addon's functions for losses of language models.
 * @hidden
 * @module
 */
import type { NativePart } from './native-weights.js'

/** All work at once. */
export interface NativeLosses {
  /** The mean loss of each sequence of `length` rows of `classes` logits, over the rows that the mask lets count. */
  sequenceLosses(
    logits: NativePart,
    labels: NativePart,
    mask: Uint8Array | undefined,
    length: number,
    classes: number,
  ): Float32Array
  /** The mean over windows of `length` rows, the logits of a row predicting the next row's token. */
  windowLoss(logits: NativePart, tokens: NativePart, length: number, classes: number): number
  /** `before - after`, and the `count` places where that is largest. */
  reduceLosses(
    before: Float32Array,
    after: Float32Array,
    count: number,
  ): { scores: Float32Array; indices: Uint32Array; threshold: number }
}
