/** Calls in processes of their own, which may be killed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'

const CHILD = resolve(import.meta.dirname, 'child.mjs')

/** The addon whose writes can be made to fail; the build puts it there. */
export const FAILPOINTS = resolve('.build/failpoints/tamis.node')

export function needFailpoints(): void {
  if (!existsSync(FAILPOINTS)) {
    throw new Error(`${join('.build', 'failpoints', 'tamis.node')} is missing: npm run build:failpoints`)
  }
}

export interface Outcome {
  code: number | null
  signal: NodeJS.Signals | null
  /** What the call resolved to, or `code` and `message` of its error. */
  result: Record<string, unknown>
}

/** Runs one call in a process. */
export async function inProcess(
  spec: { call?: string; args: unknown[]; threads?: number; abort?: boolean },
  options: {
    env?: Record<string, string> /** Null: standard input stays open. */
    input?: Uint8Array | string | null
  } = {},
): Promise<Outcome> {
  const child = spawn(process.execPath, [CHILD, JSON.stringify(spec)], {
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.stdin.on('error', () => {})
  if (options.input !== null) child.stdin.end(options.input ?? '')
  const output = text(child.stdout)
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  const line = await output
  return { code, signal, result: line === '' ? {} : JSON.parse(line) }
}

/** One call in a process with the failpoints addon. */
export async function withFailpoint(
  args: unknown[],
  failpoint: string | undefined,
  env: Record<string, string> = {},
  call?: string,
): Promise<Outcome> {
  return inProcess(
    { ...(call !== undefined && { call }), args },
    {
      env: {
        TAMIS_NATIVE: FAILPOINTS,
        ...(failpoint !== undefined && { TAMIS_FAILPOINT: failpoint }),
        ...env,
      },
    },
  )
}
