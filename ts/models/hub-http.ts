/**
 * Requests to the Hugging Face hub: redirects, tokens, what is tried again, and what a refusal means.
 * @hidden
 * @module
 */
import { setTimeout as wait } from 'node:timers/promises'
import type { Dispatcher, EnvHttpProxyAgent } from 'undici'
import { TamisError } from '../errors.js'

/** In a row without a byte gained. */
const TRIES = 5
/** Longer than the hub's windows of limited rates. */
const LONGEST_PAUSE_MS = 300_000
const SILENCE_MS = 60_000
const MOST_REDIRECTS = 10
const REDIRECTS = [301, 302, 303, 307, 308]
/** The longest list of a model's files that is read. */
const MAX_JSON = 2 ** 26
/** Codes of failures that the next try would meet again: certificates, and answers that are no HTTP. */
const LASTING = /CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO|INVALID_ARG|HPE_/

/** What a file's headers tell of it. */
export interface Entity {
  /** The SHA-256 of the content, or the SHA-1 that git has for it. */
  etag: string
  size: number
}

/** The answer at the end of the redirects. */
interface Reply {
  status: number
  headers: Dispatcher.ResponseData['headers']
  body: Dispatcher.ResponseData['body']
  /** Of the file, as the hub's own host tells them. */
  etag: string | undefined
  size: string | undefined
}

/** A failure after which the same request may succeed. */
export class Transient extends Error {
  readonly pause: number | undefined

  constructor(message: string, options?: ErrorOptions & { pause?: number | undefined }) {
    super(message, options)
    this.pause = options?.pause
  }
}

/** A hub that was asked too often in vain. */
export class Unreachable extends TamisError {}

/** Waits, times the environment's `TAMIS_HUB_PAUSE`: tests set it to 0. */
export async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await wait(milliseconds * Number(process.env.TAMIS_HUB_PAUSE ?? 1), undefined, { signal })
}

/** One call's connections to a hub. */
export class HubClient {
  readonly endpoint: string
  readonly signal: AbortSignal | undefined
  readonly #token: string | undefined
  #agent: EnvHttpProxyAgent | undefined

  constructor(endpoint: string, token: string | undefined, signal: AbortSignal | undefined) {
    this.endpoint = endpoint
    this.signal = signal
    this.#token = token
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await this.#agent?.destroy()
  }

  /** The JSON at a path of the hub. */
  async json(path: string, refused: (status: number) => string, tries: number = TRIES) {
    return this.retry(
      path,
      async () => {
        const reply = await this.#follow('GET', path, {})
        await check(reply, refused)
        const text = await textOf(reply.body)
        try {
          return JSON.parse(text) as unknown
        } catch (cause) {
          throw new TamisError('ERR_TAMIS_FORMAT', `${this.endpoint}${path} does not answer with JSON`, {
            cause,
          })
        }
      },
      { tries },
    )
  }

  /** What the hub tells of the file at a path. */
  async head(path: string, refused: (status: number) => string): Promise<Entity> {
    return this.retry(path, async () => {
      const reply = await this.#follow('HEAD', path, {})
      await reply.body.dump()
      await check(reply, refused)
      const etag = /^(?:W\/)?"?([0-9a-f]{64}|[0-9a-f]{40})"?$/.exec(reply.etag ?? '')?.[1]
      const size = /^[0-9]{1,15}$/.test(reply.size ?? '') ? Number(reply.size) : undefined
      if (etag === undefined || size === undefined) {
        throw new TamisError(
          'ERR_TAMIS_FORMAT',
          `${this.endpoint}${path} comes without a hash (x-linked-etag, etag) or a size (x-linked-size, content-length)`,
        )
      }
      return { etag, size }
    })
  }

  /** The file at a path from byte `from` on, or, where the server will not, the whole of it. */
  async get(path: string, from: number, refused: (status: number) => string): Promise<Reply> {
    const reply = await this.#follow('GET', path, from > 0 ? { range: `bytes=${from}-` } : {})
    if (reply.status !== 416) await check(reply, refused)
    return reply
  }

