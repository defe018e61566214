/**
 * Networks of convolutions as the addon runs them, put together from a state dict.
 * @hidden
 * @module
 */
import { TamisError } from '../errors.js'
import type { NativeNetwork, NativeStep } from '../native-signals.js'
import { checkMemory, show } from '../options.js'
import { checkReals, convertReals } from '../rows.js'
import { type Tensor, viewBytes } from '../tensor.js'

/** The float types that signals are worked in. */
export type Real = 'float32' | 'float64'

/** A number of a layer by its name. */
export type Weights = Record<string, Tensor>

export function shapeError(message: string): TamisError {
  return new TamisError('ERR_TAMIS_SHAPE', message)
}

/** Bytes of items of one type: float64 if `wide`. */
export function bytesOf(x: Tensor<Real>, wide: boolean): Uint8Array {
  return viewBytes(convertReals(x, wide ? 'float64' : 'float32'))
}

/** Bytes that the addon returned, as a tensor. */
export function realsOf(wide: boolean, dims: readonly number[], bytes: Uint8Array): Tensor<Real> {
  const { buffer, byteOffset, byteLength } = bytes
  return wide
    ? { type: 'float64', dims, data: new Float64Array(buffer, byteOffset, byteLength / 8) }
    : { type: 'float32', dims, data: new Float32Array(buffer, byteOffset, byteLength / 4) }
}

/** Refuses a tensor without items. */
export function checkSome(name: string, { dims }: Tensor): void {
  if (!dims.includes(0)) return
  throw shapeError(`${name} must not be empty, got dims [${dims.join(', ')}]`)
}

/** An object of tensors by name. */
export function checkWeights(weights: unknown): Weights {
  const isRecord =
    typeof weights === 'object' && weights !== null && !Array.isArray(weights) && !ArrayBuffer.isView(weights)
  if (isRecord) return weights as Weights
  throw new TamisError('ERR_TAMIS_TYPE', `weights must be an object of tensors by name, got ${show(weights)}`)
}

/** A tensor of the weights, of a float type. */
export function weightOf(weights: Weights, name: string, rank: number): Tensor<Real> {
  if (Object.hasOwn(weights, name)) {
    return checkReals(`weights: tensor ${JSON.stringify(name)}`, weights[name], [rank])
  }
  throw shapeError(`weights must hold a tensor ${JSON.stringify(name)}, which is missing`)
}

/** A weight and a bias [outputs] of layer `name`, whose input has so many channels. */
export function layerOf(
  weights: Weights,
  name: string,
  rank: number,
  channels: number,
): { weight: Tensor<Real>; bias: Tensor<Real> } {
  const weight = weightOf(weights, `${name}.weight`, rank)
  const bias = weightOf(weights, `${name}.bias`, 1)
  const [outputs = 0, inputs] = weight.dims
  const of = `weights: tensor ${JSON.stringify(`${name}.weight`)}`
  if (inputs !== channels || outputs === 0) {
    const got = `got dims [${weight.dims.join(', ')}]`
    throw shapeError(`channels: ${of} must have some outputs and ${channels} channels of input, ${got}`)
  }
  if (bias.dims[0] === outputs) return { weight, bias }
  throw shapeError(
    `channels: weights: tensor ${JSON.stringify(`${name}.bias`)} must have ${outputs} items, got ${bias.dims[0]}`,
  )
}

/** What a step does to the outputs of its convolution. */
export type Activation = 'none' | 'relu' | 'leaky' | 'tanh' | 'sigmoid'

/** A network that grows step by step. Maps are named by their number; 0 is the input. */
export class NetworkPlan {
  /** Names of the layers, in the order of the native ones. */
  readonly names: string[] = []
  readonly #weights: Weights
  readonly #x: Tensor<Real>
  readonly #axes: 2 | 3
  readonly #steps: NativeStep[] = []
  readonly #layers: { weight: Tensor<Real>; bias: Tensor<Real> }[] = []
  /** Of each map: channels, and how much longer its sides are than the input's. */
  readonly #maps: { channels: number; scale: number }[]

