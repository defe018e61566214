/**
 * TALL-masks and Consensus merging (Wang, Dimitriadis, Ortiz-Jimenez, Fleuret, Frossard, "Localizing Task Information
 * for Improved Model Merging and Compression", ICML 2024, arXiv 2405.07813).
 *
 * Many fine-tuned models as one base, one multi-task update and one bit a weight and task, from which each task's model
 * is recovered; or one model of the weights that several tasks use.
 * @module
 */
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkOptions, show } from '../options.js'
import { atOnce, type Cancellable, promised } from '../run.js'
import { type Tensor, viewBytes } from '../tensor.js'
import { refuse } from '../ternary.js'
import { checkBytes, checkFormat, floatBytes, openContainer, packContainer, readFloats } from './container.js'
import {
  alike,
  checkAlike,
  compareNames,
  dictOf,
  entriesOf,
  type MaskDict,
  partOf,
  partsOf,
  type StateDict,
} from './state-dict.js'

const MASK = { types: ['uint8', 'bool'] as const }

/** Against what the updates are measured, and how. */
export interface MaskTasksOptions {
  /** > 0; one for all tasks, or one a task. Larger is sparser. Default 0.4. */
  lambda?: number | readonly number[] | undefined
  /** The multi-task update, such as `mergeTies(updates, { merge: 'sum' })`. Default: the sum of the updates. */
  merged?: StateDict | undefined
}

/** Which weights each task needs. */
export interface TaskMasks {
  masks: Record<string, Tensor<'uint8'>>[]
  /** The share of ones over all entries, for each task. */
  densities: number[]
}

/** The multi-task update's tensors, of the updates' names and dims. */
function checkMerged(first: [string, Tensor][], merged: unknown): [string, Tensor][] | undefined {
  if (merged === undefined) return undefined
  const own = entriesOf('merged', merged)
  checkAlike('updates[0]', first, 'merged', own)
  return own
}

/** One for each task. @hidden */
export function checkLambdas(lambda: unknown, count: number): number[] {
  const isList = Array.isArray(lambda) || ArrayBuffer.isView(lambda)
  const list = isList
    ? Array.from(lambda as unknown as ArrayLike<unknown>)
    : Array.from({ length: count }, () => lambda)
  if (list.length !== count) {
    throw new TamisError('ERR_TAMIS_RANGE', `one lambda per task is needed: ${count}, got ${list.length}`)
  }
  for (const one of list) {
    if (typeof one !== 'number' || !(one > 0 && one < Infinity)) refuse('lambda must be positive', one)
  }
  return list as number[]
}

function maskDict(
  entries: readonly [string, Tensor][],
  masks: readonly Uint8Array[],
): Record<string, Tensor<'uint8'>> {
  return Object.fromEntries(
    entries.map(([name, { dims }], i) => [name, { type: 'uint8', dims, data: masks[i] as Uint8Array }]),
  )
}

const sizeOf = (entries: readonly [string, Tensor][]) =>
  entries.reduce((sum, [, { data }]) => sum + data.length, 0)

/**
 * For each task the weights that it needs: 1 where `|update| > lambda |merged - update|`, sums and differences in
 * float32, the product in float64. Task t's model is recovered as base + mask * merged. O(tasks n), in parallel; the
 * updates are copied before the call returns.
 * @param updates - at least one ({@link taskVector}); float tensors of the same names and dims
 * @throws TamisError `at least one update is needed`, `updates differ in tensors`, `shape mismatch`,
 * `lambda must be positive`, `one lambda per task is needed`, `not finite`
 * @example
 * import { tensor, weights } from 'tamis'
 * const updates = [{ w: tensor('float32', [2], [1, 0.1]) }, { w: tensor('float32', [2], [0.2, 1]) }]
 * const { masks } = await weights.maskTasks(updates)
 * console.log(masks[0]?.w?.data, masks[1]?.w?.data) // Uint8Array(2) [ 1, 0 ] Uint8Array(2) [ 0, 1 ]
 */
export async function maskTasks(
  updates: readonly StateDict[],
  options?: MaskTasksOptions & Cancellable,
): Promise<TaskMasks> {
  return promised(options, (given: MaskTasksOptions | undefined) => {
    const o = checkOptions('options', given, ['lambda', 'merged'])
    const all = alike('updates', updates, 'at least one update')
    const lambdas = checkLambdas(o.lambda ?? 0.4, all.length)
    const first = all[0] as [string, Tensor][]
    const merged = checkMerged(first, o.merged)
    const names = first.map(([name]) => name)
    return {
      call: (job) => native.taskMasks(names, all.map(partsOf), merged && partsOf(merged), lambdas, job),
      finish: ({ masks, ones }: { masks: Uint8Array[][]; ones: number[] }) => ({
        masks: masks.map((task) => maskDict(first, task)),
        densities: ones.map((n) => n / Math.max(1, sizeOf(first))),
      }),
    }
  })
}