  /**
   * Tries until it succeeds, fails for good, or fails `tries` times in a row without getting further.
   * @param how - `reached`: how far the attempts are, if they go on from each other
   */
  async retry<T>(
    path: string,
    attempt: () => Promise<T>,
    { tries = TRIES, reached = () => 0 }: { tries?: number; reached?: () => number } = {},
  ): Promise<T> {
    let best = reached()
    for (let failed = 1; ; failed++) {
      try {
        return await attempt()
      } catch (error) {
        this.signal?.throwIfAborted()
        if (error instanceof TamisError) throw error
        const { code = '', message } = error as { code?: string; message: string }
        if (reached() > best) [best, failed] = [reached(), 1]
        const asked = error instanceof Transient ? error.pause : undefined
        if (failed >= tries || LASTING.test(code) || (asked ?? 0) > LONGEST_PAUSE_MS) {
          const later = asked ? `, and wants to be asked again in ${Math.ceil(asked / 1000)} s` : ''
          throw new Unreachable(
            'ERR_TAMIS_IO',
            `${this.endpoint}${path} cannot be fetched (tried ${failed} times): ${message || code}${later}`,
            { cause: error },
          )
        }
        await pause(asked ?? 1000 * 2 ** (failed - 1), this.signal)
      }
    }
  }

  /** Sends a request and follows redirects by hand, since the token must not go along to another host. */
  async #follow(method: 'GET' | 'HEAD', path: string, headers: Record<string, string>): Promise<Reply> {
    this.signal?.throwIfAborted()
    const { request, EnvHttpProxyAgent } = await import('undici')
    this.#agent ??= new EnvHttpProxyAgent({
      // Proxies commonly tunnel to port 443 alone.
      proxyTunnel: false,
      headersTimeout: SILENCE_MS,
      bodyTimeout: SILENCE_MS,
    })
    const { origin: home } = new URL(this.endpoint)
    let url = new URL(`${this.endpoint}${path}`)
    let isHome = true
    let etag: string | undefined
    let size: string | undefined
    for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
      const authorization: Record<string, string> =
        isHome && this.#token ? { authorization: `Bearer ${this.#token}` } : {}
      const reply: Dispatcher.ResponseData = await request(url, {
        method,
        headers: { 'user-agent': 'tamis', 'accept-encoding': 'identity', ...headers, ...authorization },
        dispatcher: this.#agent,
        ...(this.signal && { signal: this.signal }),
      })
      const { statusCode: status, body } = reply
      const told = (name: string) => reply.headers[name]?.toString()
      const to = REDIRECTS.includes(status) ? told('location') : undefined
      etag ??= told('x-linked-etag')
      size ??= told('x-linked-size')
      // Another host's tag is of its own making; a redirect's length is that of its own text.
      if (isHome && to === undefined) etag ??= told('etag')
      if (to === undefined) size ??= told('content-length')
      if (to === undefined) return { status, headers: reply.headers, body, etag, size }
      const next: URL | undefined = URL.canParse(to, url.href) ? new URL(to, url) : undefined
      const isSafe = next?.protocol === 'https:' || (next?.protocol === 'http:' && url.protocol === 'http:')
      if (method === 'HEAD' && etag !== undefined && size !== undefined) {
        return { status: 200, headers: reply.headers, body, etag, size }
      }
      await body.dump()
      if (next === undefined || !isSafe) {
        throw new TamisError('ERR_TAMIS_IO', `${this.endpoint}${path} leads to what is not fetched`)
      }
      // Once it has left the hub it never bears the token again, even if it is led back.
      isHome &&= next.origin === home
      url = next
    }
    throw new TamisError('ERR_TAMIS_IO', `${this.endpoint}${path} leads in circles`)
  }
}

/** Throws what a status stands for, unless it is good. */
async function check(reply: Reply, refused: (status: number) => string): Promise<void> {
  const { status, headers, body } = reply
  if (status === 200 || status === 206) return
  await body.dump()
  if (status === 408 || status === 429 || status >= 500) {
    throw new Transient(`status ${status}`, { pause: pauseOf(headers['retry-after']?.toString()) })
  }
  throw new TamisError('ERR_TAMIS_IO', refused(status))
}

/** Milliseconds of a `Retry-After`: seconds, or a date. */
function pauseOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined
  const milliseconds = /^[0-9]+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now()
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds)
}

async function textOf(body: Reply['body']): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > MAX_JSON)
      throw new TamisError('ERR_TAMIS_FORMAT', 'the hub answers with more than a list of files')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
