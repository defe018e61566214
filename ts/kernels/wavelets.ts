/**
 * One level of the discrete wavelet transform over the last two or three axes, and back.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkInteger, checkOneOf, checkOptions } from '../options.js'
import { type Cancellable, now, type Operation, promised } from '../run.js'
import { checkTensor, type Tensor, viewAs, viewBytes } from '../tensor.js'

type Real = 'float32' | 'float64'

const REAL = ['float32', 'float64'] as const
const WAVELETS = ['haar', 'db1', 'db2', 'db3', 'db4', 'db5', 'db6', 'db7', 'db8'] as const
const MODES = ['symmetric', 'periodization', 'zero'] as const

/** Orthogonal wavelets of Daubechies; `haar` and `db1` are one. */
export type Wavelet = (typeof WAVELETS)[number]

/** Which wavelet, and what lies beyond the ends. */
export interface WaveletOptions {
  /** Default `haar`. */
  wavelet?: Wavelet | undefined
  /**
   * `symmetric`: mirrored, the edge repeated; `periodization`: again and again, sides halved exactly; `zero`. Default
   * `symmetric`.
   */
  mode?: (typeof MODES)[number] | undefined
}

/** {@link WaveletOptions}, and the sides to cut to. */
export interface InverseWavelet2Options extends WaveletOptions {
  height: number
  width: number
}

/** {@link WaveletOptions}, and the sides to cut to. */
export interface InverseWavelet3Options extends InverseWavelet2Options {
  depth: number
}

function checkWavelet(o: WaveletOptions): [string, string] {
  const wavelet = checkOneOf('wavelet', o.wavelet ?? 'haar', WAVELETS)
  return [wavelet, checkOneOf('mode', o.mode ?? 'symmetric', MODES)]
}

