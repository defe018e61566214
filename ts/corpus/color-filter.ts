/**
 * CoLoR-Filter (Brandfonbrener, Zhang, Kirsch, Schwarz, Kakade, "CoLoR-Filter: Conditional Loss Reduction Filtering for
 * Targeted Language Model Pre-training", NeurIPS 2024, arXiv 2406.10670): keep the sequences that a small language model
 * finds much easier after it was fine-tuned on the target than before.
 *
 * It needs two small models, the prior and the prior fine-tuned, and one pass of each over the pool; then any size of
 * subset is one selection away. Scores of sequences do not depend on each other: a pool can be scored in parts, on any
 * number of machines. The authors' script takes `int(n / tau)` of a product that may round down, and everything where that
 * is 0; here it is `floor(n / tau + 1e-6)`, and 0 is refused. It averages over padding too; here a mask says what counts.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkOptions, show } from '../options.js'
import { checkReals, convertReals } from '../rows.js'
import { atOnce } from '../run.js'
import { checkTensor, FLOAT_TYPES, type Tensor, viewBytes } from '../tensor.js'
import { refuse } from '../ternary.js'

/** Which tokens of a sequence count. */
export interface SequenceLossOptions {
  /** uint8 or bool [n, t]: tokens whose item is 0 do not count, and their labels may be anything. Default: all count. */
  mask?: Tensor | undefined
}

/** How many sequences are kept: exactly one of the two. */
export type LossReductionOptions = { tau: number; count?: undefined } | { count: number; tau?: undefined }

/** The sequences that are kept. */
export interface LossReduction {
  /** uint32 [k], ascending. */
  indices: Tensor<'uint32'>
  /** float32 [n]: prior - conditional. */
  scores: Tensor<'float32'>
  /** The lowest score that is kept. */
  threshold: number
}

const INTEGERS = ['int64', 'int32', 'uint32', 'uint16', 'int16', 'uint8', 'int8'] as const

/**
 * The mean loss `-ln softmax(logits)[label]` of each sequence over its tokens that count: float32 [n], computed in
 * float64. Logits at a place predict the label at that place, so the caller shifts. Feed it batch by batch and keep the
 * losses. A logit may be -Infinity. O(n t v), in parallel over tokens.
 * @param logits - float32, float16, bfloat16 or float64 [n, t, v]
 * @param labels - an integer type, [n, t], in 0..v-1 where they count
 * @throws TamisError `label out of range`, `sequence N has no active token`, `logits must be`, `shape`, `rank`
 * @example
 * import { corpus, tensor } from 'tamis'
 * const logits = tensor('float32', [1, 2, 3], [0, 0, 0, 5, 1, 1])
 * const mask = tensor('uint8', [1, 2], [1, 0])
 * const losses = corpus.sequenceLoss(logits, tensor('int32', [1, 2], [2, -100]), { mask })
 * console.log(losses.data) // Float32Array(1) [ 1.0986123085021973 ]
 */
export function sequenceLoss(
  logits: Tensor,
  labels: Tensor,
  options?: SequenceLossOptions,
): Tensor<'float32'> {
  const x = checkTensor('logits', logits, { types: FLOAT_TYPES, ranks: [3] })
  const [n, length, classes] = x.dims as [number, number, number]
  const wanted = checkTensor('labels', labels, { types: INTEGERS, dims: [n, length] })
  const o = checkOptions('options', options, ['mask'])
  const mask =
    o.mask === undefined
      ? undefined
      : checkTensor('mask', o.mask, { types: ['uint8', 'bool'], dims: [n, length] }).data
  if (n > 0 && length === 0) {
    throw new TamisError('ERR_TAMIS_RANGE', 'sequence 0 has no active token')
  }
  const part = (tensor: Tensor) => ({ type: tensor.type, data: viewBytes(tensor) })
  // Without sequences there is no length to cut them by.
  const data =
    n === 0
      ? new Float32Array(0)
      : atOnce(() => native.sequenceLosses(part(x), part(wanted), mask, length, classes))
  return { type: 'float32', dims: [n], data }
}

/**
 * The sequences whose loss a model fine-tuned on the target reduces most: of the whole pool those with the highest
 * `prior - conditional`, in float32; equal ones: the lower index first. A loss may be Infinity under one of the models.
 * O(n), in parallel; 12 bytes a sequence.
 * @param prior - mean losses of the sequences under the prior, a float type [n], n >= 1
 * @param conditional - of the same sequences under the fine-tuned prior, [n]
 * @param options - `tau`: candidates for each sequence kept, >= 1 (the paper uses 7 to 64), so that
 * `floor(n / tau + 1e-6)` are; or `count`: 1..n
 * @throws TamisError `prior and conditional must have the same length`, `losses must be`, `give either tau or count`,
 * `tau must be at least 1`, `tau leaves nothing of N sequences`, `count must be between 1 and N`
 * @example
 * import { corpus, tensor } from 'tamis'
 * const prior = tensor('float32', [4], [3, 3.5, 2.75, 4])
 * const conditional = tensor('float32', [4], [2.5, 3.5, 1.75, 3.75])
 * const { indices, threshold } = corpus.filterByLossReduction(prior, conditional, { tau: 2 })
 * console.log(indices.data, threshold) // Uint32Array(2) [ 0, 2 ] 0.5
 */
export function filterByLossReduction(
  prior: Tensor,
  conditional: Tensor,
  options: LossReductionOptions,
): LossReduction {
  const before = convertReals(checkReals('prior', prior, [1]), 'float32').data
  const after = convertReals(checkReals('conditional', conditional, [1]), 'float32').data
  const n = before.length
  if (after.length !== n) {
    const got = `got ${n} and ${after.length}`
    throw new TamisError('ERR_TAMIS_SHAPE', `prior and conditional must have the same length, ${got}`)
  }
  if (n === 0) throw new TamisError('ERR_TAMIS_SHAPE', 'losses must be of at least one sequence, got none')
  const count = checkKept(
    checkOptions('options', options as { tau?: number; count?: number }, ['tau', 'count']),
    n,
  )
  const { indices, scores, threshold } = atOnce(() => native.reduceLosses(before, after, count))
  return {
    indices: { type: 'uint32', dims: [count], data: indices },
    scores: { type: 'float32', dims: [n], data: scores },
    threshold,
  }
}

function checkKept({ tau, count }: { tau?: number; count?: number }, n: number): number {
  if ((tau === undefined) === (count === undefined)) {
    const got = tau === undefined ? 'neither' : 'both'
    throw new TamisError('ERR_TAMIS_RANGE', `give either tau or count, got ${got}`)
  }
  if (tau === undefined) {
    if (Number.isInteger(count) && (count as number) >= 1 && (count as number) <= n) return count as number
    return refuse(`count must be between 1 and ${n}`, count)
  }
  if (typeof tau !== 'number' || !(tau >= 1)) return refuse('tau must be at least 1', tau)
  const kept = Math.floor(n / tau + 1e-6)
  if (kept >= 1) return kept
  throw new TamisError('ERR_TAMIS_RANGE', `tau leaves nothing of ${n} sequences: it is ${show(tau)}`)
}
