/**
 * Rivals from npm, in a folder of their own: their installs ask for what the project's own must not.
 * @module
 */
import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'

const LIST = fileURLToPath(new URL('engines/javascript/packages.json', import.meta.url))
/** The packages are below its `node_modules`. */
const FOLDER = fileURLToPath(new URL('../.cache/npm-rivals/', import.meta.url))
/** The list that was installed last. */
const BROUGHT = `${FOLDER}brought.json`

/** Brings the packages of `engines/javascript/packages.json`, if the list has changed. */
export function setUpPackages(): void {
  if (existsSync(BROUGHT) && readFileSync(BROUGHT, 'utf8') === readFileSync(LIST, 'utf8')) return
  mkdirSync(FOLDER, { recursive: true })
  copyFileSync(LIST, `${FOLDER}package.json`)
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefix', FOLDER]
  execFileSync('npm', ['install', ...options], { stdio: ['ignore', 'ignore', 'inherit'] })
  copyFileSync(LIST, BROUGHT)
}

/** Name and version of what is there, and of Node.js. */
export function packageVersion(name: string): string {
  const manifest = readFileSync(`${FOLDER}node_modules/${name}/package.json`, 'utf8')
  return `${name} ${(JSON.parse(manifest) as { version: string }).version}, Node.js ${process.version}`
}

/** Imports a package that is there. */
export async function importPackage<T>(name: string): Promise<T> {
  return import(pathToFileURL(createRequire(FOLDER).resolve(name)).href) as Promise<T>
}
