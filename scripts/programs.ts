/** Programs that the tests use besides what npm and cargo install. */
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { run } from './command.js'

/** The first of these programs that is there: names on the PATH, or absolute paths. */
export function findProgram(...names: string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return names
    .flatMap((name) => (isAbsolute(name) ? [name] : folders.map((folder) => join(folder, name))))
    .find(isProgram)
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

/** Installs Debian packages; gives back why that cannot be done here, or undefined where it is done. */
export async function installFromDebian(...packages: string[]): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'it is installed by itself only for root, on Debian'
  for (const step of [['update'], ['install', '--yes', '--no-install-recommends', ...packages]]) {
    const args = ['--quiet', '-o', 'Acquire::Retries=3', '-o', 'DPkg::Lock::Timeout=300', ...step]
    const { code, output } = await run('apt-get', args, {
      env: { DEBIAN_FRONTEND: 'noninteractive' },
      show: 'nothing',
    })
    if (code !== 0) return `apt-get ${step[0]} failed: ${output.trim().split('\n').at(-1)}`
  }
  return undefined
}
