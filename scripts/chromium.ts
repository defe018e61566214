/**
 * The browser that the report's tests look with: one that is there, or the Debian package, installed where that is
 * allowed.
 */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { run } from './command.js'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']

/** A browser, or why there is none. */
export type Chromium = { path: string } | { missing: string }

/** A Chromium on the PATH, or at TAMIS_CHROMIUM. */
export function findChromium(): Chromium {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const candidates = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)))
  for (const path of [process.env.TAMIS_CHROMIUM ?? '', ...candidates]) if (isProgram(path)) return { path }
  return {
    missing: 'no Chromium: install the package chromium, or name a browser in TAMIS_CHROMIUM',
  }
}

/** Finds one, or installs it from the Debian packages. */
export async function ensureChromium(): Promise<Chromium> {
  const found = findChromium()
  if ('path' in found) return found
  if (process.getuid?.() !== 0) {
    return { missing: `${found.missing} (it is installed by itself only for root, on Debian)` }
  }
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  const steps = [['update'], ['install', '--yes', '--no-install-recommends', 'chromium', 'fonts-dejavu-core']]
  for (const step of steps) {
    const { code, output } = await run('apt-get', ['--quiet', ...step], { env, show: 'nothing' })
    const last = output.trim().split('\n').at(-1)
    if (code !== 0) return { missing: `no Chromium: apt-get ${step[0]} failed: ${last}` }
  }
  return findChromium()
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