/** A tensor of at least so many axes: the others count as one. */
function checkImages<T extends Real>(name: string, x: Tensor<T>, axes: number) {
  const tensor = checkTensor<T>(name, x, { types: REAL as readonly Real[] as readonly T[] })
  if (tensor.dims.length < axes) {
    const want = `rank: ${name} must have at least ${axes} axes`
    throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got dims [${tensor.dims.join(', ')}]`)
  }
  const others = tensor.dims.slice(0, tensor.dims.length - axes)
  return { tensor, others, batch: others.reduce((a, b) => a * b, 1), last: tensor.dims.slice(-axes) }
}

function analysis<T extends Real>(
  axes: number,
  x: Tensor<T>,
  options: WaveletOptions | undefined,
): Operation<Uint8Array, Tensor<T>> {
  const [wavelet, mode] = checkWavelet(checkOptions('options', options, ['wavelet', 'mode']))
  const { tensor, others, batch, last } = checkImages('x', x, axes)
  if (last.includes(0)) {
    throw new TamisError(
      'ERR_TAMIS_SHAPE',
      `shape: x must have sides of at least 1, got [${last.join(', ')}]`,
    )
  }
  const wide = tensor.type === 'float64'
  const dims = [...others, 2 ** axes, ...native.waveletBands(wavelet, mode, last)]
  return {
    call: (job) => native.wavelet(wide, viewBytes(tensor), batch, last, wavelet, mode, job),
    finish: (bytes) => ({ type: tensor.type, dims, data: viewAs(tensor, bytes) }),
  }
}

function synthesis<T extends Real>(
  axes: number,
  bands: Tensor<T>,
  options: InverseWavelet2Options | undefined,
): Operation<Uint8Array, Tensor<T>> {
  const names = ['depth', 'height', 'width'].slice(-axes) as ('height' | 'width')[]
  const o = checkOptions('options', options, ['wavelet', 'mode', ...names])
  const [wavelet, mode] = checkWavelet(o)
  const { tensor, others, batch, last } = checkImages('bands', bands, axes + 1)
  const [count, ...sides] = last
  if (count !== 2 ** axes) {
    const want = `shape: bands must have dims [..., ${2 ** axes}, ${names.join(', ')}]`
    throw new TamisError('ERR_TAMIS_SHAPE', `${want}, got [${tensor.dims.join(', ')}]`)
  }
  const longest = native.waveletLines(wavelet, mode, sides)
  const short = longest.indexOf(0)
  if (short >= 0) {
    const got = `a ${names[short]} of ${sides[short]}`
    throw new TamisError(
      'ERR_TAMIS_SHAPE',
      `shape: bands are too short for the wavelet ${wavelet}, got ${got}`,
    )
  }
  const cut = names.map((name, axis) => checkInteger(name, o[name], 1, longest[axis] as number))
  const wide = tensor.type === 'float64'
  return {
    call: (job) => native.inverseWavelet(wide, viewBytes(tensor), batch, sides, cut, wavelet, mode, job),
    finish: (bytes) => ({ type: tensor.type, dims: [...others, ...cut], data: viewAs(tensor, bytes) }),
  }
}

/**
 * One level of the two-dimensional wavelet transform, in float64: bands `2 highH + highW` (low and high along height
 * and width, as PyWavelets' `dwtn` orders them). A side of n gives bands of `floor((n + taps - 1) / 2)`, or of n / 2,
 * rounded up, with `periodization`. O(taps) a sample. (Daubechies, "Ten lectures on wavelets", SIAM 1992.)
 * @param x - float32 or float64, [..., height, width]
 * @returns [..., 4, height', width'], of the input's type
 * @throws TamisError `wavelet`, `mode`, `rank`, `shape`, `dims`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const bands = await kernels.wavelet2(tensor('float32', [2, 2], [1, 1, 1, 1]))
 * console.log(bands.dims, Math.round(bands.data[0])) // [ 4, 1, 1 ] 2
 */
export async function wavelet2<T extends Real>(
  x: Tensor<T>,
  options?: WaveletOptions & Cancellable,
): Promise<Tensor<T>> {
  return promised(options, (o) => analysis(2, x, o))
}

/** {@link wavelet2}, at once. */
export function wavelet2Sync<T extends Real>(x: Tensor<T>, options?: WaveletOptions): Tensor<T> {
  return now(analysis(2, x, options))
}

/**
 * {@link wavelet2} over three axes: bands `4 highD + 2 highH + highW`.
 * @param x - float32 or float64, [..., depth, height, width]
 * @returns [..., 8, depth', height', width'], of the input's type
 * @throws TamisError `wavelet`, `mode`, `rank`, `shape`, `dims`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const x = tensor('float32', [2, 2, 2], [1, 1, 1, 1, 1, 1, 1, 1])
 * const bands = await kernels.wavelet3(x, { mode: 'periodization' })
 * console.log(bands.dims) // [ 8, 1, 1, 1 ]
 */
export async function wavelet3<T extends Real>(
  x: Tensor<T>,
  options?: WaveletOptions & Cancellable,
): Promise<Tensor<T>> {
  return promised(options, (o) => analysis(3, x, o))
}

/** {@link wavelet3}, at once. */
export function wavelet3Sync<T extends Real>(x: Tensor<T>, options?: WaveletOptions): Tensor<T> {
  return now(analysis(3, x, options))
}

/**
 * The array whose bands {@link wavelet2} gives, cut to its sides. O(taps) a sample.
 * @param bands - float32 or float64, [..., 4, height', width']
 * @param options - `height` and `width`: at most `2 height' - taps + 2`, or `2 height'` with `periodization`
 * @returns [..., height, width]
 * @throws TamisError `wavelet`, `mode`, `height`, `width`, `rank`, `shape`, `dims`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const x = tensor('float64', [1, 3], [1, 2, 3])
 * const back = await kernels.inverseWavelet2(await kernels.wavelet2(x), { height: 1, width: 3 })
 * console.log(back.data.map((item) => Math.round(item))) // Float64Array(3) [ 1, 2, 3 ]
 */
export async function inverseWavelet2<T extends Real>(
  bands: Tensor<T>,
  options: InverseWavelet2Options & Cancellable,
): Promise<Tensor<T>> {
  return promised(options, (o) => synthesis(2, bands, o))
}

/** {@link inverseWavelet2}, at once. */
export function inverseWavelet2Sync<T extends Real>(
  bands: Tensor<T>,
  options: InverseWavelet2Options,
): Tensor<T> {
  return now(synthesis(2, bands, options))
}

/**
 * The array whose bands {@link wavelet3} gives, cut to its sides. O(taps) a sample.
 * @param bands - float32 or float64, [..., 8, depth', height', width']
 * @param options - `depth`, `height` and `width`, as {@link inverseWavelet2} bounds them
 * @returns [..., depth, height, width]
 * @throws TamisError `wavelet`, `mode`, `depth`, `height`, `width`, `rank`, `shape`, `dims`
 * @example
 * import { kernels, tensor } from 'tamis'
 * const bands = tensor('float32', [8, 1, 1, 1], [8, 0, 0, 0, 0, 0, 0, 0])
 * const x = await kernels.inverseWavelet3(bands, { depth: 2, height: 2, width: 2 })
 * console.log(x.dims) // [ 2, 2, 2 ]
 */
export async function inverseWavelet3<T extends Real>(
  bands: Tensor<T>,
  options: InverseWavelet3Options & Cancellable,
): Promise<Tensor<T>> {
  return promised(options, (o) => synthesis(3, bands, o))
}

/** {@link inverseWavelet3}, at once. */
export function inverseWavelet3Sync<T extends Real>(
  bands: Tensor<T>,
  options: InverseWavelet3Options,
): Tensor<T> {
  return now(synthesis(3, bands, options))
}

/** The filters that take a line apart: float64 [taps] each. */
export interface WaveletFilter {
  low: Tensor<'float64'>
  high: Tensor<'float64'>
}

function filterOf(name: Wavelet): Operation<{ low: Float64Array; high: Float64Array }, WaveletFilter> {
  const wavelet = checkOneOf('wavelet', name, WAVELETS)
  const vector = (data: Float64Array): Tensor<'float64'> => ({ type: 'float64', dims: [data.length], data })
  return {
    call: () => native.waveletFilter(wavelet),
    finish: ({ low, high }) => ({ low: vector(low), high: vector(high) }),
  }
}

/**
 * The decomposition filters of a wavelet.
 * @throws TamisError `wavelet`
 * @example
 * import { kernels } from 'tamis'
 * const { low } = await kernels.waveletFilter('db2')
 * console.log(low.dims) // [ 4 ]
 */
export async function waveletFilter(name: Wavelet): Promise<WaveletFilter> {
  return waveletFilterSync(name)
}

/** {@link waveletFilter}, at once. */
export function waveletFilterSync(name: Wavelet): WaveletFilter {
  return now(filterOf(name))
}
