/**
 * Floats as small integers on an even grid, and back.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import type { NativeScaleShape } from '../native-weights.js'
import { checkOptions, show } from '../options.js'
import { type Cancellable, now, type Operation, promised } from '../run.js'
import { checkTensor, FLOAT_TYPES, type Tensor, viewBytes } from '../tensor.js'
import { checkKnown, refuse } from '../ternary.js'

/** The grid, and what shares a scale. */
export interface QuantizeOptions {
  /** 2..16. Default 8. */
  bits?: number | undefined
  /** Codes on both sides of 0, or from 0 up with a zero point. Default `symmetric`. */
  scheme?: 'symmetric' | 'asymmetric' | undefined
  /** `tensor`: one scale; `channel`: one an index of `axis`; `group`: one a run along the last axis. Default `tensor`. */
  per?: 'tensor' | 'channel' | 'group' | undefined
  /** Of the channels. Default 0. */
  axis?: number | undefined
  /** The length of a run; the last of a row may be shorter. Default 128. */
  groupSize?: number | undefined
}

/** Codes and what they mean. */
export interface Quantized {
  /** `symmetric`: int8, above 8 bits int16; `asymmetric`: uint8, uint16. Of the input's dims. */
  codes: Tensor<'int8' | 'int16' | 'uint8' | 'uint16'>
  /** [1], [channels] or [..., groups]. */
  scale: Tensor<'float32'>
  /** `asymmetric` only: of the codes' type and the scale's dims. */
  zero?: Tensor<'uint8' | 'uint16'>
  bits: number
  scheme: 'symmetric' | 'asymmetric'
  per: 'tensor' | 'channel' | 'group'
  axis: number
  groupSize: number
}

const GRID = ['bits', 'scheme', 'per', 'axis', 'groupSize'] as const

type Grid = Required<{ [K in (typeof GRID)[number]]: NonNullable<QuantizeOptions[K]> }>

function checkGrid(o: QuantizeOptions): Grid {
  const bits = o.bits ?? 8
  const scheme = checkKnown('scheme', o.scheme ?? 'symmetric', ['symmetric', 'asymmetric'])
  const per = checkKnown('per', o.per ?? 'tensor', ['tensor', 'channel', 'group'])
  if (!(typeof bits === 'number' && Number.isInteger(bits) && bits >= 2 && bits <= 16)) {
    refuse('bits must be an integer from 2 to 16', bits)
  }
  const axis = o.axis ?? 0
  if (!(typeof axis === 'number' && Number.isInteger(axis) && axis >= 0)) {
    refuse('axis must be an integer >= 0', axis)
  }
  const groupSize = o.groupSize ?? 128
  if (!(typeof groupSize === 'number' && Number.isSafeInteger(groupSize) && groupSize >= 1)) {
    refuse('groupSize must be an integer >= 1 (the items of a group)', groupSize)
  }
  return { bits, scheme, per, axis, groupSize }
}

/** What shares a scale among items of these dims, and the dims of the scales. */
function shapeOf(dims: readonly number[], { per, axis, groupSize }: Grid): [NativeScaleShape, number[]] {
  if (per === 'tensor') return [{ per, count: 1, size: 1 }, [1]]
  if (per === 'channel') {
    const count = dims[axis]
    if (count === undefined) {
      throw new TamisError(
        'ERR_TAMIS_RANGE',
        `axis must be below ${dims.length}, the number of axes, got ${axis}`,
      )
    }
    return [{ per, count, size: dims.slice(axis + 1).reduce((a, b) => a * b, 1) }, [count]]
  }
  const width = dims.at(-1)
  if (width === undefined) {
    throw new TamisError('ERR_TAMIS_SHAPE', 'rank: groups need at least one axis, got a scalar (group)')
  }
  return [{ per, count: width, size: groupSize }, [...dims.slice(0, -1), Math.ceil(width / groupSize)]]
}

const CODES = {
  int8: Int8Array,
  int16: Int16Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
} as const

type CodeType = keyof typeof CODES

function codeType({ bits, scheme }: Pick<Grid, 'bits' | 'scheme'>): CodeType {
  if (scheme === 'symmetric') return bits <= 8 ? 'int8' : 'int16'
  return bits <= 8 ? 'uint8' : 'uint16'
}

