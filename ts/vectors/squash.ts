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
import { type Tensor, viewBytes } from '../tensor.js'
import { checkBudget, type DistanceBounds } from './squash-codes.js'

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
