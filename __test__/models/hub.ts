/** A hub on loopback with one small model, and what tests ask of it. */
import { createHash } from 'node:crypto'
import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { models } from 'tamis'

export const MODEL = 'org/tiny'
export const COMMIT = 'c0ffee'.padEnd(40, '0')
export const WEIGHTS = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * i) >> 3))
/** The files of the model. */
export const FILES: Record<string, Buffer> = {
  'config.json': Buffer.from('{"model_type":"bert"}'),
  'tokenizer.json': Buffer.from('{}'),
  'modules.json': Buffer.from('[{"path":""},{"path":"1_Pooling"},{"path":"2_Normalize"}]'),
  '1_Pooling/config.json': Buffer.from('{"pooling_mode_mean_tokens":true}'),
  'model.safetensors': WEIGHTS,
  'model.fp16.safetensors': WEIGHTS.subarray(0, 7),
  'pytorch_model.bin': WEIGHTS,
  'onnx/model.onnx': WEIGHTS,
  'onnx/config.json': Buffer.from('{}'),
  'README.md': Buffer.from('tiny'),
}
/** Those that a model is read from. */
export const CHOSEN = [
  '1_Pooling/config.json',
  'config.json',
  'model.safetensors',
  'modules.json',
  'tokenizer.json',
]

export const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex')
export const gitSha1 = (data: Buffer) =>
  createHash('sha1').update(`blob ${data.length}\0`).update(data).digest('hex')
export const isLarge = (name: string) => /\.(?:safetensors|bin|onnx|gguf)$/.test(name)
export const etagOf = (name: string, data: Buffer) => (isLarge(name) ? sha256(data) : gitSha1(data))

export interface Seen {
  method: string
  url: string
  authorization: string | undefined
  range: string | undefined
}

export type Handler = (req: IncomingMessage, res: ServerResponse) => void

export async function listening(t: ExecutionContext, server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A hub with one model, whose large files lie on another host. */
export class Hub {
  readonly seen: Seen[] = []
  readonly away: Seen[] = []
  readonly cache = mkdtempSync(join(tmpdir(), 'tamis-hub-'))
  files: Record<string, Buffer> = FILES
  names: string[] | undefined
  endpoint = ''
  /** Answers in place of the hub, or of the other host: true where it did. */
  hook: (req: IncomingMessage, res: ServerResponse) => boolean = () => false
  awayHook: (req: IncomingMessage, res: ServerResponse) => boolean = () => false

  static async start(t: ExecutionContext): Promise<Hub> {
    const hub = new Hub()
    t.teardown(() => rmSync(hub.cache, { recursive: true, force: true }))
    const note = (list: Seen[], req: IncomingMessage) =>
      list.push({
        method: req.method as string,
        url: req.url as string,
        authorization: req.headers.authorization,
        range: req.headers.range,
      })
    const away = await listening(
      t,
      createServer((req, res) => {
        note(hub.away, req)
        if (hub.awayHook(req, res)) return
        send(req, res, hub.files[decodeURIComponent((req.url as string).slice(1))] as Buffer)
      }),
    )
    const answer: Handler = (req, res) => {
      note(hub.seen, req)
      if (hub.hook(req, res)) return
      const url = req.url as string
      if (url.startsWith(`/api/models/${MODEL}/revision/`)) {
        const names = hub.names ?? Object.keys(hub.files)
        res.end(JSON.stringify({ sha: COMMIT, siblings: names.map((rfilename) => ({ rfilename })) }))
        return
      }
      const name = decodeURIComponent(url.split(`/${MODEL}/resolve/${COMMIT}/`)[1] ?? '')
      const data = hub.files[name]
      if (data === undefined) res.writeHead(404).end()
      else if (isLarge(name)) {
        const headers = { 'x-linked-etag': `"${sha256(data)}"`, 'x-linked-size': data.length }
        res.writeHead(302, { ...headers, etag: '"mine"', location: `${away}/${name}` }).end()
      } else send(req, res, data, { etag: `W/"${gitSha1(data)}"` })
    }
    hub.endpoint = await listening(t, createServer(answer))
    return hub
  }

  fetch(options: models.FetchModelOptions = {}, name = MODEL): Promise<string> {
    return models.fetchModel(name, { endpoint: this.endpoint, cacheDir: this.cache, ...options })
  }

  get root(): string {
    return join(this.cache, 'models--org--tiny')
  }

  /** Requests for files, by method. */
  transfers(method: string): string[] {
    return this.seen
      .filter((one) => one.method === method && one.url.includes('/resolve/'))
      .map((one) => one.url)
  }
}

/** Sends data, or the part that is asked for. */
export function send(req: IncomingMessage, res: ServerResponse, data: Buffer, headers: object = {}): void {
  const from = Number(/^bytes=(\d+)-$/.exec(req.headers.range ?? '')?.[1] ?? 0)
  const part = data.subarray(from)
  const range = { 'content-range': `bytes ${from}-${data.length - 1}/${data.length}` }
  res.writeHead(from > 0 ? 206 : 200, { ...headers, 'content-length': part.length, ...(from > 0 && range) })
  res.end(req.method === 'HEAD' ? undefined : part)
}

/** Does something once the weights' first bytes are on disk. */
export function onceBegun(hub: Hub, then: () => void): void {
  const part = join(hub.root, 'blobs', `${sha256(WEIGHTS)}.tamis.incomplete`)
  const watch = setInterval(() => {
    if ((lstatSync(part, { throwIfNoEntry: false })?.size ?? 0) === 0) return
    clearInterval(watch)
    then()
  }, 1)
}

/** Sends a third of the weights, and breaks off once some of it is on disk: what is not may be lost with the connection. */
export function cut(hub: Hub, res: ServerResponse): true {
  res.writeHead(200, { 'content-length': WEIGHTS.length })
  res.write(WEIGHTS.subarray(0, 100_000))
  onceBegun(hub, () => res.destroy())
  return true
}

export function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
}
