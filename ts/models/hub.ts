/**
 * Models by name, through the Hugging Face hub's cache.
 * @module
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { TamisError } from '../errors.js'
import { checkOptions, checkSignal, show } from '../options.js'
import { checkPath } from './calls.js'
import { fetchBlob } from './hub-blob.js'
import { defaultCache, defaultToken, isCommit, ModelCache } from './hub-cache.js'
import { checkNames, chooseFiles, type Selection } from './hub-files.js'
import { HubClient, Unreachable } from './hub-http.js'
import {
  checkEndpoint,
  checkRevision,
  checkToken,
  isOffline,
  parseName,
  selectionOf,
} from './hub-settings.js'

/** Where a model that is named, not a path, comes from. */
export interface ModelSource {
  /** A branch, a tag, or a commit in full, which stays what it is and needs no request once it is in the cache. Default `main`. */
  revision?: string
  /** The cache's folder. Default: as `huggingface_hub` has it (`HF_HUB_CACHE`, `HF_HOME`, `~/.cache/huggingface/hub`). */
  cacheDir?: string
  /** Whether only the cache is looked at. Default: `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE`. */
  offline?: boolean
  /** For private and gated models; an empty one is none. Default: `HF_TOKEN`, or what `hf auth login` has stored. */
  token?: string
}

/** How far {@link fetchModel} is. */
export interface FetchProgress {
  /** The file that is fetched. */
  file: string
  /** Files that are done, of those that were not in the cache. */
  files: number
  bytes: number
  totalBytes: number
}

/** What {@link fetchModel} is told. */
export interface FetchModelOptions extends ModelSource {
  /** The hub. Default: `HF_ENDPOINT`, or `https://huggingface.co`. */
  endpoint?: string
  /**
   * Names of files to fetch, with `*` and `?` within a folder and `**` across folders. Default: what a model is read from, which is JSON, templates, safetensors
   * (of duplicates those that `model.safetensors.index.json` or the name `model.safetensors` picks), and the folders of `modules.json`.
   */
  files?: readonly string[]
  /** Aborting it stops at once; what is in the cache by then is gone on from. */
  signal?: AbortSignal | undefined
  /** Told about ten times a second how far the download is. */
  onProgress?: ((progress: FetchProgress) => void) | undefined
}

/** The names of {@link ModelSource}. @hidden */
export const SOURCE_OPTIONS = ['revision', 'cacheDir', 'offline', 'token'] as const

const PROGRESS_MS = 100

/**
 * Fetches a model from the Hugging Face hub, unless the cache has it, and gives its folder; of `ORG/NAME/FILE.gguf` that file's path. The cache is
 * laid out as `huggingface_hub`'s, and both use what either has fetched. Every file is checked by its hash before it gets its name; what was cut short is
 * gone on from; processes that fetch the same wait for each other. `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are heeded. The token goes to the hub's
 * own host alone. Where the hub cannot be reached, what the cache has of the revision is used.
 * @throws TamisError `ERR_TAMIS_IO` for what the hub has not or refuses (a private or gated model needs a token), what stays out of reach, and,
 * offline, what the cache has not; `ERR_TAMIS_FORMAT` with both hashes for a file that is damaged twice, and for names of files that would leave the
 * folder; `ERR_TAMIS_ABORTED`
 * @example
 * import { models } from 'tamis'
 * const folder = await models.fetchModel('sentence-transformers/all-MiniLM-L6-v2')
 * const embedder = await models.TextEmbedder.load(folder)
 */
export async function fetchModel(name: string, options?: FetchModelOptions): Promise<string> {
  const known = [...SOURCE_OPTIONS, 'endpoint', 'files', 'signal', 'onProgress'] as const
  const o = checkOptions('options', options, known)
  const selection = selectionOf(name, o.files)
  const revision = checkRevision(o.revision ?? 'main')
  const offline = isOffline(o.offline)
  const endpoint = checkEndpoint(o.endpoint ?? (process.env.HF_ENDPOINT || 'https://huggingface.co'))
  const folder = resolve(o.cacheDir === undefined ? defaultCache() : checkPath('cacheDir', o.cacheDir))
  const token = checkToken(o.token ?? (offline ? undefined : await defaultToken()))
  const signal = checkSignal(o.signal)
  const report = new Report(o.onProgress)
  const client = new HubClient(endpoint, token, AbortSignal.any([report.signal, ...(signal ? [signal] : [])]))
  const cache = new ModelCache(folder, selection.model)
  try {
    client.signal?.throwIfAborted()
    const commit = await new Fetch(client, cache, selection, revision, report).commit(offline, folder)
    const { file } = selection
    return file === undefined ? cache.snapshot(commit) : cache.file(commit, file)
  } catch (error) {
    if (report.failure !== undefined) throw report.failure.error
    if (signal?.aborted) {
      throw new TamisError('ERR_TAMIS_ABORTED', 'the operation was aborted', { cause: signal.reason })
    }
    if (error instanceof TamisError || !(error instanceof Error) || !('syscall' in error)) throw error
    throw new TamisError('ERR_TAMIS_IO', `the cache of models: ${error.message}`, { cause: error })
  } finally {
    await client.close()
  }
}

