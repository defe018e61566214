/**
 * The authors' own package, from PyPI, in a virtual environment of its own.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Engine } from '../bench.js'

const program = fileURLToPath(new URL('data-selection/dsir.py', import.meta.url))
const requirements = fileURLToPath(new URL('data-selection/requirements.txt', import.meta.url))
const environment = fileURLToPath(new URL('../../.cache/venv-data-selection', import.meta.url))
const python = `${environment}/bin/python`

export const engines: Engine[] = [
  {
    name: 'data-selection',
    about: "the authors' package, HashedNgramDSIR as its README shows it",
    version() {
      const code =
        'import platform; from importlib.metadata import version as v; ' +
        "print(f\"data-selection {v('data-selection')}, nltk {v('nltk')}, Python {platform.python_version()}\")"
      return execFileSync(python, ['-c', code], { encoding: 'utf8' }).trim()
    },
    setUp() {
      if (!existsSync(python)) execFileSync('python3', ['-m', 'venv', environment], { stdio: 'inherit' })
      const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]
      execFileSync(python, pip, { stdio: 'inherit' })
    },
    threads: [1],
    megabytes: 10,
    sameNoise: false,
    clock: 'job',
    dsir: (_job, jobFile) => ({ file: python, args: [program, jobFile] }),
  },
]
