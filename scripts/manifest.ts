/**
 * The manifest that is packed, which is not the one that developers install from: it names the platforms' packages
 * as optional dependencies (of the same version, and published with it, so a lock file cannot have them), and has
 * nothing of development in it.
 *
 * `npm pack` runs `tsx scripts/manifest.ts pack` before and `tsx scripts/manifest.ts restore` after. What is published
 * is its tarball: `npm publish` of the folder would tell the registry the restored manifest.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { main, root } from './command.js'

interface Manifest {
  name: string
  version: string
  main: string
  optionalDependencies?: Record<string, string>
  [field: string]: unknown
}

const manifest = resolve(root, 'package.json')
const saved = resolve(root, '.build/package.json')
const OF_DEVELOPMENT = ['scripts', 'devDependencies', 'ava', 'napi']

await main(async () => {
  const action = process.argv[2]
  if (action === 'pack') pack()
  else if (action === 'restore') restore()
  else if (action === 'publish') throw new Error('publish the tarball that npm pack makes, not the folder')
  else throw new Error('tsx scripts/manifest.ts pack|restore|publish')
})

function pack(): void {
  // An earlier run that was stopped left the packed manifest.
  restore()
  const text = readFileSync(manifest, 'utf8')
  const packed = JSON.parse(text) as Manifest
  if (!existsSync(resolve(root, packed.main)))
    throw new Error('there is no dist/ to pack: run npm run build first')
  for (const field of OF_DEVELOPMENT) delete packed[field]
  packed.optionalDependencies = Object.fromEntries(
    platformPackages(packed.version).map((name) => [name, packed.version]),
  )
  mkdirSync(dirname(saved), { recursive: true })
  writeFileSync(saved, text)
  replace(`${JSON.stringify(packed, undefined, 2)}\n`)
}

function restore(): void {
  if (!existsSync(saved)) return
  replace(readFileSync(saved, 'utf8'))
  rmSync(saved)
}

function platformPackages(version: string): string[] {
  return readdirSync(resolve(root, 'npm')).map((platform) => {
    const one = JSON.parse(readFileSync(resolve(root, 'npm', platform, 'package.json'), 'utf8')) as Manifest
    if (one.version !== version)
      throw new Error(`${one.name} has version ${one.version}, not ${version}: run npx napi version`)
    return one.name
  })
}

/** Whole, since other processes find the package's modules by it. */
function replace(text: string): void {
  writeFileSync(`${manifest}.tmp`, text)
  renameSync(`${manifest}.tmp`, manifest)
}
