/**
 * Locks between processes, by files.
 *
 * A lock is a file that its holder alone has created (`wx`), with its machine and process in it, and touches every few seconds. One
 * that was not touched for long, or whose process on this machine is gone, is stale and removed by who waits. Where two hold one all the same (a
 * laptop slept), what they write is the same bytes at the same places, and its hash is taken from the disk before it gets its name: this costs time
 * and harms nothing.
 *
 * `huggingface_hub` locks by `flock`, which Node.js lacks: tamis has names of its own for locks and unfinished files, so that neither
 * writes into what the other has open.
 * @hidden
 * @module
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { pause } from './hub-http.js'

const TOUCH_MS = 5_000
const STALE_MS = 60_000
const POLL_MS = 100

/** Waits for a lock and takes it; what is returned gives it back. */
export async function takeLock(path: string, signal: AbortSignal | undefined): Promise<() => Promise<void>> {
  const mark = JSON.stringify({ host: hostname(), pid: process.pid, id: randomUUID() })
  await mkdir(dirname(path), { recursive: true })
  while (!(await create(path, mark))) {
    if (!(await isStale(path)) || !(await removeStale(path, mark))) await pause(POLL_MS, signal)
    signal?.throwIfAborted()
  }
  const touch = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {})
  }, TOUCH_MS)
  touch.unref()
  return async () => {
    clearInterval(touch)
    // One that was taken for stale meanwhile is another's now.
    if ((await contents(path)) === mark) await rm(path, { force: true })
  }
}

async function create(path: string, mark: string): Promise<boolean> {
  try {
    await writeFile(path, mark, { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as { code?: string }).code === 'EEXIST') return false
    throw error
  }
}

async function isStale(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) return false
  if (Date.now() - found.mtimeMs > STALE_MS) return true
  const { host, pid } = parsed(await contents(path))
  return host === hostname() && typeof pid === 'number' && !isAlive(pid)
}

function contents(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '')
}

/** Removes a stale lock, one process at a time, so that none takes the lock of who was faster for the stale one; whether it was this one's turn. */
async function removeStale(path: string, mark: string): Promise<boolean> {
  const turn = `${path}.stale`
  if (!(await create(turn, mark))) {
    if (await isStale(turn)) await rm(turn, { force: true })
    return false
  }
  if (await isStale(path)) await rm(path, { force: true })
  await rm(turn, { force: true })
  return true
}

/** What a lock says of its holder: nothing, in the moment before it is written. */
function parsed(text: string): { host?: unknown; pid?: unknown } {
  try {
    return (JSON.parse(text) ?? {}) as { host?: unknown; pid?: unknown }
  } catch {
    return {}
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // A process of another user may not be asked, but is there.
    return (error as { code?: string }).code !== 'ESRCH'
  }
}