/** Which weights several tasks use. */
export interface Consensus {
  mask: Record<string, Tensor<'uint8'>>
  /** [tasks + 1]: how many weights 0, 1, ... tasks use. */
  histogram: Tensor<'uint32'>
  /** The share of ones. */
  density: number
}

/** How many must agree. @hidden */
export function checkAgree(agree: unknown): number {
  if (typeof agree === 'number' && Number.isSafeInteger(agree) && agree >= 0) return agree
  return refuse('agree must be a non-negative integer', agree)
}

const bytesOf = (entries: readonly [string, Tensor][]) => entries.map(([, tensor]) => viewBytes(tensor))

/**
 * The weights that at least `agree` tasks use: 2 drops those that none or one uses, 1 those that none does, 0 keeps
 * all. O(tasks n), in parallel; the masks are copied before the call returns.
 * @param masks - at least one ({@link maskTasks}); uint8 or bool, of the same names and dims
 * @param options - `agree`: an integer >= 0, default 2
 * @throws TamisError `at least one mask is needed`, `updates differ in tensors`, `shape mismatch`,
 * `agree must be a non-negative integer`, `mask must hold 0 and 1`
 * @example
 * import { tensor, weights } from 'tamis'
 * const masks = [{ w: tensor('uint8', [3], [1, 1, 0]) }, { w: tensor('uint8', [3], [0, 1, 0]) }]
 * const { mask, histogram } = await weights.consensusMask(masks)
 * console.log(mask.w?.data, histogram.data) // Uint8Array(3) [ 0, 1, 0 ] Uint32Array(3) [ 1, 1, 1 ]
 */
export async function consensusMask(
  masks: readonly MaskDict[],
  options?: { agree?: number | undefined } & Cancellable,
): Promise<Consensus> {
  return promised(options, (given: { agree?: number | undefined } | undefined) => {
    const agree = checkAgree(checkOptions('options', given, ['agree']).agree ?? 2)
    const all = alike('masks', masks, 'at least one mask', MASK)
    const first = all[0] as [string, Tensor][]
    return {
      call: (job) => native.consensus(all.map(bytesOf), agree, job),
      finish: ({ mask, histogram, ones }: { mask: Uint8Array[]; histogram: number[]; ones: number }) => ({
        mask: maskDict(first, mask),
        histogram: { type: 'uint32' as const, dims: [histogram.length], data: Uint32Array.from(histogram) },
        density: ones / Math.max(1, sizeOf(first)),
      }),
    }
  })
}

/**
 * The multi-task update where at least `agree` tasks use the weight, 0 elsewhere; the model is base + alpha times that
 * ({@link addUpdate}). O(tasks n), in parallel; updates and masks are copied before the call returns.
 * @param updates - at least one; float tensors of the same names and dims
 * @param masks - at least one, of the updates' names and dims
 * @param options - `agree` as of {@link consensusMask}; `merged`: instead of the sum of the updates
 * @throws TamisError as {@link maskTasks} and {@link consensusMask}
 * @example
 * import { tensor, weights } from 'tamis'
 * const updates = [{ w: tensor('float32', [2], [1, 2]) }, { w: tensor('float32', [2], [3, 4]) }]
 * const masks = [{ w: tensor('uint8', [2], [1, 1]) }, { w: tensor('uint8', [2], [0, 1]) }]
 * const { w } = await weights.mergeConsensus(updates, masks)
 * console.log(w?.data) // Float32Array(2) [ 0, 6 ]
 */
export async function mergeConsensus(
  updates: readonly StateDict[],
  masks: readonly MaskDict[],
  options?: { agree?: number | undefined; merged?: StateDict | undefined } & Cancellable,
): Promise<Record<string, Tensor<'float32'>>> {
  type Options = { agree?: number | undefined; merged?: StateDict | undefined }
  return promised(options, (given: Options | undefined) => {
    const o = checkOptions('options', given, ['agree', 'merged'])
    const agree = checkAgree(o.agree ?? 2)
    const all = alike('updates', updates, 'at least one update')
    const used = alike('masks', masks, 'at least one mask', MASK)
    const first = all[0] as [string, Tensor][]
    checkAlike('updates[0]', first, 'masks[0]', used[0] as [string, Tensor][])
    const merged = checkMerged(first, o.merged)
    const names = first.map(([name]) => name)
    return {
      call: (job) =>
        native.mergeConsensus(
          names,
          all.map(partsOf),
          merged && partsOf(merged),
          used.map(bytesOf),
          agree,
          job,
        ),
      finish: (results: Float32Array[]) => dictOf(first, results),
    }
  })
}

