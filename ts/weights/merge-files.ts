/**
 * Models merged on disk: TIES, consensus and TALL masks, task arithmetic, linear.
 * @module
 */
import { basename } from 'node:path'
import { TamisError } from '../errors.js'
import { native } from '../native.js'
import { checkOptions, show } from '../options.js'
import { checkDensity, checkKnown } from '../ternary.js'
import { checkLambda } from './compress-files.js'
import {
  type BaseOptions,
  checkNames,
  checkOrigin,
  checkPath,
  checkType,
  optionsInForce,
  runOnWeights,
  WEIGHTS_FILE_OPTIONS,
  type WeightsFileOptions,
  type WeightsFiles,
  type WeightsType,
} from './run-files.js'
import { checkAgree, checkLambdas } from './tall-masks.js'

/** The ways to merge. */
export const MERGE_METHODS = ['ties', 'consensus', 'tall-masks', 'task-arithmetic', 'linear'] as const

/** A way to merge. */
export type MergeMethod = (typeof MERGE_METHODS)[number]

/** How models are merged. */
export interface MergeFilesOptions extends WeightsFileOptions, BaseOptions {
  /**
   * - `ties` (default): of each update its largest entries, of each number the updates that agree with the elected sign;
   * - `consensus`: the sum of the updates where several of them need a number (TALL masks);
   * - `tall-masks`: no merged model but one file with the sum of the updates and a mask for each, from which
   *   {@link expandUpdateFiles} recovers each model;
   * - `task-arithmetic`: the weighted sum of the updates;
   * - `linear`: the weighted mean.
   */
  method?: MergeMethod | undefined
  /** What the merged update is multiplied with before it is added to the base. Default 1. Not of `tall-masks`. */
  lambda?: number | undefined
  /** One for each model, finite. Default: 1 each. `linear` divides them by their sum. Of `ties`, `task-arithmetic`, `linear`. */
  weights?: readonly number[] | undefined
  /** Of `ties`: the share of each update's entries that is kept, in (0, 1]. Default 0.2. */
  density?: number | undefined
  /** Of `ties`: how what agrees becomes one. Default `mean`. */
  merge?: 'mean' | 'sum' | 'max' | undefined
  /** Of `ties`: whether entries are ranked over the whole update (`global`, default) or each `tensor` apart. */
  scope?: 'global' | 'tensor' | undefined
  /** Of `consensus` and `tall-masks`: how much of the rest an update must exceed, one or one for each. Default 0.4. */
  maskLambda?: number | readonly number[] | undefined
  /** Of `consensus`: how many updates must need a number. Default 2. */
  agree?: number | undefined
  /** Of `tall-masks`: a name for each model, without a dot. Default: the names of their files or folders. */
  tasks?: readonly string[] | undefined
  /** The type of all weights. Default: each tensor's in the base, or in the first model. Not of `tall-masks`. */
  dtype?: WeightsType | undefined
  /** Tensors that are not merged: those of the base (or the first model) stay. */
  skip?: readonly string[] | undefined
}

/** What a merge wrote. */
export interface MergedFiles extends WeightsFiles {
  method: MergeMethod
  /** Of `consensus`: how many numbers 0, 1, 2, ... updates need. */
  histogram?: number[]
  /** Of `tall-masks`: the share of ones in each mask, by task. */
  densities?: Record<string, number>
}

/** Which methods an option belongs to. */
const OF: Partial<Record<keyof MergeFilesOptions, readonly MergeMethod[]>> = {
  lambda: ['ties', 'consensus', 'task-arithmetic', 'linear'],
  weights: ['ties', 'task-arithmetic', 'linear'],
  density: ['ties'],
  merge: ['ties'],
  scope: ['ties'],
  maskLambda: ['consensus', 'tall-masks'],
  agree: ['consensus'],
  tasks: ['tall-masks'],
  dtype: ['ties', 'consensus', 'task-arithmetic', 'linear'],
}

/**
 * Merges models on disk and writes the merged one: `base + lambda merge(model - base, ...)`, with the files, types and
 * side files of the base. Without a base the inputs are updates (adapters), merged as they are, and the first one gives
 * the layout. TIES: Yadav et al. 2023; TALL masks and consensus: Wang et al. 2024; task arithmetic: Ilharco et al. 2023. The
 * numbers are those of {@link mergeTies}, {@link maskTasks}, {@link mergeConsensus} and {@link addUpdate}, computed in
 * float32 and rounded to the type of the output, to nearest even.
 *
 * Reads all files once (`ties` three times), window by window, O(bytes); memory is a window for each model (at least 1
 * MiB, all together at most some 40 MiB), whatever the size of the models. An interrupted call can be gone on with (`resume`).
 * @param models - `.safetensors` files, sharded folders or their indexes
 * @throws TamisError `at least one update is needed`, `density must be in (0, 1]`, `one weight per update is needed`,
 * `lambda must be positive`, `one lambda per task is needed`, `agree must be a non-negative integer`,
 * `task name must not contain a dot`, `unknown merge`, `unknown scope`; with the file and the tensor
 * `updates differ in tensors`, `shape mismatch`, `not finite`, `does not fit`; `OUT exists`; `ERR_TAMIS_IO`, also where
 * the disk has no room; `ERR_TAMIS_ABORTED`
 * @example
 * import { weights } from 'tamis'
 * const { files } = await weights.mergeFiles(['model-code', 'model-maths'], { base: 'model', out: 'model-merged' })
 */
