/**
 * SQUASH (Oakley, Ferhatosmanoglu, "SQUASH: Serverless and Distributed Quantization-based Attributed Vector Similarity
 * Search", 2025, arXiv 2502.01528): a few bits for each dimension, more where the variance is, and at query time only
 * the vectors that can still be among the nearest and satisfy the filter.
 *
 * {@link AttributedIndex} is the method; the functions beside it are its steps. Where the published code differs from
 * the paper, the paper is followed: cells are those of the axes of variance, and a dimension has at most 8 bits. Sign
 * bits are taken along a rotation of their own. The tree of serverless functions is left out.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import type { NativeCodedIndex, NativeFilter } from '../native-codes.js'
import {
  checkBoolean,
  checkCount,
  checkInteger,
  checkMemory,
  checkNumber,
  checkOneOf,
  checkOptions,
  parseSeed,
  type Seed,
  show,
} from '../options.js'
import { checkMask, checkReals, convertReals } from '../rows.js'
import { type Cancellable, later, now, type Operation } from '../run.js'
import { asFloat64, checkTensor, type Tensor, viewBytes } from '../tensor.js'

/** Lower and upper bounds of distances. */
export interface DistanceBounds {
  lower: Float32Array
  upper: Float32Array
}

/** How an {@link AttributedIndex} is built. */
export interface AttributedIndexOptions {
  /** A float type, [n, A]: what filters ask of. float32 inside. */
  attributes?: Tensor | undefined
  /** `cosine`: rows and queries are divided by their norms, distances are 1 - cos. Default `euclidean`. */
  metric?: 'euclidean' | 'cosine' | undefined
  /** Bits of a vector, an integer >= 1; what is above 8 a dimension is not spent. Default 4 a dimension. */
  budget?: number | undefined
  /** Clusters of rows that the fast search visits by their distance, 0..n. Default 0: none. */
  partitions?: number | undefined
  /** Of the clusters' starts: an integer 0..2^64-1. Default 0. */
  seed?: Seed | undefined
}

/** A predicate on one column of the attributes, as float32; NaN passes none. */
export interface AttributeFilter {
  /** 0..A-1 */
  column: number
  op: '<' | '<=' | '=' | '>' | '>=' | 'between'
  value: number
  /** Of `between`: value < x <= upper. */
  upper?: number
}

/** What is sought, and how. */
export interface SearchOptions {
  /** All must hold. */
  filter?: readonly AttributeFilter[] | undefined
  /** [n], 1 for a candidate. */
  mask?: Uint8Array | Tensor | undefined
  /** `exact` equals brute force; `fast` bounds the work and misses some. Default `exact`. */
  mode?: 'exact' | 'fast' | undefined
  /** Of `fast`: the share of the candidates whose sign bits let them go on, in (0, 1]. Default 0.1. */
  hammingShare?: number | undefined
  /** Of `fast`: true distances computed for each neighbour, an integer >= 1. Default 2. */
  rerank?: number | undefined
  /** Of `fast` with partitions: those up to this times the nearest one's distance are visited, >= 1. Default 1.3. */
  centroidFactor?: number | undefined
}

/** Neighbours, nearest first; what is missing has index 0xFFFFFFFF and distance Infinity. */
export interface SearchAnswer {
  /** [Q, k] */
  indices: Tensor<'uint32'>
  /** [Q, k] */
  distances: Tensor<'float32'>
  /** True distances computed, over all queries. */
  examined: number
}

const BUILD = ['attributes', 'metric', 'budget', 'partitions', 'seed'] as const
const SEARCH = ['filter', 'mask', 'mode', 'hammingShare', 'rerank', 'centroidFactor'] as const
const OPERATORS = ['<', '<=', '=', '>', '>=', 'between'] as const
const BITS_OF_A_DIMENSION = 4

/** Vectors in float32, finite. */
function checkVectors(name: string, value: unknown): Tensor<'float32'> {
  const x = convertReals(checkReals(name, value, [2]), 'float32')
  const at = native.findNotFinite('float32', viewBytes(x))
  if (at === null) return x
  const row = Math.floor(at / (x.dims[1] ?? 1))
  throw new TamisError('ERR_TAMIS_RANGE', `${name} is not finite: it holds ${show(x.data[at])} in row ${row}`)
}

