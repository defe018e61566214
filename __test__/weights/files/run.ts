/** Calls in processes of their own, whose memory is measured and which may be killed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'

const CHILD = resolve(import.meta.dirname, 'child.mjs')

export interface Outcome {
  code: number | null
  signal: NodeJS.Signals | null
  /** What the call resolved to with `peak`, bytes of memory; or `code` and `message` of its error. */
  result: { peak?: number; code?: string; message?: string } & Record<string, unknown>
}

/** Runs one call in a process. */
export async function inProcess(
  spec: { call: string; args: unknown[]; threads?: number; abortIn?: string },
  env: Record<string, string> = {},
): Promise<Outcome> {
  const child = spawn(process.execPath, [CHILD, JSON.stringify(spec)], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const output = text(child.stdout)
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  const line = await output
  return { code, signal, result: line === '' ? {} : JSON.parse(line) }
}
