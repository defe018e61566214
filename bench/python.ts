/**
 * Python environments of the rivals: one for each `engines/python/requirements-NAME.txt`.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Command } from './bench.js'

const PROGRAMS = fileURLToPath(new URL('engines/python/', import.meta.url))
const CACHE = fileURLToPath(new URL('../.cache/', import.meta.url))

/** An environment with the packages of `requirements-NAME.txt`. */
export interface PythonEnvironment {
  python: string
  /** Makes it, and brings the packages when the list has changed. */
  setUp(): void
  /** Versions of these packages, and of Python. */
  version(...packages: string[]): string
  /** Runs `engines/python/PROGRAM` with numeric libraries on so many threads. */
  command(program: string, args: readonly string[], threads: number, env?: Record<string, string>): Command
}

/**
 * The environment of a list; packages `alone` are brought without what they ask for, where they ask for far more than what
 * is run needs.
 */
export function pythonEnvironment(name: string, alone: readonly string[] = []): PythonEnvironment {
  const folder = `${CACHE}venv-${name}`
  const python = `${folder}/bin/python`
  const list = `${PROGRAMS}requirements-${name}.txt`
  const brought = `${folder}/brought.txt`
  return {
    python,
    setUp() {
      const wanted = readFileSync(list, 'utf8') + alone.join('\n')
      if (existsSync(brought) && readFileSync(brought, 'utf8') === wanted) return
      if (!existsSync(python)) execFileSync('python3', ['-m', 'venv', folder], { stdio: 'inherit' })
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
      execFileSync(python, [...pip, '-r', list], { stdio: 'inherit' })
      if (alone.length > 0) execFileSync(python, [...pip, '--no-deps', ...alone], { stdio: 'inherit' })
      writeFileSync(brought, wanted)
    },
    version(...packages) {
      const code =
        'import platform, sys; from importlib.metadata import version as v; ' +
        'print(", ".join([f"{p} {v(p)}" for p in sys.argv[1:]] + [f"Python {platform.python_version()}"]))'
      return execFileSync(python, ['-c', code, ...packages], { encoding: 'utf8' }).trim()
    },
    command: (program, args, threads, env = {}) => ({
      file: python,
      args: [`${PROGRAMS}${program}`, ...args],
      env: { ...threadLimits(threads), ...env },
    }),
  }
}

/** What the numeric libraries read for their number of threads. */
function threadLimits(threads: number): Record<string, string> {
  const names = ['OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS', 'NUMEXPR_NUM_THREADS']
  return Object.fromEntries(names.map((name) => [name, String(threads)]))
}

/**
 * The environment that gives an OpenBLAS in a wheel the kernels for this processor: by itself it takes some
 * processors with AVX-512 for older ones.
 */
export function tunedBlas(): Record<string, string> {
  const path = '/proc/cpuinfo'
  const flags = existsSync(path) ? (/^flags\s*:(.*)$/m.exec(readFileSync(path, 'utf8'))?.[1] ?? '') : ''
  const has = (...names: string[]): boolean => names.every((name) => ` ${flags} `.includes(` ${name} `))
  if (has('avx512f', 'avx512bw', 'avx512dq', 'avx512vl')) return { OPENBLAS_CORETYPE: 'SkylakeX' }
  return has('avx2', 'fma') ? { OPENBLAS_CORETYPE: 'Haswell' } : {}
}