/** The path of a model that is given by its path or its name. @hidden */
export async function resolveModel(
  argument: string,
  model: string,
  source: Pick<FetchModelOptions, (typeof SOURCE_OPTIONS)[number] | 'signal' | 'onProgress'>,
): Promise<string> {
  const path = checkPath(argument, model)
  // What ends like a file is the path of one that is not there.
  const isName = parseName(path) !== undefined && !/^[^/]+\/[^/]+\.(?:gguf|safetensors|json)$/.test(path)
  if (existsSync(path) || !isName) return path
  const { revision, cacheDir, offline, token, signal, onProgress } = source
  const given = { revision, cacheDir, offline, token, signal, onProgress }
  try {
    return await fetchModel(path, defined(given))
  } catch (error) {
    if (!(error instanceof TamisError) || error.code !== 'ERR_TAMIS_IO') throw error
    throw new TamisError(error.code, `${path} is no file or folder here, and of the hub: ${error.message}`, {
      cause: error,
    })
  }
}

/** A listener to {@link FetchProgress} that tells it as a pass over files. @hidden */
export function toldFetch(
  listener:
    | ((progress: { pass: 'fetch'; bytes: number; totalBytes: number; records: number }) => void)
    | undefined,
): FetchModelOptions['onProgress'] {
  return (
    listener &&
    (({ files, bytes, totalBytes }) => listener({ pass: 'fetch', bytes, totalBytes, records: files }))
  )
}

/** One call: finds a commit and brings its files into the cache. */
class Fetch {
  readonly #client: HubClient
  readonly #cache: ModelCache
  readonly #selection: Selection
  readonly #revision: string
  readonly #report: Report

  constructor(client: HubClient, cache: ModelCache, selection: Selection, revision: string, report: Report) {
    this.#client = client
    this.#cache = cache
    this.#selection = selection
    this.#revision = revision
    this.#report = report
  }

  /** The commit of the revision, with all that is asked for in the cache. */
  async commit(offline: boolean, folder: string): Promise<string> {
    const [cache, revision] = [this.#cache, this.#revision]
    const { model, file } = this.#selection
    const last = await cache.commitOf(revision)
    // A commit that another program has fetched of may lack files that a model is read differently without: the hub lists them once.
    const lenient = offline || !isCommit(revision)
    const isThere = last !== undefined && (await this.#isWhole(last, lenient))
    if (isThere && (offline || isCommit(revision))) return last
    if (offline) {
      const name = file === undefined ? model : `${model}/${file}`
      throw new TamisError(
        'ERR_TAMIS_IO',
        `${name} (${revision}) is not whole in the cache ${folder}, and offline nothing is fetched: ` +
          `fetch it once with a network (models.fetchModel('${name}'), without offline and HF_HUB_OFFLINE), or copy the cache of a machine that has it`,
      )
    }
    const found = await this.#find(last, isThere ? 1 : undefined).catch((error: unknown) => {
      if (isThere && error instanceof Unreachable) return undefined
      throw error
    })
    if (found === undefined) return last as string
    const { commit, names } = found
    const read = async (name: string) => {
      await this.#bring(commit, [name], undefined)
      return readFile(cache.file(commit, name), 'utf8')
    }
    await this.#bring(commit, await chooseFiles(names, this.#selection, read), this.#report)
    // Last, so that offline the revision stands for what is whole.
    await cache.setCommit(revision, commit)
    return commit
  }

