/**
 * ComPEFT (Yadav, Choshen, Raffel, Bansal, "ComPEFT: Compression for Communicating Parameter Efficient Updates via
 * Sparsification and Quantization", 2023, arXiv 2311.13171).
 *
 * Of a fine-tuning update (a LoRA, an IA3, or full weights less their base) only the signs of its largest entries and one
 * number: 8 to 50 times smaller, with no retraining. {@link kernels.ternarize} is the operation on one tensor.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import type { NativeSigns, TernaryCost } from '../native-weights.js'
import { checkOptions, show } from '../options.js'
import { atOnce, type Cancellable, promised } from '../run.js'
import { checkTensor, FLOAT_TYPES, type Tensor, viewBytes } from '../tensor.js'
import {
  checkDims,
  checkKnown,
  checkScale,
  checkTernary,
  refuse,
  TERNARIZE,
  type TernarizeOptions,
  type Ternary,
  type TernaryTensor,
  ternarizeOptions,
  ternaryTensor,
} from '../ternary.js'
import { checkBytes, checkFormat, floatBytes, openContainer, packContainer, readFloats } from './container.js'
import { compareNames, entriesOf, partsOf, type StateDict } from './state-dict.js'

export type { TernaryCost } from '../native-weights.js'
export type { TernarizeOptions, TernaryTensor } from '../ternary.js'

/** A compressed update. */
export interface CompressedUpdate {
  tensors: Record<string, TernaryTensor>
  /** Of all tensors. */
  scale: number
  cost: TernaryCost
}

/**
 * The signs of an update's largest entries and one scale: all tensors, by name, are ranked as one vector, of which
 * `max(1, floor(density n + 1e-6))` entries are kept (equal magnitudes: the lower index first). O(n), in parallel; the
 * update is copied before the call returns.
 * @param update - float tensors, n >= 1 items; for IA3, {@link taskVector} against ones
 * @throws TamisError `density must be in (0, 1]`, `alpha must be positive`, `unknown scale`, `update is empty`,
 * `not finite` (with the tensor's name)
 * @example
 * import { tensor, weights } from 'tamis'
 * const update = { a: tensor('float32', [2], [0.5, -3]), b: tensor('float32', [2], [0.25, 1]) }
 * const { tensors, scale } = await weights.compressUpdate(update, { density: 0.5, scale: 'mean-abs' })
 * console.log(scale, tensors.a?.negative.data, tensors.b?.positive.data) // 2 Uint8Array(1) [ 2 ] Uint8Array(1) [ 2 ]
 */
export async function compressUpdate(
  update: StateDict,
  options?: TernarizeOptions & Cancellable,
): Promise<CompressedUpdate> {
  return promised(options, (o: TernarizeOptions | undefined) => {
    const { density, alpha } = ternarizeOptions(checkOptions('options', o, TERNARIZE))
    const entries = entriesOf('update', update)
    const names = entries.map(([name]) => `update: tensor ${JSON.stringify(name)}`)
    const elements = entries.reduce((sum, [, { data }]) => sum + data.length, 0)
    return {
      call: (job) => native.ternarize(names, partsOf(entries), density, alpha, job),
      finish: ({ parts, scale, nonzeros }: { parts: NativeSigns[]; scale: number; nonzeros: number }) => ({
        tensors: Object.fromEntries(
          entries.map(([name, { dims }], i) => [
            name,
            ternaryTensor(dims, checkScale(scale), parts[i] as NativeSigns),
          ]),
        ),
        scale,
        cost: native.ternaryCost(elements, nonzeros),
      }),
    }
  })
}

/**
 * `scale` times the signs, in float32. O(n), at once.
 * @throws TamisError `shape` (masks of another length), a bit behind the last item, both bits of one
 * @example
 * import { kernels, tensor, weights } from 'tamis'
 * const t = kernels.ternarizeSync(tensor('float32', [3], [2, -4, 1]), { density: 0.7, scale: 'mean-abs' })
 * console.log(weights.expandTernary(t).data) // Float32Array(3) [ 3, -3, 0 ]
 */
export function expandTernary(t: TernaryTensor): Tensor<'float32'> {
  const { dims, n, scale, positive, negative } = checkTernary('t', t)
  return { type: 'float32', dims, data: atOnce(() => native.expandTernary(positive, negative, n, scale)) }
}

/**
 * One tensor's Golomb-Rice payload: the gaps between its signs, and the signs, in chunks of 65,536 items. O(n / 64 +
 * signs), at once, in parallel over chunks.
 * @param options - `encoding`: `golomb`, the default
 * @throws TamisError `unknown encoding`, `shape`
 * @example
 * import { kernels, tensor, weights } from 'tamis'
 * const t = kernels.ternarizeSync(tensor('float32', [4], [2, -4, 1, 0]), { density: 0.5 })
 * const bytes = weights.encodeTernary(t)
 * const back = weights.decodeTernary(bytes, { encoding: 'golomb', dims: t.dims, scale: t.scale })
 */