function codesOf(type: CodeType, bytes: Uint8Array) {
  const View = CODES[type]
  return new View(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / View.BYTES_PER_ELEMENT)
}

function quantized(
  x: Tensor,
  options: QuantizeOptions | undefined,
): Operation<{ codes: Uint8Array; scale: Float32Array; zero?: Uint8Array }, Quantized> {
  const grid = checkGrid(checkOptions('options', options, GRID))
  const tensor = checkTensor('x', x, { types: FLOAT_TYPES })
  const { dims } = tensor
  const [shape, scaleDims] = shapeOf(dims, grid)
  const type = codeType(grid)
  return {
    call: (job) =>
      native.quantize(tensor.type, viewBytes(tensor), grid.scheme === 'symmetric', grid.bits, shape, job),
    finish: ({ codes, scale, zero }) => ({
      codes: { type, dims, data: codesOf(type, codes) } as Quantized['codes'],
      scale: { type: 'float32', dims: scaleDims, data: scale },
      ...(zero && {
        zero: { type, dims: scaleDims, data: codesOf(type, zero) } as Quantized['zero'] & object,
      }),
      ...grid,
    }),
  }
}

/**
 * Codes of `bits` bits, all in float32, rounding half to even. `symmetric`: `top = 2^(bits-1) - 1`, `scale = max|x| / top`
 * (1 if that is 0), `code = clamp(rint(x / scale), -top, top)`. `asymmetric`: `lo = min(0, min x)`, `hi = max(0, max x)`,
 * `scale = (hi - lo) / (2^bits - 1)`, `zero = clamp(rint(-lo / scale), 0, 2^bits - 1)`, `code = clamp(rint(x / scale) +
 * zero, 0, 2^bits - 1)`. O(n), two passes in parallel.
 * @param x - a float type, of any dims
 * @throws TamisError `bits`, `axis`, `group`, `finite`, `rank`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const q = await kernels.quantize(tensor('float32', [3], [0.5, -127, 2.5]))
 * console.log(q.codes.data, q.scale.data) // Int8Array(3) [ 0, -127, 2 ] Float32Array(1) [ 1 ]
 */
export async function quantize(x: Tensor, options?: QuantizeOptions & Cancellable): Promise<Quantized> {
  return promised(options, (o) => quantized(x, o))
}

/** {@link quantize}, at once. */
export function quantizeSync(x: Tensor, options?: QuantizeOptions): Quantized {
  return now(quantized(x, options))
}

function restored(q: Quantized): Operation<Float32Array, Tensor<'float32'>> {
  const given = checkOptions('q', q, [...GRID, 'codes', 'scale', 'zero'])
  const grid = checkGrid(given)
  const type = codeType(grid)
  const codes = checkTensor('codes', given.codes, { types: [type] })
  const [shape, dims] = shapeOf(codes.dims, grid)
  const scale = checkTensor('scale', given.scale, { types: ['float32'], dims })
  if (grid.scheme === 'symmetric' && given.zero !== undefined) {
    throw new TamisError(
      'ERR_TAMIS_TYPE',
      `zero must be left out of the symmetric scheme, got ${show(given.zero)}`,
    )
  }
  const zero =
    grid.scheme === 'symmetric' ? undefined : checkTensor('zero', given.zero, { types: [type], dims })
  return {
    call: (job) => native.dequantize(type, viewBytes(codes), scale.data, zero && viewBytes(zero), shape, job),
    finish: (data) => ({ type: 'float32', dims: codes.dims, data }),
  }
}

/**
 * The numbers that codes stand for: `code scale`, or `(code - zero) scale`, in float32. O(n), in parallel.
 * @param q - what {@link quantize} gave
 * @throws TamisError `bits`, `axis`, `group`, `shape`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const x = await kernels.dequantize(kernels.quantizeSync(tensor('float32', [2], [0.5, -127])))
 * console.log(x.data) // Float32Array(2) [ 0, -127 ]
 */
export async function dequantize(q: Quantized, options?: Cancellable): Promise<Tensor<'float32'>> {
  return promised(options, (o) => {
    checkOptions('options', o, [])
    return restored(q)
  })
}

/** {@link dequantize}, at once. */
export function dequantizeSync(q: Quantized): Tensor<'float32'> {
  return now(restored(q))
}