function building(
  x: Tensor,
  options: AttributedIndexOptions | undefined,
): Operation<NativeCodedIndex, NativeCodedIndex> {
  const o = checkOptions('options', options, BUILD)
  const cosine = checkOneOf('metric', o.metric ?? 'euclidean', ['euclidean', 'cosine']) === 'cosine'
  if (o.budget !== undefined) checkBudget(o.budget)
  const seed = parseSeed(o.seed)
  const rows = checkVectors('x', x)
  const [n = 0, width = 0] = rows.dims
  if (n === 0 || width === 0) {
    throw new TamisError(
      'ERR_TAMIS_SHAPE',
      `x must have a row and a column at least, got dims [${n}, ${width}]`,
    )
  }
  const partitions = checkInteger('partitions', o.partitions ?? 0, 0, n)
  const attributes = o.attributes === undefined ? undefined : checkAttributes(o.attributes, n)
  const columns = attributes?.dims[1] ?? 0
  const budget = o.budget ?? BITS_OF_A_DIMENSION * width
  const told = { width, cosine, budget, columns, partitions, seed }
  return {
    call: (job) => native.buildIndex(rows.data, attributes?.data ?? new Float32Array(0), told, job),
    finish: (index) => index,
  }
}

function checkBudget(budget: unknown): number {
  if (typeof budget === 'number' && Number.isSafeInteger(budget) && budget >= 1) return budget
  const code = typeof budget === 'number' ? 'ERR_TAMIS_RANGE' : 'ERR_TAMIS_TYPE'
  throw new TamisError(code, `budget must be an integer >= 1, got ${show(budget)}`)
}

function checkAttributes(value: unknown, rows: number): Tensor<'float32'> {
  const attributes = convertReals(checkReals('attributes', value, [2]), 'float32')
  if (attributes.dims[0] === rows) return attributes
  const want = `attributes must have ${rows} rows, as x has`
  throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got ${attributes.dims[0]}`)
}

/**
 * An index over vectors with attributes: exact nearest neighbours under filters, with true distances computed for
 * about 1 % of the vectors. It holds a copy of the vectors in float32, and {@link AttributedIndex.bytesPerVector} bytes
 * a vector beside it. Building is O(n d^2) and a sort a dimension; a query O(C d) table lookups over the C candidates.
 * `new` builds at once; {@link AttributedIndex.build} off the event loop.
 * @throws TamisError `budget`, `metric`, `partitions`, `attributes`, `rank`, `dims`; `x is not finite`;
 * `row N is zero` (cosine)
 * @example
 * import { tensor, vectors } from 'tamis'
 * const x = tensor('float32', [4, 2], [0, 0, 1, 0, 0, 1, 5, 5])
 * const price = tensor('float32', [4, 1], [10, 80, 20, 30])
 * const index = new vectors.AttributedIndex(x, { attributes: price })
 * const query = tensor('float32', [1, 2], [1, 0.1])
 * const filter = [{ column: 0, op: '<', value: 50 }] as const
 * const { indices } = index.searchSync(query, 2, { filter })
 * console.log(indices.data) // Uint32Array(2) [ 0, 2 ]
 */
export class AttributedIndex {
  readonly #native: NativeCodedIndex

  /** Builds it at once. */
  constructor(x: Tensor, options?: AttributedIndexOptions) {
    // What is built already comes by way of `wrap`.
    this.#native = wrapped ?? now(building(x, options))
  }

  /** Builds it off the event loop. */
  static async build(x: Tensor, options?: AttributedIndexOptions & Cancellable): Promise<AttributedIndex> {
    const { signal, ...others } = checkOptions('options', options, [...BUILD, 'signal'])
    return wrap(await later(building(x, others), signal))
  }

  /**
   * The index that {@link AttributedIndex.toBuffer} wrote.
   * @param x - the vectors, [n, d], if they are not in the buffer; they must be those that were indexed
   * @throws TamisError `ERR_TAMIS_FORMAT`; `x`
   */
  static fromBuffer(buffer: Uint8Array, x?: Tensor): AttributedIndex {
    if (!(ArrayBuffer.isView(buffer) && 'byteLength' in buffer)) {
      throw new TamisError('ERR_TAMIS_TYPE', `buffer must be a Buffer, got ${show(buffer)}`)
    }
    const rows = x === undefined ? undefined : checkVectors('x', x).data
    const bytes = new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
    return wrap(now({ call: () => native.readIndex(bytes, rows), finish: (index) => index }))
  }

  /** Bytes of a vector's codes and sign bits. */
  get bytesPerVector(): number {
    return this.#native.bytesPerRow()
  }

  /**
   * The k nearest vectors of each query that pass the filter and the mask.
   * @param queries - a float type, [Q, d]
   * @param k - an integer >= 1
   * @throws TamisError `k must be`, `dims`, `mask`, `attributes`, `column`, `op`, `upper`, `value`, `mode`,
   * `hammingShare`, `rerank`, `centroidFactor`; `queries is not finite`; `query N is zero` (cosine)
   */
  async search(queries: Tensor, k: number, options?: SearchOptions & Cancellable): Promise<SearchAnswer> {
    const { signal, ...others } = checkOptions('options', options, [...SEARCH, 'signal'])
    return later(this.#searching(queries, k, others), signal)
  }

  /** {@link AttributedIndex.search}, at once. */
  searchSync(queries: Tensor, k: number, options?: SearchOptions): SearchAnswer {
    return now(this.#searching(queries, k, options))
  }

  #searching(
    queries: Tensor,
    k: number,
    options: SearchOptions | undefined,
  ): Operation<{ indices: Uint32Array; distances: Float32Array; examined: number }, SearchAnswer> {
    const o = checkOptions('options', options, SEARCH)
    const index = this.#native
    const rows = checkVectors('queries', queries)
    checkWidth('queries', rows, index.width())
    if (typeof k !== 'number' || !Number.isInteger(k) || k < 1 || k > 2 ** 32 - 1) {
      throw new TamisError('ERR_TAMIS_RANGE', `k must be an integer >= 1, got ${show(k)}`)
    }
    const told = {
      k,
      filters: checkFilters(o.filter, index.columns()),
      fast: checkOneOf('mode', o.mode ?? 'exact', ['exact', 'fast']) === 'fast',
      hammingShare: checkNumber('hammingShare', o.hammingShare ?? 0.1, { above: 0, max: 1 }),
      rerank: checkCount('rerank', o.rerank ?? 2, 1),
      centroidFactor: checkNumber('centroidFactor', o.centroidFactor ?? 1.3, { min: 1 }),
    }
    const mask = checkMask('mask', o.mask, index.rows())
    const dims = [rows.dims[0] ?? 0, k]
    checkMemory('k', (dims[0] as number) * k * 8)
    return {
      call: (job) => index.search(rows.data, told, mask, job),
      finish: ({ indices, distances, examined }) => ({
        indices: { type: 'uint32', dims, data: indices },
        distances: { type: 'float32', dims, data: distances },
        examined,
      }),
    }
  }

  /**
   * What the codes prove of the distance from a query to every vector, in the metric. O(n d).
   * @param query - a float type, [d] or [1, d]
   * @throws TamisError `dims`, `query is not finite`, `zero` (cosine)
   */
  bounds(query: Tensor): DistanceBounds {
    const row = checkReals('query', query, [1, 2])
    const one = checkVectors('query', { ...row, dims: [1, ...row.dims].slice(-2) })
    if (one.dims[0] !== 1) {
      throw new TamisError('ERR_TAMIS_SHAPE', `dims: query must be one vector, got ${one.dims[0]}`)
    }
    checkWidth('query', one, this.#native.width())
    return now({ call: () => this.#native.bounds(one.data), finish: (bounds) => bounds })
  }

  /**
   * The index as bytes (see docs/formats.md).
   * @param options - `vectors: false` leaves the vectors out, which must be given to read it again. Default `true`
   */
  toBuffer(options?: { vectors?: boolean }): Buffer {
    const { vectors } = checkOptions('options', options, ['vectors'])
    const withRows = checkBoolean('vectors', vectors, true)
    return now({ call: () => this.#native.toBytes(withRows), finish: (bytes) => bytes })
  }
}

/** The index that the constructor takes over in place of building one. */
let wrapped: NativeCodedIndex | undefined

function wrap(index: NativeCodedIndex): AttributedIndex {
  wrapped = index
  try {
    return new AttributedIndex(undefined as unknown as Tensor)
  } finally {
    wrapped = undefined
  }
}

function checkWidth(name: string, rows: Tensor, width: number): void {
  if (rows.dims[1] === width) return
  const want = `dims: ${name} must have ${width} columns, as the index has`
  throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got dims [${rows.dims.join(', ')}]`)
}