export function encodeTernary(t: TernaryTensor, options?: { encoding?: 'golomb' | undefined }): Uint8Array {
  const o = checkOptions('options', options, ['encoding'])
  checkKnown('encoding', o.encoding ?? 'golomb', ['golomb'])
  return encode(checkTernary('t', t))
}

function encode({ positive, negative, n }: Ternary): Uint8Array {
  return atOnce(() => native.encodeGolomb(positive, negative, n))
}

/**
 * What {@link encodeTernary} packed. O(n / 64 + signs), at once, in parallel over chunks.
 * @param bytes - the payload, a Uint8Array or a uint8 tensor
 * @param options - what the payload does not hold
 * @throws TamisError `unknown encoding`, `golomb stream is truncated`, `golomb stream is corrupt`, `dims`, `scale`
 * @example
 * import { weights } from 'tamis'
 * const bytes = Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
 * const t = weights.decodeTernary(bytes, { encoding: 'golomb', dims: [3], scale: 1 })
 * console.log(t.positive.data) // Uint8Array(1) [ 0 ]
 */
export function decodeTernary(
  bytes: Uint8Array | Tensor,
  options: { encoding: 'golomb'; dims: readonly number[]; scale: number },
): TernaryTensor {
  const o = checkOptions('options', options, ['encoding', 'dims', 'scale'])
  checkKnown('encoding', o.encoding, ['golomb'])
  const n = checkDims('options', o.dims)
  if (typeof o.scale !== 'number' || !Number.isFinite(o.scale))
    refuse('scale must be a finite number', o.scale)
  const data = checkBytes('bytes', bytes)
  return ternaryTensor([...o.dims], o.scale, decode(data, n))
}

function decode(bytes: Uint8Array, n: number): NativeSigns {
  return atOnce(() => native.decodeGolomb(bytes, n))
}

/**
 * The inner product of two ternary tensors, from their masks: signs that agree less signs that differ, times both
 * scales, in float64. O(n / 64), at once.
 * @throws TamisError `shape mismatch` (other dims)
 * @example
 * import { kernels, tensor, weights } from 'tamis'
 * const t = kernels.ternarizeSync(tensor('float32', [2], [3, -3]), { density: 1, scale: 'mean-abs' })
 * console.log(weights.dotTernary(t, t)) // 18
 */
export function dotTernary(a: TernaryTensor, b: TernaryTensor): number {
  const [x, y] = [checkTernary('a', a), checkTernary('b', b)]
  if (String(x.dims) !== String(y.dims) || x.dims.length !== y.dims.length) {
    throw new TamisError(
      'ERR_TAMIS_SHAPE',
      `shape mismatch: a has dims [${x.dims.join(', ')}], b has [${y.dims.join(', ')}]`,
    )
  }
  const signs = atOnce(() => native.dotTernary(x.positive, x.negative, y.positive, y.negative, x.n))
  return x.scale * y.scale * signs
}

/**
 * The product of a ternary matrix with a vector or with each row of a batch: `y = scale (sum of x over positive - sum
 * over negative)`, in 16 float32 lanes (for float64 in float64, which the result then is). O(rows cols batch), at once,
 * in parallel over rows.
 * @param t - [rows, cols]
 * @param x - a float type, [cols] or [batch, cols]
 * @returns [rows] or [batch, rows]
 * @throws TamisError `shape mismatch` (t not of two axes, or x of another last axis)
 * @example
 * import { kernels, tensor, weights } from 'tamis'
 * const t = kernels.ternarizeSync(tensor('float32', [2, 2], [3, -3, 0, 3]), { density: 0.8, scale: 'mean-abs' })
 * console.log(weights.multiplyTernary(t, tensor('float32', [2], [2, 1])).data) // Float32Array(2) [ 3, 3 ]
 */
export function multiplyTernary(t: TernaryTensor, x: Tensor): Tensor<'float32' | 'float64'> {
  const matrix = checkTernary('t', t)
  const input = checkTensor('x', x, { types: FLOAT_TYPES, ranks: [1, 2] })
  const [rows, cols] = matrix.dims
  const shown = `t has dims [${matrix.dims.join(', ')}], x has [${input.dims.join(', ')}]`
  if (matrix.dims.length !== 2 || rows === undefined || cols === undefined || input.dims.at(-1) !== cols) {
    throw new TamisError('ERR_TAMIS_SHAPE', `shape mismatch: ${shown}`)
  }
  const batch = input.dims.length === 2 ? (input.dims[0] as number) : 1
  const bytes = atOnce(() =>
    native.multiplyTernary(
      matrix.positive,
      matrix.negative,
      matrix.scale,
      rows,
      cols,
      batch,
      input.type,
      viewBytes(input),
    ),
  )
  const dims = [...input.dims.slice(0, -1), rows]
  const [buffer, at] = [bytes.buffer as ArrayBuffer, bytes.byteOffset]
  if (input.type === 'float64') {
    return { type: 'float64', dims, data: new Float64Array(buffer, at, bytes.byteLength / 8) }
  }
  return { type: 'float32', dims, data: new Float32Array(buffer, at, bytes.byteLength / 4) }
}

