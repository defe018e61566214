/**
 * What every function of sparse and ternary tensors shares: the packed form, and the checks of shares.
 * @hidden
 * @module
 */
import { TamisError } from './errors.js'
import { show } from './options.js'
import { checkTensor, type Tensor } from './tensor.js'

/**
 * A tensor of `scale` times -1, 0 or 1, packed in two masks of ceil(n / 8) bytes: item i (row-major) is bit i mod 8,
 * least significant first, of byte i / 8; bits behind the last item are 0, and no item has both.
 */
export interface TernaryTensor {
  readonly type: 'ternary'
  readonly dims: readonly number[]
  readonly scale: number
  readonly positive: Tensor<'uint8'>
  readonly negative: Tensor<'uint8'>
}

/** How an update becomes ternary. */
export interface TernarizeOptions {
  /** The share of the items that keep their sign: in (0, 1]. Default 0.2. */
  density?: number | undefined
  /** `std`: `scale` is so many standard deviations; > 0. Default 1. */
  alpha?: number | undefined
  /**
   * `std`: alpha times the standard deviation of all items (over n - 1); `mean-abs`: the mean magnitude of what is kept
   * (sparse ternary compression). Default `std`.
   */
  scale?: 'std' | 'mean-abs' | undefined
}

/** The names of {@link TernarizeOptions}. */
export const TERNARIZE = ['density', 'alpha', 'scale'] as const

/** Refuses a value in the words of the argument's own rule. */
export function refuse(rule: string, value: unknown): never {
  const code = typeof value === 'number' || typeof value === 'string' ? 'ERR_TAMIS_RANGE' : 'ERR_TAMIS_TYPE'
  throw new TamisError(code, `${rule}, got ${show(value)}`)
}

/** One of the listed words: else `unknown NAME`. */
export function checkKnown<const T extends string>(name: string, value: unknown, list: readonly T[]): T {
  if ((list as readonly unknown[]).includes(value)) return value as T
  return refuse(`unknown ${name}: ${name} must be ${list.map((word) => `'${word}'`).join(' or ')}`, value)
}

/** A share of the items to keep. */
export function checkDensity(value: unknown): number {
  if (typeof value === 'number' && value > 0 && value <= 1) return value
  return refuse('density must be in (0, 1]', value)
}

/** Checks how an update becomes ternary; no `alpha` stands for the mean magnitude. */
export function ternarizeOptions(o: TernarizeOptions): { density: number; alpha: number | undefined } {
  const density = checkDensity(o.density ?? 0.2)
  const alpha = o.alpha ?? 1
  if (typeof alpha !== 'number' || !(alpha > 0 && alpha < Infinity)) refuse('alpha must be positive', alpha)
  const scale = checkKnown('scale', o.scale ?? 'std', ['std', 'mean-abs'])
  return { density, alpha: scale === 'std' ? alpha : undefined }
}

/** What was packed, as a tensor. */
export function ternaryTensor(
  dims: readonly number[],
  scale: number,
  { positive, negative }: { positive: Uint8Array; negative: Uint8Array },
): TernaryTensor {
  return { type: 'ternary', dims, scale, positive: bytes(positive), negative: bytes(negative) }
}

function bytes(data: Uint8Array): Tensor<'uint8'> {
  return { type: 'uint8', dims: [data.length], data }
}

/** A scale that float32 cannot hold is no scale. */
export function checkScale(scale: number): number {
  if (Number.isFinite(scale)) return scale
  throw new TamisError('ERR_TAMIS_RANGE', 'scale must be finite in float32: alpha times the deviation is not')
}

/** A ternary tensor taken apart, its `n` items and the lengths of its masks checked. */
export interface Ternary {
  dims: readonly number[]
  n: number
  scale: number
  positive: Uint8Array
  negative: Uint8Array
}

/** The number of items of these dims. */
export function checkDims(name: string, dims: unknown): number {
  const isLength = (n: unknown) => typeof n === 'number' && Number.isSafeInteger(n) && n >= 0
  if (!Array.isArray(dims) || !dims.every(isLength)) {
    throw new TamisError(
      'ERR_TAMIS_SHAPE',
      `${name}: dims must be a list of integers >= 0, got ${show(dims)}`,
    )
  }
  return dims.reduce((product: number, n: number) => product * n, 1)
}

/** Checks a ternary tensor, but for the bits of its masks. */
export function checkTernary(name: string, value: unknown): Ternary {
  const isObject = typeof value === 'object' && value !== null
  if (!isObject || (value as TernaryTensor).type !== 'ternary') {
    throw new TamisError(
      'ERR_TAMIS_TYPE',
      `${name} must be a ternary tensor { type: 'ternary', dims, scale, positive, negative }, got ${show(value)}`,
    )
  }
  const { dims, scale, positive, negative } = value as TernaryTensor
  const n = checkDims(name, dims)
  if (typeof scale !== 'number' || !Number.isFinite(scale))
    refuse(`${name}: scale must be a finite number`, scale)
  const mask = (which: string, tensor: unknown) =>
    checkTensor(`${name}.${which}`, tensor, { types: ['uint8'], dims: [Math.ceil(n / 8)] }).data
  return {
    dims: [...dims],
    n,
    scale,
    positive: mask('positive', positive),
    negative: mask('negative', negative),
  }
}
