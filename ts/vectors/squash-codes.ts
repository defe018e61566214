/**
 * The steps of SQUASH, each on its own: how many bits a dimension gets, where its cells end, how codes are packed, and what they bound.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkInteger, checkOptions, show } from '../options.js'
import { checkReals, convertReals } from '../rows.js'
import { now } from '../run.js'
import { asFloat64, checkTensor, type Tensor, viewBytes } from '../tensor.js'

/** Lower and upper bounds of distances. */
export interface DistanceBounds {
  lower: Float32Array
  upper: Float32Array
}

/** Of a budget of bits. @hidden */
export function checkBudget(budget: unknown): number {
  if (typeof budget === 'number' && Number.isSafeInteger(budget) && budget >= 1) return budget
  const code = typeof budget === 'number' ? 'ERR_TAMIS_RANGE' : 'ERR_TAMIS_TYPE'
  throw new TamisError(code, `budget must be an integer >= 1, got ${show(budget)}`)
}

/** A vector of numbers as a tensor or a typed array. */
function checkEnergies(value: unknown): Float64Array {
  const name = value instanceof Float64Array ? 'float64' : 'float32'
  const wrapped = ArrayBuffer.isView(value)
    ? { type: name, dims: [(value as Float32Array).length], data: value }
    : value
  const energies = asFloat64(checkReals('energies', wrapped, [1]))
  if (energies.every(Number.isFinite)) return energies
  throw new TamisError('ERR_TAMIS_RANGE', 'energies is not finite')
}

/**
 * Shares a budget of bits out over dimensions by their variance: one after another to the dimension of the largest
 * energy that has fewer than 8, the lowest of equals; each bit quarters it. O(budget * d).
 * @param energies - a float type, [d]
 * @param options - `budget`: an integer >= 1; what is beyond 8 bits a dimension is not spent
 * @throws TamisError `budget`, `energies`
 * @example
 * import { vectors } from 'tamis'
 * const { bits } = vectors.allocateBits(Float32Array.of(16, 1, 0.1), { budget: 4 })
 * console.log(bits) // Uint8Array(3) [ 3, 1, 0 ]
 */
export function allocateBits(
  energies: Tensor | Float32Array,
  options: { budget: number },
): { bits: Uint8Array } {
  const o = checkOptions('options', options, ['budget'])
  const budget = checkBudget(o.budget)
  const checked = checkEnergies(energies)
  return now({ call: () => native.allocateBits(checked, budget), finish: (bits) => ({ bits }) })
}

/**
 * The boundaries of cells for the values of one dimension (Lloyd's scalar quantiser, from quantiles): float32
 * [cells + 1], 0.001 beyond the least and the greatest value. O(n log n), and O(n) a round, 250 at most.
 * @param values - a float type, [n]
 * @param options - `cells`: an integer 1..n
 * @throws TamisError `cells`, `rank`; `values is not finite`
 * @example
 * import { tensor, vectors } from 'tamis'
 * const { boundaries } = vectors.designCells(tensor('float32', [4], [0, 0.5, 5, 5.5]), { cells: 2 })
 * console.log(boundaries[1]) // 2.75
 */
export function designCells(values: Tensor, options: { cells: number }): { boundaries: Float32Array } {
  const x = checkReals('values', values, [1])
  const o = checkOptions('options', options, ['cells'])
  const cells = checkInteger('cells', o.cells, 1, Math.max(1, x.data.length))
  return now({
    call: () => native.designCells(asFloat64(x), cells),
    finish: (boundaries) => ({ boundaries: new Float32Array(boundaries) }),
  })
}

/** Bits of dimensions, as a typed array or a tensor. */
function checkBits(value: unknown): Uint8Array {
  const wrapped = value instanceof Uint8Array ? { type: 'uint8', dims: [value.length], data: value } : value
  const bits = checkTensor('bits', wrapped, { types: ['uint8'], ranks: [1] }).data
  const wrong = bits.find((one) => one > 8)
  if (wrong === undefined) return bits
  throw new TamisError('ERR_TAMIS_RANGE', `bits must be at most 8 a dimension, got ${wrong}`)
}

/**
 * Packs codes of a few bits: all codes of a vector form one string of bits, dimension by dimension, most significant
 * bit first, cut into S bytes and padded with zeros; byte s of all vectors is contiguous. O(n d).
 * @param codes - uint8 [n, d]
 * @param bits - uint8 [d], at most 8 each
 * @returns `segments`: uint8 [S, n], S = ceil(sum of bits / 8)
 * @throws TamisError `code` (one that does not fit its bits), `bits`, `rank`
 * @example
 * import { tensor, vectors } from 'tamis'
 * const { segments } = vectors.packCodes(tensor('uint8', [2, 2], [5, 33, 1, 2]), Uint8Array.of(3, 6))
 * console.log(segments.dims) // [ 2, 2 ]
 */
