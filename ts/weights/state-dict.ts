/**
 * State dicts: tensors by name, in the order of their names, and several of them side by side.
 * @module
 */
import { TamisError } from '../errors.js'
import type { NativePart } from '../native-weights.js'
import { show } from '../options.js'
import { checkTensor, FLOAT_TYPES, type Tensor, type TensorShape, viewBytes } from '../tensor.js'

/** Names to tensors. */
export type StateDict = Record<string, Tensor>

/** Names to masks of 0 and 1 (uint8 or bool), of the tensors' dims. */
export type MaskDict = Record<string, Tensor>

/** By the names' UTF-8 bytes, ascending: the order of their code points. */
export function compareNames(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** Names and tensors in the order of the names, each tensor checked. */
export function entriesOf(
  name: string,
  dict: unknown,
  accepts: TensorShape = { types: FLOAT_TYPES },
): [string, Tensor][] {
  const isRecord =
    typeof dict === 'object' && dict !== null && !Array.isArray(dict) && !ArrayBuffer.isView(dict)
  if (!isRecord) {
    throw new TamisError('ERR_TAMIS_TYPE', `${name} must be an object of tensors by name, got ${show(dict)}`)
  }
  return Object.keys(dict)
    .sort(compareNames)
    .map((key) => [
      key,
      checkTensor(`${name}: tensor ${JSON.stringify(key)}`, (dict as StateDict)[key], accepts),
    ])
}

/** Refuses tensors of other names or dims than the first ones. */
export function checkAlike(
  first: string,
  tensors: readonly [string, { dims: readonly number[] }][],
  second: string,
  others: readonly [string, { dims: readonly number[] }][],
): void {
  const names = new Map(tensors)
  const otherNames = new Map(others)
  const missing = (name: string, here: string, there: string) =>
    new TamisError(
      'ERR_TAMIS_SHAPE',
      `updates differ in tensors: ${JSON.stringify(name)} is in ${here} but not in ${there}`,
    )
  for (const [name] of tensors) if (!otherNames.has(name)) throw missing(name, first, second)
  for (const [name, { dims }] of others) {
    const want = names.get(name)?.dims
    if (want === undefined) throw missing(name, second, first)
    if (dims.length === want.length && dims.every((n, axis) => n === want[axis])) continue
    throw new TamisError(
      'ERR_TAMIS_SHAPE',
      `shape mismatch: tensor ${JSON.stringify(name)} has dims [${want.join(', ')}] in ${first} and [${dims.join(', ')}] in ${second}`,
    )
  }
}

/** Several state dicts of the same tensors, of which there must be one: `what is needed` says so otherwise. */
export function alike(
  name: string,
  dicts: unknown,
  needed: string,
  accepts?: TensorShape,
): [string, Tensor][][] {
  if (!Array.isArray(dicts)) {
    throw new TamisError('ERR_TAMIS_TYPE', `${name} must be a list of objects of tensors, got ${show(dicts)}`)
  }
  if (dicts.length === 0) throw new TamisError('ERR_TAMIS_RANGE', `${needed} is needed, ${name} is empty`)
  // Holes of a list are undefined, where map would leave them out.
  const all = Array.from(dicts as unknown[], (dict, i) => entriesOf(`${name}[${i}]`, dict, accepts))
  for (const [i, entries] of all.entries()) {
    checkAlike(`${name}[0]`, all[0] as [string, Tensor][], `${name}[${i}]`, entries)
  }
  return all
}

/** A tensor as the addon takes it. */
export function partOf(tensor: Tensor): NativePart {
  return { type: tensor.type, data: viewBytes(tensor) }
}

/** The tensors as the addon takes them. */
export function partsOf(entries: readonly [string, Tensor][]): NativePart[] {
  return entries.map(([, tensor]) => partOf(tensor))
}

/** Float32 results under the names and dims of the tensors that they came from. */
export function dictOf(
  entries: readonly [string, { dims: readonly number[] }][],
  results: readonly Float32Array[],
): Record<string, Tensor<'float32'>> {
  return Object.fromEntries(
    entries.map(([name, { dims }], i) => [name, { type: 'float32', dims, data: results[i] as Float32Array }]),
  )
}