export async function mergeFiles(
  models: readonly string[],
  options: MergeFilesOptions,
): Promise<MergedFiles> {
  const own = ['method', 'skip', ...(Object.keys(OF) as (keyof typeof OF)[])] as const
  const o = checkOptions('options', options, [...WEIGHTS_FILE_OPTIONS, ...own])
  if (!Array.isArray(models))
    throw new TamisError('ERR_TAMIS_TYPE', `models must be a list of paths, got ${show(models)}`)
  if (models.length === 0) throw new TamisError('ERR_TAMIS_RANGE', 'at least one update is needed')
  const paths = models.map((path, i) => checkPath(`models[${i}]`, path))
  const method = checkKnown('method', o.method ?? 'ties', MERGE_METHODS)
  for (const [name, methods] of Object.entries(OF)) {
    if (o[name as keyof MergeFilesOptions] === undefined || methods.includes(method)) continue
    throw new TamisError(
      'ERR_TAMIS_RANGE',
      `${name} is no option of the method ${method}, but of ${methods.join(', ')}`,
    )
  }
  const settings = {
    lambda: checkLambda(o.lambda ?? 1),
    weights: checkWeights(o.weights, paths.length, method === 'linear'),
    density: checkDensity(o.density ?? 0.2),
    merge: checkKnown('merge', o.merge ?? 'mean', ['mean', 'sum', 'max']),
    eachTensor: checkKnown('scope', o.scope ?? 'global', ['global', 'tensor']) === 'tensor',
    lambdas: checkLambdas(o.maskLambda ?? 0.4, paths.length),
    agree: checkAgree(o.agree ?? 2),
    dtype: checkType(o.dtype),
  }
  const tasks = method === 'tall-masks' ? checkTasks(o.tasks, paths) : []
  const match = { ...checkOrigin(o), skip: checkNames('skip', o.skip) }
  return runOnWeights(o, async (run) => {
    const updates = await run.work((job) => native.openUpdates(paths, match, job))
    const inputs = updates.inputs()
    const used = optionsInForce(o, defaultsOf(method, settings, tasks))
    const { output, state } = await run.open(method, used, inputs)
    const written = await run.work((job) =>
      method === 'tall-masks'
        ? native.maskModels(updates, output, state, tasks, settings.lambdas, job)
        : native.mergeModels(
            updates,
            output,
            state,
            { ...settings, method: OPERATION[method], oneFile: run.oneFile },
            job,
          ),
    )
    const densities = Object.fromEntries(written.densities().map((share, t) => [tasks[t], share]))
    const more = {
      ...(method === 'consensus' && { histogram: written.histogram() }),
      ...(method === 'tall-masks' && { densities }),
    }
    const done = await run.commit(written, {
      method,
      options: used,
      inputs,
      tensors: updates.tensors(),
      elements: updates.elements(),
      more,
      models: paths,
    })
    return { ...done, method, ...more }
  })
}

const OPERATION = {
  ties: 'elected',
  consensus: 'agreed',
  'task-arithmetic': 'weighted',
  linear: 'weighted',
} as const

/** What a manifest says of a method, whether it was given or not. */
function defaultsOf(
  method: MergeMethod,
  settings: {
    lambda: number
    density: number
    merge: string
    eachTensor: boolean
    lambdas: number[]
    agree: number
  },
  tasks: string[],
): object {
  const { lambda, density, merge, eachTensor, lambdas, agree } = settings
  switch (method) {
    case 'ties':
      return { lambda, density, merge, scope: eachTensor ? 'tensor' : 'global' }
    case 'consensus':
      return { lambda, maskLambda: lambdas, agree }
    case 'tall-masks':
      return { maskLambda: lambdas, tasks }
    default:
      return { lambda }
  }
}

function checkWeights(weights: unknown, models: number, normalise: boolean): number[] {
  const list: unknown[] =
    weights === undefined ? new Array(models).fill(1) : Array.isArray(weights) ? weights : []
  const good = list.length === models && list.every((weight) => Number.isFinite(weight))
  if (!good) {
    throw new TamisError(
      'ERR_TAMIS_RANGE',
      `one weight per update is needed: ${models} finite numbers, got ${show(weights)}`,
    )
  }
  if (!normalise) return list as number[]
  const sum = (list as number[]).reduce((a, b) => a + b, 0)
  if (sum === 0) {
    throw new TamisError('ERR_TAMIS_RANGE', `weights of a mean must not add up to 0, got ${show(weights)}`)
  }
  return (list as number[]).map((weight) => weight / sum)
}

function checkTasks(tasks: unknown, paths: readonly string[]): string[] {
  const given = tasks !== undefined
  const names = given
    ? checkNames('tasks', tasks)
    : paths.map((path) =>
        basename(path)
          .replace(/\.safetensors(\.index\.json)?$/, '')
          .replaceAll('.', '-'),
      )
  const want = `tasks must name each of the ${paths.length} models`
  if (names.length !== paths.length) {
    throw new TamisError('ERR_TAMIS_RANGE', `${want}, got ${show(tasks)}`)
  }
  for (const [t, name] of names.entries()) {
    if (name === '' || name.includes('.')) {
      throw new TamisError(
        'ERR_TAMIS_RANGE',
        `task name must not contain a dot, nor be empty, got ${show(name)}`,
      )
    }
    if (names.indexOf(name) !== t) {
      throw new TamisError('ERR_TAMIS_RANGE', `${want} by a name of its own, got ${show(name)} twice`)
    }
  }
  return names
}