  /** Whether the cache has all of a commit that is asked for; leniently: as far as can be said without the list of its files. */
  async #isWhole(commit: string, lenient: boolean): Promise<boolean> {
    const { file } = this.#selection
    if (file !== undefined) return this.#cache.has(commit, file)
    const names =
      (await this.#cache.listing(commit)) ?? (lenient ? await this.#cache.names(commit) : undefined)
    if (names === undefined) return false
    const read = (name: string) => readFile(this.#cache.file(commit, name), 'utf8')
    const chosen = await chooseFiles(names, this.#selection, read).catch(() => undefined)
    return chosen !== undefined && (await this.#missing(commit, chosen)).length === 0
  }

  async #missing(commit: string, names: readonly string[]): Promise<string[]> {
    const there = await Promise.all(names.map((name) => this.#cache.has(commit, name)))
    return names.filter((_, i) => !there[i])
  }

  /** The commit of the revision and the names of its files: of a commit as it was listed before, else as the hub lists it. */
  async #find(last: string | undefined, tries?: number): Promise<{ commit: string; names: string[] }> {
    const { model } = this.#selection
    const revision = this.#revision
    const before = isCommit(revision) ? await this.#cache.listing(revision) : undefined
    if (before !== undefined && last !== undefined) return { commit: last, names: checkNames(before, model) }
    const path = `/api/models/${model}/revision/${encodeURIComponent(revision)}`
    const missing = `has no model ${model}, or no revision ${revision} of it`
    const answer = await this.#client.json(path, this.#refusal(`revision ${revision}`, missing), tries)
    const { sha, siblings } = (answer ?? {}) as { sha?: unknown; siblings?: unknown }
    const commit = typeof sha === 'string' && isCommit(sha) ? sha : undefined
    if (commit === undefined || (isCommit(revision) && commit !== revision)) {
      throw new TamisError(
        'ERR_TAMIS_FORMAT',
        `${this.#client.endpoint} gives no commit of ${model} for ${revision}, but ${show(sha)}`,
      )
    }
    const listed = Array.isArray(siblings)
      ? siblings.map((sibling) => (sibling as { rfilename?: unknown } | null)?.rfilename)
      : undefined
    const names = checkNames(listed, model)
    if ((await this.#cache.listing(commit)) === undefined) await this.#cache.setListing(commit, names)
    return { commit, names }
  }

  /** Brings files into the cache that are not there. */
  async #bring(commit: string, names: readonly string[], report: Report | undefined): Promise<void> {
    const { model } = this.#selection
    const [client, cache] = [this.#client, this.#cache]
    const wanted = []
    for (const name of await this.#missing(commit, names)) {
      const path = `/${model}/resolve/${commit}/${name.split('/').map(encodeURIComponent).join('/')}`
      const refused = this.#refusal(`file ${name}`, `has no file ${name} of ${model}`)
      const { etag, size } = await client.head(path, refused)
      const places = { blob: cache.blob(etag), lock: cache.lock(etag) }
      wanted.push({ file: name, name: `${model}/${name}`, path, etag, size, refused, ...places })
    }
    const totalBytes = wanted.reduce((sum, { size }) => sum + size, 0)
    let done = 0
    for (const [files, each] of wanted.entries()) {
      const { file, etag, size } = each
      await fetchBlob(client, each, (bytes) => report?.tell({ file, files, bytes: done + bytes, totalBytes }))
      await cache.link(commit, file, etag)
      done += size
      report?.tell({ file, files: files + 1, bytes: done, totalBytes })
    }
  }

  /** What a status other than success says of the model. */
  #refusal(what: string, missing: string): (status: number) => string {
    const { endpoint } = this.#client
    const { model } = this.#selection
    return (status) => {
      if (status === 401) {
        return `${endpoint} has no model ${model}, or it is private or gated and needs a token that may read it (token, HF_TOKEN)`
      }
      if (status === 403) {
        return `${endpoint} does not give ${model} to this token: ask for access on the model's page, and use a token that may read it (token, HF_TOKEN)`
      }
      return `${endpoint} ${status === 404 ? missing : `refuses ${what} of ${model}: status ${status}`}`
    }
  }
}

/** Tells the listener how far the download is, and ends it if that throws. */
class Report {
  failure: { error: unknown } | undefined
  readonly #listener: FetchModelOptions['onProgress']
  readonly #stop = new AbortController()
  #told = 0

  constructor(listener: FetchModelOptions['onProgress']) {
    if (listener !== undefined && typeof listener !== 'function') {
      throw new TamisError('ERR_TAMIS_TYPE', `onProgress must be a function, got ${show(listener)}`)
    }
    this.#listener = listener
  }

  get signal(): AbortSignal {
    return this.#stop.signal
  }

  tell(progress: FetchProgress): void {
    const isEnd = progress.bytes === progress.totalBytes
    if (this.#listener === undefined || this.failure || (!isEnd && Date.now() - this.#told < PROGRESS_MS))
      return
    this.#told = Date.now()
    try {
      this.#listener(progress)
    } catch (error) {
      this.failure = { error }
      this.#stop.abort()
    }
  }
}

/** Without what is undefined. */
function defined<T extends object>(given: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as never
}
