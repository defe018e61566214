/**
 * The checks of what {@link fetchModel} is told.
 * @hidden
 * @module
 */
import { TamisError } from '../errors.js'
import { checkBoolean, show } from '../options.js'
import type { Selection } from './hub-files.js'

const NAME = /^(\w[\w.-]*\/\w[\w.-]*)(?:\/(.+\.gguf))?$/

/** The parts of a model's name, if it can be one: `--` and `..` are in none. */
export function parseName(name: string): { model: string; file: string | undefined } | undefined {
  const [, model, file] = NAME.exec(name) ?? []
  const isName = model !== undefined && !/--|\.\./.test(name) && !/[\\\0]|\/\/|\/\.\//.test(name)
  return isName ? { model, file } : undefined
}

/** What a name and the patterns of files ask for. */
export function selectionOf(name: unknown, files: unknown): Selection {
  const parts = typeof name === 'string' ? parseName(name) : undefined
  if (parts === undefined) {
    const code = typeof name === 'string' ? 'ERR_TAMIS_RANGE' : 'ERR_TAMIS_TYPE'
    throw new TamisError(code, `name must be ORG/NAME or ORG/NAME/FILE.gguf, got ${show(name)}`)
  }
  if (files === undefined) return { ...parts, patterns: undefined }
  const isList = Array.isArray(files) && files.every((file) => typeof file === 'string' && file !== '')
  if (!isList || files.length === 0) {
    throw new TamisError('ERR_TAMIS_TYPE', `files must be an array of names and patterns, got ${show(files)}`)
  }
  if (parts.file !== undefined) {
    throw new TamisError(
      'ERR_TAMIS_RANGE',
      `files must be left out where the name is that of a file, ${parts.file}`,
    )
  }
  return { ...parts, patterns: files as string[] }
}

/** Checks a revision, which becomes a path, too. */
export function checkRevision(revision: unknown): string {
  const isSafe =
    typeof revision === 'string' && /^\w[\w./-]*$/.test(revision) && !/\.\.|\/\/|\/\.|\/$/.test(revision)
  if (isSafe) return revision
  const code = typeof revision === 'string' ? 'ERR_TAMIS_RANGE' : 'ERR_TAMIS_TYPE'
  throw new TamisError(code, `revision must be a branch, a tag or a commit, got ${show(revision)}`)
}

/** Checks a hub's address; it ends without a slash. */
export function checkEndpoint(endpoint: unknown): string {
  const url = typeof endpoint === 'string' && URL.canParse(endpoint) ? new URL(endpoint) : undefined
  const isPlain =
    url !== undefined && /^https?:$/.test(url.protocol) && !url.username && !url.search && !url.hash
  if (isPlain) return url.href.replace(/\/+$/, '')
  const code = typeof endpoint === 'string' ? 'ERR_TAMIS_RANGE' : 'ERR_TAMIS_TYPE'
  throw new TamisError(code, `endpoint must be an http or https URL without more, got ${show(endpoint)}`)
}

/** Checks a token; an empty one is none. */
export function checkToken(token: unknown): string | undefined {
  if (token === undefined || token === '') return undefined
  if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return token
  const code = typeof token === 'string' ? 'ERR_TAMIS_RANGE' : 'ERR_TAMIS_TYPE'
  // A secret, even where it is wrong.
  throw new TamisError(code, 'token must be a string of letters, digits and signs')
}

/** Whether only the cache is looked at. */
export function isOffline(offline: unknown): boolean {
  const { HF_HUB_OFFLINE = '', TRANSFORMERS_OFFLINE = '' } = process.env
  const byDefault = [HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE].some((flag) => /^(?:1|true|yes|on)$/i.test(flag))
  return checkBoolean('offline', offline, byDefault)
}