const ENCODINGS = ['golomb', 'bitmask'] as const
const WHAT = 'a ternary file'

/**
 * Ternary tensors as the bytes of a safetensors file: for each its scale, and its Golomb-Rice payload or its two masks.
 * O(n / 64 + signs), at once.
 * @param tensors - by name
 * @param options - `encoding`: `golomb` (default) or `bitmask`
 * @throws TamisError `unknown encoding`, `shape`
 * @example
 * import { kernels, tensor, weights } from 'tamis'
 * const w = kernels.ternarizeSync(tensor('float32', [4], [2, -4, 1, 0]))
 * const file = weights.writeTernary({ w })
 * console.log(Object.keys(weights.readTernary(file))) // [ 'w' ]
 */
export function writeTernary(
  tensors: Record<string, TernaryTensor>,
  options?: { encoding?: 'golomb' | 'bitmask' | undefined },
): Uint8Array {
  const o = checkOptions('options', options, ['encoding'])
  const encoding = checkKnown('encoding', o.encoding ?? 'golomb', ENCODINGS)
  if (
    typeof tensors !== 'object' ||
    tensors === null ||
    Array.isArray(tensors) ||
    ArrayBuffer.isView(tensors)
  ) {
    throw new TamisError(
      'ERR_TAMIS_TYPE',
      `tensors must be an object of ternary tensors by name, got ${show(tensors)}`,
    )
  }
  const entries = Object.keys(tensors)
    .sort(compareNames)
    .map((name) => [name, checkTernary(`tensors: ${JSON.stringify(name)}`, tensors[name])] as const)
  const scales = entries.map(([name, { scale }]) => ({
    name: `${name}.scale`,
    dtype: 'F32' as const,
    dims: [1],
    data: floatBytes(Float32Array.of(scale)),
  }))
  const payloads = entries.flatMap(([name, t]) => {
    const entry = (suffix: string, data: Uint8Array) => ({
      name: `${name}.${suffix}`,
      dtype: 'U8' as const,
      dims: [data.length],
      data,
    })
    if (encoding === 'golomb') return [entry('golomb', encode(t))]
    // Also refuses masks that are none.
    atOnce(() => native.dotTernary(t.positive, t.negative, t.positive, t.negative, t.n))
    return [entry('negative', t.negative), entry('positive', t.positive)]
  })
  const byName = (a: { name: string }, b: { name: string }) => compareNames(a.name, b.name)
  const shapes = entries.map(([name, { dims }]) => `${JSON.stringify(name)}:[${dims.join(',')}]`)
  const metadata: [string, string][] = [
    ['encoding', encoding],
    ['format', 'tamis.ternary'],
    ['shapes', `{${shapes.join(',')}}`],
    ['version', '1'],
  ]
  return packContainer(metadata, [...scales.sort(byName), ...payloads.sort(byName)])
}

/**
 * The tensors of a file that {@link writeTernary} or `tamis weights compress-update` wrote. O(n / 64 + signs), at once.
 * @param bytes - the file, a Uint8Array or a uint8 tensor
 * @throws TamisError `not a ternary file`, `unsupported version`, `unknown encoding`, `golomb stream is truncated`,
 * `golomb stream is corrupt`
 * @example
 * import { kernels, tensor, weights } from 'tamis'
 * const w = kernels.ternarizeSync(tensor('float32', [2, 2], [2, -4, 1, 0]))
 * const { w: back } = weights.readTernary(weights.writeTernary({ w }, { encoding: 'bitmask' }))
 * console.log(back?.dims) // [ 2, 2 ]
 */
export function readTernary(bytes: Uint8Array | Tensor): Record<string, TernaryTensor> {
  const { metadata, read } = openContainer(checkBytes('bytes', bytes), WHAT)
  checkFormat(metadata, 'tamis.ternary', WHAT)
  const encoding = checkKnown('encoding', metadata.encoding, ENCODINGS)
  const tensors = Object.entries(shapesOf(metadata.shapes)).map(([name, dims]) => {
    const n = checkDims(name, dims)
    const scale = readFloats(read(`${name}.scale`, 'F32', [1]))[0] as number
    const mask = (suffix: string) => read(`${name}.${suffix}`, 'U8', [Math.ceil(n / 8)]).slice()
    const signs =
      encoding === 'golomb'
        ? decode(read(`${name}.golomb`, 'U8'), n)
        : { positive: mask('positive'), negative: mask('negative') }
    return [name, ternaryTensor(dims as number[], scale, signs)] as const
  })
  return Object.fromEntries(tensors)
}

function shapesOf(text: unknown): object {
  try {
    const shapes: unknown = JSON.parse(text as string)
    if (typeof shapes === 'object' && shapes !== null && !Array.isArray(shapes)) return shapes
  } catch {
    // Told below.
  }
  throw new TamisError('ERR_TAMIS_FORMAT', `not ${WHAT}: its shapes are no JSON object`)
}
