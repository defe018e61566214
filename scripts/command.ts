/** Running other programs, for the scripts beside this file. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's root, with a slash at its end. */
export const root = fileURLToPath(new URL('../', import.meta.url))

export interface Finished {
  /** The exit code; 1 where a signal ended it or it could not be started. */
  code: number
  stdout: string
  /** Both streams, in the order in which they came. */
  output: string
}

export interface RunOptions {
  env?: NodeJS.ProcessEnv
  cwd?: string
  /** What of its output is passed on as it comes: all (the default), the error stream alone, or nothing. */
  show?: 'all' | 'errors' | 'nothing'
}

/** Runs a program to its end and gives back what it printed; never throws for how it ended. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const { show = 'all' } = options
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? root,
      env: { ...process.env, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Windows starts what npm installs only through .cmd files, and those only through a shell.
      shell: process.platform === 'win32',
    })
    let stdout = ''
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk
      output += chunk
      if (show === 'all') process.stdout.write(chunk)
    })
    child.stderr.on('data', (chunk: Buffer) => {
      output += chunk
      if (show !== 'nothing') process.stderr.write(chunk)
    })
    child.on('error', (error) => resolve({ code: 1, stdout, output: `${output}${error.message}\n` }))
    child.on('close', (code) => resolve({ code: code ?? 1, stdout, output }))
  })
}

/** The same, where failing ends the script; gives back what it printed on standard output. */
export async function must(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { code, stdout, output } = await run(command, args, options)
  if (code === 0) return stdout
  const said = options.show === 'nothing' ? `:\n${output.trimEnd()}` : ''
  throw new Error(`${[command, ...args].join(' ')} failed with exit code ${code}${said}`)
}

/** Tries again what a network can make fail. */
export async function retry<T>(times: number, attempt: () => Promise<T>): Promise<T> {
  for (let left = times - 1; ; left--) {
    try {
      return await attempt()
    } catch (error) {
      if (left === 0) throw error
    }
  }
}

/** The program of an installed package. */
export function bin(name: string): string {
  return join(root, 'node_modules', '.bin', name)
}

/** Runs a script's main part: what it throws is printed as one line, and the exit code is 1. */
export async function main(body: () => Promise<unknown>): Promise<void> {
  try {
    await body()
  } catch (error) {
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}