function checkFilters(filters: unknown, columns: number): NativeFilter[] {
  if (filters === undefined) return []
  if (!Array.isArray(filters)) {
    throw new TamisError('ERR_TAMIS_TYPE', `filter must be a list of predicates, got ${show(filters)}`)
  }
  return filters.map((given: unknown, i) => checkFilter(`filter[${i}]`, given, columns))
}

function checkFilter(name: string, given: unknown, columns: number): NativeFilter {
  const one = checkOptions(name, given as AttributeFilter, ['column', 'op', 'value', 'upper'])
  if (columns === 0) {
    throw new TamisError('ERR_TAMIS_RANGE', `${name}: the index has no attributes to filter by`)
  }
  const column = checkInteger(`${name}.column`, one.column, 0, columns - 1)
  const op = checkOneOf(`${name}.op`, one.op, OPERATORS)
  const value = checkBound(`${name}.value`, one.value)
  const upper = op === 'between' ? checkBound(`${name}.upper`, one.upper) : value
  return { column, op, value, upper }
}

/** A number that is not NaN: infinities bound nothing, and may be meant. */
function checkBound(name: string, value: unknown): number {
  if (typeof value === 'number' && !Number.isNaN(value)) return value
  const code = typeof value === 'number' ? 'ERR_TAMIS_RANGE' : 'ERR_TAMIS_TYPE'
  throw new TamisError(code, `${name} must be a number, got ${show(value)}`)
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
