/** Runs the built command as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { documents, lines } from '../corpus/files/support.js'

export const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export interface Ended {
  /** Exit status; null where a signal ended it. */
  code: number | null
  stdout: string
  stderr: string
}

export interface Start {
  cwd?: string
  env?: NodeJS.ProcessEnv
  /** Standard input; it is closed behind the text. `open`: nothing comes and nothing ends. */
  stdin?: string | { open: true }
  /** A file that standard output goes to; it is then not given back. */
  stdout?: string
  /** A module's text that runs before the command. */
  preload?: string
  /** Is told of the process at once. */
  onStart?: (child: ChildProcess) => void
}

/** Runs `tamis WORDS...` to its end. */
export function tamis(words: readonly string[], start: Start = {}): Promise<Ended> {
  const before = start.preload
    ? ['--import', `data:text/javascript,${encodeURIComponent(start.preload)}`]
    : []
  const { TAMIS_DEBUG: _, NO_COLOR: __, FORCE_COLOR: ___, ...env } = process.env
  const file = start.stdout === undefined ? undefined : openSync(start.stdout, 'w')
  const child = spawn(process.execPath, [...before, MAIN, ...words], {
    cwd: start.cwd,
    env: { ...env, ...start.env },
    stdio: ['pipe', file ?? 'pipe', 'pipe'],
  }) as ChildProcess & { stdin: Writable; stderr: Readable }
  if (file !== undefined) closeSync(file)
  start.onStart?.(child)
  if (typeof start.stdin !== 'object') child.stdin.end(start.stdin ?? '')
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/** A pool of gardens and ledgers in two files, and a target of gardens: `raw/a.jsonl`, `raw/b.jsonl`, `target.jsonl`. */
export async function writeCorpus(folder: string, records = 200): Promise<void> {
  await mkdir(join(folder, 'raw'))
  await writeFile(join(folder, 'raw/a.jsonl'), `${lines(documents(records, 1)).join('\n')}\n`)
  await writeFile(join(folder, 'raw/b.jsonl'), `${lines(documents(records, 2)).join('\n')}\n`)
  await writeFile(join(folder, 'target.jsonl'), `${lines(documents(60, 3, 1)).join('\n')}\n`)
}

/** For `preload`: sends the process a signal when a line that begins so is told. */
export const signalWhen = (line: string, signal: string): string => `
  const write = process.stderr.write.bind(process.stderr)
  let sent = false
  process.stderr.write = (text, ...rest) => {
    if (!sent && String(text).startsWith('${line}')) {
      sent = true
      process.kill(process.pid, '${signal}')
    }
    return write(text, ...rest)
  }`
