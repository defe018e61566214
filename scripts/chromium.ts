/**
 * The browser that the report's tests look with: one that is there, or the Debian package, installed where that is
 * allowed.
 */
import { findProgram, installFromDebian } from './programs.js'

/** A browser, or why there is none. */
export type Chromium = { path: string } | { missing: string }

/** A Chromium at TAMIS_CHROMIUM, or on the PATH. */
export function findChromium(): Chromium {
  const { TAMIS_CHROMIUM = '' } = process.env
  const path = findProgram(
    TAMIS_CHROMIUM,
    'chromium',
    'chromium-browser',
    'google-chrome-stable',
    'google-chrome',
  )
  if (path !== undefined) return { path }
  return { missing: 'no Chromium: install the package chromium, or name a browser in TAMIS_CHROMIUM' }
}

/** Finds one, or installs it from the Debian packages. */
export async function ensureChromium(): Promise<Chromium> {
  const found = findChromium()
  if ('path' in found) return found
  const failure = await installFromDebian('chromium', 'fonts-dejavu-core')
  return failure === undefined ? findChromium() : { missing: `${found.missing} (${failure})` }
}
