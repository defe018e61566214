/**
 * Sparse tensors: what is kept of each row, and 0 elsewhere.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkOptions, show } from '../options.js'
import { type Cancellable, now, type Operation, promised } from '../run.js'
import { checkTensor, FLOAT_TYPES, type Tensor, type TensorType, viewAs, viewBytes } from '../tensor.js'
import { checkDensity, checkKnown, refuse } from '../ternary.js'

/** How many are kept (exactly one of density, sparsity, keep and pattern), and by what. */
export interface SparsifyOptions {
  /** A share to keep, in (0, 1]: `max(1, floor(density n + 1e-6))` items. */
  density?: number | undefined
  /** A share to drop, in [0, 1): `floor(sparsity n + 1e-6)` items. */
  sparsity?: number | undefined
  /** So many items, 0..n. */
  keep?: number | undefined
  /** `[p, m]`: p of each m neighbours along the last axis. */
  pattern?: readonly [number, number] | undefined
  /** `tensor`: n is the number of all items; `row`: that of the last axis, each row apart. Default `tensor`. */
  scope?: 'tensor' | 'row' | undefined
  /** What decides, of x's dims, larger is better. Default: the magnitude of x. */
  scores?: Tensor | undefined
}

/** What is left of a tensor. */
export interface Sparse<T extends TensorType = TensorType> {
  /** x where the mask is 1, and 0. */
  values: Tensor<T>
  /** 0 or 1, of x's dims. */
  mask: Tensor<'uint8'>
}

const AMOUNTS = ['density', 'sparsity', 'keep', 'pattern'] as const

function sparse<T extends TensorType>(
  x: Tensor<T>,
  options: SparsifyOptions,
): Operation<{ values: Uint8Array; mask: Uint8Array }, Sparse<T>> {
  const o = checkOptions('options', options, [...AMOUNTS, 'scope', 'scores'])
  const scope = checkKnown('scope', o.scope ?? 'tensor', ['tensor', 'row'])
  const given = AMOUNTS.filter((name) => o[name] !== undefined)
  if (given.length !== 1) {
    const got = given.length === 0 ? 'none' : given.join(' and ')
    throw new TamisError('ERR_TAMIS_RANGE', `exactly one of ${AMOUNTS.join(', ')} is needed, got ${got}`)
  }
  const tensor = checkTensor('x', x, { types: FLOAT_TYPES }) as Tensor as Tensor<T>
  const scores =
    o.scores === undefined
      ? undefined
      : checkTensor('scores', o.scores, { types: FLOAT_TYPES, dims: tensor.dims })
  const [width, keep] = amount(tensor, scope, o)
  const part = scores && { type: scores.type, data: viewBytes(scores) }
  return {
    call: (job) => native.sparsify(tensor.type, viewBytes(tensor), part, width, keep, job),
    finish: ({ values, mask }) => ({
      values: { type: tensor.type, dims: tensor.dims, data: viewAs(tensor, values) },
      mask: { type: 'uint8', dims: tensor.dims, data: mask },
    }),
  }
}

/** The length of the runs, and how many are kept of each. */
function amount(x: Tensor, scope: 'tensor' | 'row', o: SparsifyOptions): [number, number] {
  const last = x.dims.at(-1)
  if (last === undefined && (scope === 'row' || o.pattern !== undefined)) {
    throw new TamisError('ERR_TAMIS_SHAPE', 'rank: x must have at least one axis, got a scalar')
  }
  if (o.pattern !== undefined) return checkPattern(o.pattern, last as number)
  const n = scope === 'row' ? (last as number) : x.data.length
  if (n >= 2 ** 32) {
    throw new TamisError('ERR_TAMIS_SHAPE', `dims: x must hold fewer than 2^32 items, got ${n}`)
  }
  return [n, kept(n, o)]
}

function kept(n: number, { density, sparsity, keep }: SparsifyOptions): number {
  if (density !== undefined) return Math.min(n, Math.max(1, Math.floor(checkDensity(density) * n + 1e-6)))
  if (sparsity !== undefined) {
    if (typeof sparsity !== 'number' || !(sparsity >= 0 && sparsity < 1)) {
      refuse('sparsity must be in [0, 1)', sparsity)
    }
    return n - Math.floor(sparsity * n + 1e-6)
  }
  if (typeof keep === 'number' && Number.isInteger(keep) && keep >= 0 && keep <= n) return keep
  return refuse(`keep must be an integer from 0 to ${n}`, keep)
}

function checkPattern(pattern: unknown, width: number): [number, number] {
  const [p, m] = Array.isArray(pattern) && pattern.length === 2 ? (pattern as unknown[]) : []
  if (
    !Number.isSafeInteger(p) ||
    !Number.isSafeInteger(m) ||
    (p as number) < 1 ||
    (p as number) > (m as number)
  ) {
    throw new TamisError(
      'ERR_TAMIS_RANGE',
      `pattern must be [p, m], integers with 1 <= p <= m, got ${show(pattern)}`,
    )
  }
  if (width % (m as number) !== 0) {
    throw new TamisError('ERR_TAMIS_SHAPE', `the last axis must be divisible by ${m}, its length is ${width}`)
  }
  return [m as number, p as number]
}

/**
 * Keeps the items with the highest score, by default the largest magnitudes; of equal ones the lower index. Halves are
 * ranked by their numbers, -0 equals 0. O(n), in parallel.
 * @param x - a float type, of any dims
 * @throws TamisError `density`, `sparsity`, `keep`, `pattern`, `divisible`, `finite` (a score that is NaN), `shape`, `rank`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const x = tensor('float32', [1, 4], [1, -3, 2, 0.5])
 * const { values, mask } = await kernels.sparsify(x, { pattern: [2, 4] })
 * console.log(values.data, mask.data) // Float32Array(4) [ 0, -3, 2, 0 ] Uint8Array(4) [ 0, 1, 1, 0 ]
 */
export async function sparsify<T extends TensorType>(
  x: Tensor<T>,
  options: SparsifyOptions & Cancellable,
): Promise<Sparse<T>> {
  return promised(options, (o) => sparse(x, o as SparsifyOptions))
}

/** {@link sparsify}, at once. */
export function sparsifySync<T extends TensorType>(x: Tensor<T>, options: SparsifyOptions): Sparse<T> {
  return now(sparse(x, options))
}
