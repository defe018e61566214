/** The licence texts of the code that the published packages carry from elsewhere. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { root } from './command.js'
import { linkedCrates } from './crates.js'

const LICENCE_FILE = /^(licen[cs]e|unlicense|notice|copyright)/i

interface Carried {
  /** Name and version. */
  title: string
  /** An SPDX expression. */
  licence: string
  origin: string
  folder: string
}

interface Manifest {
  name: string
  version: string
  license: string
  repository?: string | { url: string }
}

/** The licence texts of the crates linked into the addon. */
export async function crateNotices(): Promise<string> {
  const carried = (await linkedCrates()).map(({ name, version, license, repository, manifest_path }) => ({
    title: `${name} ${version}`,
    licence: license ?? '',
    origin: repository ?? '',
    folder: dirname(manifest_path),
  }))
  return notices('The addon contains code of these crates.', carried)
}

/** The licence texts of npm packages bundled into `dist/`, given by their folders. */
export function packageNotices(folders: readonly string[]): string {
  const carried = folders.map((folder) => {
    const manifest = JSON.parse(readFileSync(`${root}${folder}/package.json`, 'utf8')) as Manifest
    const { name, version, license, repository } = manifest
    const origin = (typeof repository === 'object' ? repository.url : repository) ?? ''
    return { title: `${name} ${version}`, licence: license, origin, folder: `${root}${folder}` }
  })
  return notices('The code of these packages is bundled into this one.', carried)
}

/** One document: who is in it and under what, then each text once, with whom it is of. */
function notices(heading: string, carried: readonly Carried[]): string {
  const texts = new Map<string, { text: string; titles: Set<string> }>()
  for (const { title, folder } of carried) {
    for (const text of licenceTexts(folder)) {
      // The same licence is indented and wrapped in many ways.
      const words = text.replace(/\s+/g, ' ')
      const known = texts.get(words) ?? { text, titles: new Set() }
      known.titles.add(title)
      texts.set(words, known)
    }
  }
  return [
    heading,
    carried.map(({ title, licence, origin }) => `${title}: ${licence} ${origin}`.trimEnd()).join('\n'),
    ...[...texts.values()].map(
      ({ text, titles }) => `${'-'.repeat(80)}\n${[...titles].join(', ')}\n\n${text}`,
    ),
  ]
    .join('\n\n')
    .concat('\n')
}

/** The texts in a package's folder and in those just below, where a crate keeps a C library's. */
function licenceTexts(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true })
  const below = entries
    .filter((entry) => entry.isDirectory() && !['src', 'tests', 'node_modules'].includes(entry.name))
    .flatMap(({ name }) =>
      readdirSync(`${folder}/${name}`, { withFileTypes: true })
        .filter((entry) => entry.isFile() && LICENCE_FILE.test(entry.name))
        .map((entry) => `${folder}/${name}/${entry.name}`),
    )
  const here = entries
    .filter((entry) => entry.isFile() && LICENCE_FILE.test(entry.name))
    .map(({ name }) => `${folder}/${name}`)
  return [...here, ...below].sort().map((path) => readFileSync(path, 'utf8').trim())
}
