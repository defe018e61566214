/**
 * Checks the licences of every package and crate that is installed or linked, for development too: each must state
 * a licence expression that the list below satisfies.
 *
 * `tsx scripts/licences.ts`
 */
import { readFileSync } from 'node:fs'
import satisfies from 'spdx-satisfies'
import { main, root } from './command.js'
import { crates } from './crates.js'

const ALLOWED = [
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BSL-1.0',
  'CC-BY-3.0',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'PSF-2.0',
  'Unicode-3.0',
  'Unlicense',
  'Zlib',
]

interface Dependency {
  name: string
  version: string
  licence: string | undefined
}

/** Every package of the lock file, those of other platforms included. */
function packages(): Dependency[] {
  const lock = JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8')) as {
    packages: Record<string, { version: string; license?: string }>
  }
  return Object.entries(lock.packages)
    .filter(([path]) => path !== '')
    .map(([path, { version, license }]) => ({
      name: path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length),
      version,
      licence: license,
    }))
}

/** Why a dependency's licence is not allowed; undefined where it is. */
function objection({ name, version, licence }: Dependency): string | undefined {
  if (!licence) return `${name} ${version} states no licence`
  try {
    // Old crates write a slash for OR.
    if (satisfies(licence.replaceAll('/', ' OR '), ALLOWED)) return undefined
  } catch {
    return `${name} ${version} states a licence that is no SPDX expression: ${licence}`
  }
  return `${name} ${version} is under ${licence}, which is not on the list`
}

await main(async () => {
  const dependencies: Dependency[] = [
    ...packages(),
    ...(await crates()).map(({ name, version, license }) => ({
      name,
      version,
      licence: license ?? undefined,
    })),
  ]
  const objections = dependencies.map(objection).filter((text) => text !== undefined)
  if (objections.length > 0) throw new Error(objections.join('\n'))
  console.log(`The licences of ${dependencies.length} packages and crates are on the list.`)
})
