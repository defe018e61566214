/** QEMU's user-mode emulator, which runs the addon as on a processor with fewer instructions than this one's. */
import { findProgram, installFromDebian } from './programs.js'

/** An emulator of x86-64 processors, or why there is none. */
export type Emulator = { path: string } | { missing: string }

/** The emulator on the PATH. */
export function findEmulator(): Emulator {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return { missing: 'no emulator: it is for Linux on x64' }
  const path = findProgram('qemu-x86_64')
  return path === undefined ? { missing: 'no emulator: install the package qemu-user' } : { path }
}

/** Finds it, or installs it from the Debian packages. */
export async function ensureEmulator(): Promise<Emulator> {
  const found = findEmulator()
  if ('path' in found || process.platform !== 'linux' || process.arch !== 'x64') return found
  const failure = await installFromDebian('qemu-user')
  return failure === undefined ? findEmulator() : { missing: `${found.missing} (${failure})` }
}