  /** @param x - [N, C, ...sides], as many sides as axes */
  constructor(x: Tensor<Real>, weights: unknown) {
    this.#x = x
    this.#axes = (x.dims.length - 2) as 2 | 3
    this.#weights = checkWeights(weights)
    this.#maps = [{ channels: x.dims[1] as number, scale: 1 }]
  }

  /** Channels of a map. */
  channels(map: number): number {
    return this.#maps[map]?.channels ?? 0
  }

  /** A layer over the channels of some maps, then its activation; kernels are odd along every axis. */
  convolve(from: number[], name: string, activation: Activation, slope = 0): number {
    const inputs = from.reduce((sum, map) => sum + this.channels(map), 0)
    const { weight, bias } = layerOf(this.#weights, name, this.#axes + 2, inputs)
    const [, , ...kernel] = weight.dims
    if (kernel.some((k) => k % 2 === 0 || k !== kernel[0])) {
      const of = `weights: tensor ${JSON.stringify(`${name}.weight`)}`
      throw shapeError(`${of} must have a kernel of odd and equal sides, got [${kernel.join(', ')}]`)
    }
    this.names.push(name)
    const layer = this.#layers.push({ weight, bias }) - 1
    const step: NativeStep = { kind: 'convolve', from, layer, activation, slope }
    return this.#add(step, { channels: weight.dims[0] as number, scale: this.#scale(from[0]) })
  }

  /** `scale` times one map and another. */
  blend(scale: number, from: number, onto: number): number {
    const step: NativeStep = { kind: 'blend', from: [from, onto], scale }
    return this.#add(step, { channels: this.channels(onto), scale: this.#scale(onto) })
  }

  /** Channels to cells; what `name` calls must have a multiple of `factor^axes` channels. */
  shuffle(from: number, factor: number, apart: boolean, name: string): number {
    const cell = factor ** this.#axes
    const channels = this.channels(from)
    if (channels % cell !== 0) {
      throw shapeError(`${name} must have channels divisible by ${cell}, got ${channels}`)
    }
    const step: NativeStep = { kind: 'shuffle', from: [from], factor, axes: this.#axes, apart }
    return this.#add(step, { channels: channels / cell, scale: this.#scale(from) * factor })
  }

  /** The dims of a map. */
  dims(map: number): number[] {
    const [batch = 0, , ...sides] = this.#x.dims
    return [batch, this.channels(map), ...sides.map((side) => side * this.#scale(map))]
  }

  /** True if one of the tensors is float64. */
  get wide(): boolean {
    const all = [this.#x, ...this.#layers.flatMap(({ weight, bias }) => [weight, bias])]
    return all.some(({ type }) => type === 'float64')
  }

  /** The dims of each layer's weight and bias. */
  layerDims(): [readonly number[], readonly number[]][] {
    return this.#layers.map(({ weight, bias }) => [weight.dims, bias.dims])
  }

  /** The network as the addon takes it, in float64 if `wide`. */
  native(wide: boolean): NativeNetwork {
    const [batch = 0, channels = 0, ...sides] = this.#x.dims
    const three = (list: readonly number[]) => [...Array(3 - this.#axes).fill(1), ...list]
    const largest = this.#maps.reduce((most, _, map) => {
      return Math.max(
        most,
        this.dims(map).reduce((a, b) => a * b, 1),
      )
    }, 0)
    checkMemory('the output', 3 * (wide ? 8 : 4) * largest)
    return {
      wide,
      batch,
      channels,
      sides: three(sides),
      layers: this.#layers.map(({ weight, bias }) => ({
        weight: bytesOf(weight, wide),
        bias: bytesOf(bias, wide),
        kernel: three(weight.dims.slice(2)),
      })),
      steps: this.#steps,
    }
  }

  #scale(map: number | undefined): number {
    return this.#maps[map ?? 0]?.scale ?? 1
  }

  #add(step: NativeStep, made: { channels: number; scale: number }): number {
    this.#steps.push(step)
    return this.#maps.push(made) - 1
  }
}
