/**
 * cargo-zigbuild and Zig from PyPI, in a folder of the project's own: they link for the oldest glibc that the
 * published binaries support, whatever the build machine runs.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter } from 'node:path'
import { must, retry, root, run } from './command.js'

/** The oldest glibc that the published binaries run on: Debian 10, RHEL 8, Ubuntu 20.04 and later. */
export const OLDEST_GLIBC = '2.28'

const PACKAGES = ['cargo-zigbuild==0.24.1', 'ziglang==0.17.1']
const venv = `${root}.cache/venv-zig`
const stamp = `${venv}/installed.txt`

/** Whether they are installed in this checkout, and so releases are linked by Zig. */
export function zigIsInstalled(): boolean {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === PACKAGES.join('\n')
}

/** The environment that finds them, installing them first; or why they cannot be had. */
export async function zig(): Promise<{ env: NodeJS.ProcessEnv } | { missing: string }> {
  if (!zigIsInstalled()) {
    const reason = await install().then(
      () => undefined,
      (error: Error) => error.message,
    )
    if (reason !== undefined) return { missing: reason }
    writeFileSync(stamp, PACKAGES.join('\n'))
  }
  return { env: { PATH: `${venv}/bin${delimiter}${process.env.PATH}` } }
}

async function install(): Promise<void> {
  const python = (await run('python3', ['--version'], { show: 'nothing' })).code === 0 ? 'python3' : 'python'
  rmSync(venv, { recursive: true, force: true })
  await must(python, ['-m', 'venv', venv], { show: 'nothing' })
  console.log(`Installing ${PACKAGES.join(' and ')} into .cache/venv-zig`)
  await retry(3, () =>
    must(`${venv}/bin/python`, ['-m', 'pip', 'install', '--quiet', ...PACKAGES], { show: 'nothing' }),
  )
}
