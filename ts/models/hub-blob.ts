/**
 * One file's content from the hub into the cache: resumed, checked, and in its place when whole.
 * @hidden
 * @module
 */
import { createHash } from 'node:crypto'
import { constants, createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { TamisError } from '../errors.js'
import { sizeOf } from './hub-cache.js'
import { type Entity, type HubClient, Transient } from './hub-http.js'
import { takeLock } from './hub-lock.js'

/** A file to fetch. */
export interface Wanted extends Entity {
  /** As people know it. */
  name: string
  /** Of the hub. */
  path: string
  /** Where it goes. */
  blob: string
  lock: string
  refused: (status: number) => string
}

/** Fetches a blob unless it is there; `told` hears how many of its bytes are. */
export async function fetchBlob(
  client: HubClient,
  wanted: Wanted,
  told: (bytes: number) => void,
): Promise<void> {
  const { blob, lock, size, etag, name } = wanted
  if ((await sizeOf(blob)) === size) return told(size)
  const unlock = await takeLock(lock, client.signal)
  try {
    // Whoever held the lock before may have fetched it.
    if ((await sizeOf(blob)) === size) return told(size)
    // Not `ETAG.incomplete`: earlier versions of huggingface_hub append to that, whoever else writes.
    const part = `${blob}.tamis.incomplete`
    await mkdir(dirname(part), { recursive: true })
    for (let again = false; ; again = true) {
      await transfer(client, wanted, part, told)
      const hash = await hashOf(part, etag, client.signal)
      if (hash === etag) break
      await rm(part, { force: true })
      if (again) {
        throw new TamisError(
          'ERR_TAMIS_FORMAT',
          `${name} is damaged, fetched twice: its hash must be ${etag}, got ${hash}`,
        )
      }
    }
    await rename(part, blob)
  } finally {
    await unlock()
  }
}

/** Makes `part` as long as the file is to be, from where it is. */
async function transfer(
  client: HubClient,
  { name, path, size, refused }: Wanted,
  part: string,
  told: (bytes: number) => void,
): Promise<void> {
  const file = await open(part, constants.O_RDWR | constants.O_CREAT)
  try {
    let at = (await file.stat()).size
    if (at > size) {
      await file.truncate(0)
      at = 0
    }
    const attempt = async () => {
      if (at === size) return
      const { status, headers, body } = await client.get(path, at, refused)
      const from = /^bytes (\d+)-/.exec(headers['content-range']?.toString() ?? '')?.[1]
      // From the start, over what is there: it is never cut, since another may have given it its name.
      if (status === 200) at = 0
      else if (status !== 206 || Number(from) !== at) {
        await body.dump()
        at = 0
        throw new Transient(`the server sends another part than it was asked for (status ${status})`)
      }
      for await (const chunk of body as AsyncIterable<Buffer>) {
        if (at + chunk.length > size) {
          throw new TamisError('ERR_TAMIS_FORMAT', `${name} must have ${size} bytes, got more`)
        }
        await write(file, part, chunk, at)
        at += chunk.length
        told(at)
      }
      if (at < size) throw new Transient(`the connection ended after ${at} of ${size} bytes`)
    }
    await client.retry(path, attempt, { reached: () => at })
    // Its name will say that it is whole: after a loss of power, too.
    await file.sync()
    told(size)
  } finally {
    await file.close()
  }
}

async function write(file: FileHandle, path: string, chunk: Buffer, at: number): Promise<void> {
  try {
    for (let done = 0; done < chunk.length; ) {
      const { bytesWritten } = await file.write(chunk, done, chunk.length - done, at + done)
      done += bytesWritten
    }
  } catch (cause) {
    // A disk's failure is not the network's: it is not tried again.
    throw new TamisError('ERR_TAMIS_IO', `${path} cannot be written: ${(cause as Error).message}`, { cause })
  }
}

/** The hash of a file of the kind that an etag is: SHA-256, or the SHA-1 that git has for a blob. */
async function hashOf(path: string, etag: string, signal: AbortSignal | undefined): Promise<string> {
  const isGit = etag.length === 40
  const hash = createHash(isGit ? 'sha1' : 'sha256')
  if (isGit) hash.update(`blob ${await sizeOf(path)}\0`)
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20, signal })) hash.update(chunk)
  return hash.digest('hex')
}