export function packCodes(codes: Tensor, bits: Tensor | Uint8Array): { segments: Tensor<'uint8'> } {
  const x = checkTensor('codes', codes, { types: ['uint8'], ranks: [2] })
  const checked = checkBits(bits)
  const [n = 0, width] = x.dims
  if (checked.length !== width) {
    throw new TamisError(
      'ERR_TAMIS_SHAPE',
      `bits must have ${width} items, as codes has columns, got ${checked.length}`,
    )
  }
  return now({
    call: () => native.packCodes(x.data, checked),
    finish: (data) => ({ segments: { type: 'uint8', dims: [segmentsOf(checked), n], data } }),
  })
}

function segmentsOf(bits: Uint8Array): number {
  return Math.ceil(bits.reduce((sum, one) => sum + one, 0) / 8)
}

/**
 * The codes that {@link packCodes} packed. O(n d).
 * @param segments - uint8 [S, n]
 * @param bits - uint8 [d], at most 8 each
 * @returns `codes`: uint8 [n, d]
 * @throws TamisError `segments`, `bits`, `rank`
 * @example
 * import { tensor, vectors } from 'tamis'
 * const bits = Uint8Array.of(3, 6)
 * const { segments } = vectors.packCodes(tensor('uint8', [2, 2], [5, 33, 1, 2]), bits)
 * console.log(vectors.unpackCodes(segments, bits).codes.data) // Uint8Array(4) [ 5, 33, 1, 2 ]
 */
export function unpackCodes(segments: Tensor, bits: Tensor | Uint8Array): { codes: Tensor<'uint8'> } {
  const x = checkTensor('segments', segments, { types: ['uint8'], ranks: [2] })
  const checked = checkBits(bits)
  const [count, n = 0] = x.dims
  if (count !== segmentsOf(checked)) {
    const want = `segments must have ${segmentsOf(checked)} rows for these bits`
    throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got ${count}`)
  }
  return now({
    call: () => native.unpackCodes(x.data, n, checked),
    finish: (data) => ({ codes: { type: 'uint8', dims: [n, checked.length], data } }),
  })
}

/**
 * What codes prove of the Euclidean distance from a query to every coded vector. O(n d).
 * @param codes - uint8 [n, d]
 * @param boundaries - a float type, [most cells + 1, d]: of column j the first `cells[j] + 1` are used
 * @param cells - uint32 [d]
 * @param query - a float type, [d]
 * @throws TamisError `code` (one that is no cell), `cells`, `boundaries`, `query`, `rank`
 * @example
 * import { tensor, vectors } from 'tamis'
 * const codes = tensor('uint8', [2, 1], [0, 1])
 * const boundaries = tensor('float32', [3, 1], [0, 1, 3])
 * const query = tensor('float32', [1], [-1])
 * const { lower, upper } = vectors.quantizedBounds(codes, boundaries, Uint32Array.of(2), query)
 * console.log(lower, upper) // Float32Array(2) [ 1, 2 ] Float32Array(2) [ 2, 4 ]
 */
export function quantizedBounds(
  codes: Tensor,
  boundaries: Tensor,
  cells: Tensor | Uint32Array,
  query: Tensor,
): DistanceBounds {
  const x = checkTensor('codes', codes, { types: ['uint8'], ranks: [2] })
  const width = x.dims[1] ?? 0
  const ends = convertReals(checkReals('boundaries', boundaries, [2]), 'float32')
  const wrapped = cells instanceof Uint32Array ? { type: 'uint32', dims: [cells.length], data: cells } : cells
  const counts = checkTensor('cells', wrapped, { types: ['uint32'], ranks: [1] }).data
  const q = checkReals('query', query, [1])
  for (const [name, got] of [
    ['boundaries', ends.dims[1]],
    ['cells', counts.length],
    ['query', q.dims[0]],
  ] as const) {
    if (got === width) continue
    const want = `dims: ${name} must have ${width} columns, as codes has`
    throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got ${got}`)
  }
  const most = (ends.dims[0] ?? 0) - 1
  const wrong = counts.find((count) => count < 1 || count > most)
  if (wrong !== undefined) {
    const want = `cells must be from 1 to ${most}, one less than there are boundaries`
    throw new TamisError('ERR_TAMIS_RANGE', `${want}, got ${wrong}`)
  }
  if (native.findNotFinite(q.type, viewBytes(q)) !== null) {
    throw new TamisError('ERR_TAMIS_RANGE', 'query is not finite')
  }
  return now({
    call: () => native.quantizedBounds(x.data, ends.data, counts, asFloat64(q)),
    finish: (bounds) => bounds,
  })
}
