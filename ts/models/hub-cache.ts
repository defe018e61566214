/**
 * The hub's cache on disk, laid out as `huggingface_hub` has it, so that both share what either has fetched:
 *
 * ```text
 * models--ORG--NAME/blobs/ETAG              contents
 * models--ORG--NAME/snapshots/COMMIT/FILE   links to them
 * models--ORG--NAME/refs/REVISION           the commit of a branch or tag
 * models--ORG--NAME/.tamis/COMMIT.json      the names of all of the commit's files: tamis's own
 * ```
 * @hidden
 * @module
 */
import { randomUUID } from 'node:crypto'
import { copyFile, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join, relative } from 'node:path'

const COMMIT = /^[0-9a-f]{40}$/

/** Whether a revision is a commit, which never changes. */
export function isCommit(revision: string): boolean {
  return COMMIT.test(revision)
}

/** Where `huggingface_hub` keeps what is its own. */
function home(): string {
  const { HF_HOME, XDG_CACHE_HOME } = process.env
  return expand(HF_HOME || join(XDG_CACHE_HOME || '~/.cache', 'huggingface'))
}

/** The cache's folder, where none is named. */
export function defaultCache(): string {
  return expand(process.env.HF_HUB_CACHE || join(home(), 'hub'))
}

/** The token that the environment has, if any. */
export async function defaultToken(): Promise<string | undefined> {
  const { HF_TOKEN, HF_TOKEN_PATH } = process.env
  const token = HF_TOKEN || (await textIfThere(expand(HF_TOKEN_PATH || join(home(), 'token'))))
  return token?.trim() || undefined
}

function expand(path: string): string {
  return path.startsWith('~/') ? join(homedir(), path.slice(2)) : path
}

/** What the cache has of one model. */
export class ModelCache {
  readonly #root: string
  readonly #locks: string

  constructor(folder: string, model: string) {
    const name = `models--${model.replace('/', '--')}`
    this.#root = join(folder, name)
    this.#locks = join(folder, '.locks', name)
  }

  snapshot(commit: string): string {
    return join(this.#root, 'snapshots', commit)
  }

  file(commit: string, name: string): string {
    return join(this.snapshot(commit), ...name.split('/'))
  }

  blob(etag: string): string {
    return join(this.#root, 'blobs', etag)
  }

  lock(etag: string): string {
    return join(this.#locks, `${etag}.tamis`)
  }

  /** The commit that a branch or tag last stood for. */
  async commitOf(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision
    const commit = (await textIfThere(this.#ref(revision)))?.trim()
    return commit !== undefined && isCommit(commit) ? commit : undefined
  }

  async setCommit(revision: string, commit: string): Promise<void> {
    if (isCommit(revision) || (await this.commitOf(revision)) === commit) return
    await putWhole(this.#ref(revision), (path) => writeFile(path, commit))
  }

  /** The names of all of a commit's files, in the cache or not; undefined where tamis has not fetched of it. */
  async listing(commit: string): Promise<string[] | undefined> {
    try {
      const names = JSON.parse((await textIfThere(this.#listing(commit))) ?? 'null') as unknown
      return Array.isArray(names) && names.every((name) => typeof name === 'string') ? names : undefined
    } catch {
      return undefined
    }
  }

  async setListing(commit: string, names: readonly string[]): Promise<void> {
    await putWhole(this.#listing(commit), (path) => writeFile(path, JSON.stringify(names)))
  }

  /** The names of a commit's files that are in the cache. */
  async names(commit: string): Promise<string[]> {
    const folder = this.snapshot(commit)
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(none)
    return (entries ?? [])
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(relative(folder, entry.parentPath), entry.name).replaceAll('\\', '/'))
  }

  /** Whether a commit's file is in the cache. */
  async has(commit: string, name: string): Promise<boolean> {
    return (await sizeOf(this.file(commit, name))) !== undefined
  }

  /** Gives a commit's file the content of a blob: by a link, or a copy where links are refused (Windows). */
  async link(commit: string, name: string, etag: string): Promise<void> {
    const file = this.file(commit, name)
    const blob = this.blob(etag)
    await putWhole(file, async (path) => {
      try {
        await symlink(relative(dirname(file), blob), path, 'file')
      } catch (error) {
        if (!['EPERM', 'EACCES', 'ENOSYS', 'ENOTSUP'].includes((error as { code: string }).code)) throw error
        await copyFile(blob, path)
      }
    })
  }

  #ref(revision: string): string {
    return join(this.#root, 'refs', ...revision.split('/'))
  }

  #listing(commit: string): string {
    return join(this.#root, '.tamis', `${commit}.json`)
  }
}

/** Makes a file beside its place and moves it there, so that nobody finds half of one. */
async function putWhole(path: string, make: (path: string) => Promise<void>): Promise<void> {
  const beside = `${path}.${randomUUID()}`
  await mkdir(dirname(path), { recursive: true })
  try {
    await make(beside)
    await rename(beside, path)
  } catch (error) {
    await rm(beside, { force: true })
    throw error
  }
}

/** Bytes of a file; undefined where there is none. */
export async function sizeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(none)
  return found?.isFile() ? found.size : undefined
}

/** A file's text; undefined where there is none. */
export async function textIfThere(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch(none)
}

function none(error: { code?: string }): undefined {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'EISDIR') return undefined
  throw error
}
