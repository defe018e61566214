/**
 * The addon's gradient descent over tensors whose weights stand and fall in groups.
 * @hidden
 * @module
 */

/** Group j of a set has index j of the middle of the tensor seen as [outer, groups, inner]. */
export interface NativeMember {
  set: number
  tensor: number
  outer: number
  inner: number
}

export interface NativeGroups {
  /** The scores of the groups of each set. */
  groupSaliency(
    weights: Float32Array[],
    directions: Float32Array[],
    counts: number[],
    members: NativeMember[],
  ): Float64Array[]
  /** Without betas directions add up by the momentum. */
  GroupedDescent: new (
    weights: Float32Array[],
    counts: number[],
    members: NativeMember[],
    rule: { betas?: number[] | undefined; momentum: number; decay: number; decoupled: boolean },
  ) => NativeDescent
}

/** Weights and where they go. */
export interface NativeDescent {
  /** Makes the directions of the next step; gradients that are not finite change nothing. */
  direct(gradients: Float32Array[]): void
  /** The scores of the groups of each set. */
  saliency(): Float64Array[]
  /** Moves these tensors along their directions. */
  update(tensors: number[], rate: number): void
  /** Multiplies some groups of a set by a factor; 0 makes them 0 whatever they are. */
  scale(set: number, groups: Uint32Array, factor: number): void
  save(): void
  /** Takes back what changed since `save`. */
  restore(): void
  forget(): void
  /** A copy of the weights. */
  weights(): Float32Array[]
}