const WHAT = 'a task file'

/**
 * The multi-task update and the tasks' masks as the bytes of a safetensors file: float32, and a bit a weight and task.
 * The base is not stored. O(tasks n), at once.
 * @param merged - float tensors
 * @param masks - by task; each of merged's names and dims
 * @throws TamisError `at least one mask is needed`, `updates differ in tensors`, `shape mismatch`,
 * `task name must not contain a dot`, `mask must hold 0 and 1`, `not finite`
 * @example
 * import { tensor, weights } from 'tamis'
 * const merged = { w: tensor('float32', [2], [1, 2]) }
 * const file = weights.writeTasks(merged, { cars: { w: tensor('uint8', [2], [0, 1]) } })
 * console.log(weights.readTask(file, 'cars').w?.data) // Float32Array(2) [ 0, 2 ]
 */
export function writeTasks(merged: StateDict, masks: Record<string, MaskDict>): Uint8Array {
  const own = entriesOf('merged', merged)
  if (typeof masks !== 'object' || masks === null || Array.isArray(masks) || ArrayBuffer.isView(masks)) {
    throw new TamisError('ERR_TAMIS_TYPE', `masks must be an object of masks by task, got ${show(masks)}`)
  }
  const tasks = Object.keys(masks)
  if (tasks.length === 0)
    throw new TamisError('ERR_TAMIS_RANGE', 'at least one mask is needed, masks is empty')
  const updates = own.map(([name, tensor]) => ({
    name: `merged.${name}`,
    dtype: 'F32' as const,
    dims: tensor.dims,
    data: floatBytes(
      atOnce(() => native.finiteFloat32(`merged: tensor ${JSON.stringify(name)}`, partOf(tensor))),
    ),
  }))
  const packed = tasks.flatMap((task) => {
    if (task === '' || task.includes('.')) refuse('task name must not contain a dot, nor be empty', task)
    const what = `masks of ${JSON.stringify(task)}`
    const entries = entriesOf(what, masks[task], MASK)
    checkAlike('merged', own, what, entries)
    return entries.map(([name, mask]) => {
      const data = atOnce(() => native.packMask(`${what}: tensor ${JSON.stringify(name)}`, viewBytes(mask)))
      return { name: `mask.${task}.${name}`, dtype: 'U8' as const, dims: [data.length], data }
    })
  })
  packed.sort((a, b) => compareNames(a.name, b.name))
  const metadata: [string, string][] = [
    ['format', 'tamis.tall'],
    ['tasks', JSON.stringify(tasks)],
    ['version', '1'],
  ]
  return packContainer(metadata, [...updates, ...packed])
}

/**
 * One task's update from a file of {@link writeTasks}: mask times the multi-task update; the model is base plus that.
 * Reads that task's masks alone. O(n), at once.
 * @param bytes - the file, a Uint8Array or a uint8 tensor
 * @param task - its name
 * @throws TamisError `unknown task`, `not a task file`, `unsupported version`
 * @example
 * import { tensor, weights } from 'tamis'
 * const merged = { w: tensor('float32', [3], [1, 2, 3]) }
 * const file = weights.writeTasks(merged, { birds: { w: tensor('uint8', [3], [1, 0, 1]) } })
 * console.log(weights.readTask(file, 'birds').w?.data) // Float32Array(3) [ 1, 0, 3 ]
 */
export function readTask(bytes: Uint8Array | Tensor, task: string): Record<string, Tensor<'float32'>> {
  const { metadata, names, read, dimsOf } = openContainer(checkBytes('bytes', bytes), WHAT)
  checkFormat(metadata, 'tamis.tall', WHAT)
  const tasks = tasksOf(metadata.tasks)
  if (typeof task !== 'string' || !tasks.includes(task)) {
    refuse(`unknown task: task must be one of ${tasks.map((name) => JSON.stringify(name)).join(', ')}`, task)
  }
  const entries = names
    .filter((name) => name.startsWith('merged.'))
    .map((name) => [name.slice('merged.'.length), { dims: dimsOf(name) }] as [string, { dims: number[] }])
  return dictOf(
    entries,
    entries.map(([name, { dims }]) => {
      const x = readFloats(read(`merged.${name}`, 'F32', dims))
      const mask = read(`mask.${task}.${name}`, 'U8', [Math.ceil(x.length / 8)])
      return atOnce(() => native.applyPackedMask(mask, x))
    }),
  )
}

function tasksOf(text: unknown): string[] {
  try {
    const tasks: unknown = JSON.parse(text as string)
    if (Array.isArray(tasks) && tasks.every((task) => typeof task === 'string')) return tasks
  } catch {
    // Told below.
  }
  throw new TamisError('ERR_TAMIS_FORMAT', `not ${WHAT}: its tasks are no JSON array`)
}
