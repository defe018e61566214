/**
 * Which of a model's files on the hub are fetched.
 * @hidden
 * @module
 */
import { TamisError } from '../errors.js'

/** What is asked for: one file, those that fit patterns, or what a model is read from. */
export interface Selection {
  model: string
  file: string | undefined
  patterns: readonly string[] | undefined
}

const INDEX = '.safetensors.index.json'

/**
 * The names of the files that are asked for, weights last.
 * @param names - of all files there are
 * @param read - gives the text of one of them
 */
export async function chooseFiles(
  names: readonly string[],
  selection: Selection,
  read: (name: string) => Promise<string>,
): Promise<string[]> {
  const { model, file, patterns } = selection
  if (file !== undefined) {
    if (names.includes(file)) return [file]
    throw lacks(model, `file ${file}${ggufOf(names)}`)
  }
  if (patterns !== undefined) return matching(names, patterns, model)
  if (!names.includes('config.json')) throw lacks(model, `config.json${ggufOf(names)}`)
  const folders = names.includes('modules.json') ? foldersOf(await read('modules.json')) : []
  const settings = names.filter((name) => /^[^/]+\.(?:json|jinja)$/.test(name))
  const inside = names.filter((name) =>
    folders.some(
      (folder) =>
        name.startsWith(`${folder}/`) &&
        /^[^/]+\.(?:json|jinja|safetensors)$/.test(name.slice(folder.length + 1)),
    ),
  )
  const weights = await weightsAmong(names, read, model)
  if (weights.length === 0 && !inside.some((name) => name.endsWith('.safetensors'))) {
    throw lacks(model, `*.safetensors, the form of weights that is read${ggufOf(names)}`)
  }
  return [...settings, ...inside, ...weights]
}

/** Checks the names that the hub gives: they become paths on this machine. */
export function checkNames(names: unknown, model: string): string[] {
  if (!Array.isArray(names)) throw new TamisError('ERR_TAMIS_FORMAT', `the hub lists no files of ${model}`)
  return names.map((name: unknown) => {
    const isSafe =
      typeof name === 'string' &&
      !/[\\\0]|^[a-z]:/i.test(name) &&
      name.split('/').every((part) => part !== '' && part !== '.' && part !== '..')
    if (isSafe) return name
    throw new TamisError(
      'ERR_TAMIS_FORMAT',
      `the hub lists a file of ${model} that would leave its folder: ${JSON.stringify(name)}`,
    )
  })
}

/** The weights in the model's own folder, as they are looked for in it: duplicates in other types stay where they are. */
async function weightsAmong(
  names: readonly string[],
  read: (name: string) => Promise<string>,
  model: string,
): Promise<string[]> {
  const indexes = names.filter((name) => name.endsWith(INDEX) && !name.includes('/'))
  const index = indexes.find((name) => name === `model${INDEX}`) ?? indexes[0]
  if (index !== undefined) {
    const shards = [...new Set(Object.values(membersOf(await read(index), 'weight_map')))].sort()
    for (const shard of shards) {
      if (typeof shard !== 'string' || !names.includes(shard))
        throw lacks(model, `file ${String(shard)} of ${index}`)
    }
    return shards as string[]
  }
  if (names.includes('model.safetensors')) return ['model.safetensors']
  return names.filter((name) => /^[^/]+\.safetensors$/.test(name))
}

/** The folders of `modules.json`; what is wrong with it is said where the model is read. */
function foldersOf(text: string): string[] {
  const modules = parsed(text)
  const paths = Array.isArray(modules) ? modules.map((module) => (module as { path?: unknown })?.path) : []
  return paths.filter((path): path is string => typeof path === 'string' && path !== '')
}

function membersOf(text: string, name: string): Record<string, unknown> {
  const members = (parsed(text) as Record<string, unknown> | undefined)?.[name]
  return typeof members === 'object' && members !== null ? (members as Record<string, unknown>) : {}
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) ?? undefined
  } catch {
    return undefined
  }
}

function matching(names: readonly string[], patterns: readonly string[], model: string): string[] {
  const chosen = new Set<string>()
  for (const pattern of patterns) {
    const form = formOf(pattern)
    const found = names.filter((name) => form.test(name))
    if (found.length === 0) throw lacks(model, `file ${pattern}`)
    for (const name of found) chosen.add(name)
  }
  return [...chosen]
}

/** A pattern's form: `*` and `?` stay in a folder, `**` does not. */
function formOf(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/|\*+|\?/g, (wild) =>
      wild === '**/' ? '(?:.*/)?' : wild === '*' ? '[^/]*' : wild === '?' ? '[^/]' : '.*',
    )
  return new RegExp(`^${source}$`, 's')
}

function lacks(model: string, what: string): TamisError {
  return new TamisError('ERR_TAMIS_IO', `${model} has no ${what}`)
}

/** Where a model lies in GGUF files, that one of them is to be named. */
function ggufOf(names: readonly string[]): string {
  const files = names.filter((name) => name.endsWith('.gguf'))
  if (files.length === 0) return ''
  const more = files.length > 8 ? ` and ${files.length - 8} more` : ''
  return `; name one of its GGUF files: ${files.slice(0, 8).join(', ')}${more}`
}
