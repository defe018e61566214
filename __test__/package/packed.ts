/** The packages as they are published: packed once, from a copy of what packing reads. */
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { platformName } from '../../ts/platform.js'

export const repository = resolve(fileURLToPath(new URL('../..', import.meta.url)))
export const platform = platformName()
/** The addon that the platform's package has. */
export const addon = resolve(repository, 'npm', platform, `tamis.${platform}.node`)

export interface Packed {
  name: string
  version: string
  filename: string
  /** Bytes. */
  size: number
  unpackedSize: number
  files: { path: string; size: number }[]
}

export interface Packages {
  /** A temporary folder, for the test to use and remove. */
  folder: string
  main: Packed
  platforms: Packed[]
  /** What the main package needs at run time, all the way down. */
  dependencies: Packed[]
  tarball(packed: Packed): string
}

/** Runs a program to its end and gives back what it printed on standard output. */
export async function run(
  program: string,
  args: readonly string[],
  options: { cwd: string; env?: NodeJS.ProcessEnv },
): Promise<string> {
  const { stdout } = await promisify(execFile)(program, [...args], {
    ...options,
    maxBuffer: 2 ** 28,
    shell: process.platform === 'win32',
  })
  return stdout
}

/** This process's environment, without what the npm that runs the tests set in it. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)))
}

/** Packs the main package, every platform's, and the run-time dependencies. */
export async function packAll(): Promise<Packages> {
  for (const built of [addon, join(repository, 'dist', 'index.js')]) {
    if (!existsSync(built)) throw new Error(`${built} is not there: run npm run build first`)
  }
  const folder = mkdtempSync(join(tmpdir(), 'tamis-package-'))
  const source = join(folder, 'source')
  const tarballs = join(folder, 'tarballs')
  for (const path of [source, tarballs]) mkdirSync(path)
  for (const path of ['package.json', 'README.md', 'LICENSE', 'dist', 'npm', 'scripts'])
    cpSync(join(repository, path), join(source, path), { recursive: true })
  symlinkSync(join(repository, 'node_modules'), join(source, 'node_modules'), 'junction')

  const pack = async (...folders: string[]): Promise<Packed[]> => {
    const args = ['pack', ...folders, '--json', '--pack-destination', tarballs]
    const printed = await run('npm', args, { cwd: source, env: plainEnvironment() })
    // A build script of the package may print before it.
    const packed: Packed[] | Record<string, Packed> = JSON.parse(printed.slice(printed.search(/^[[{]/m)))
    return Object.values(packed)
  }
  const [main] = (await pack()) as [Packed]
  const platforms = await pack(...readdirSync(join(source, 'npm')).map((name) => `./npm/${name}`))
  return {
    folder,
    main,
    platforms,
    dependencies: await pack(...runtimeDependencies(), '--ignore-scripts'),
    tarball: ({ filename }) => join(tarballs, filename),
  }
}

/** The folders of what the main package needs at run time, all the way down. */
function runtimeDependencies(): string[] {
  const found = new Set<string>()
  const visit = (folder: string) => {
    const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      dependencies?: Record<string, string>
    }
    for (const name of Object.keys(dependencies)) {
      const dependency = resolveFrom(folder, name)
      if (found.has(dependency)) continue
      found.add(dependency)
      visit(dependency)
    }
  }
  visit(repository)
  return [...found]
}

/** The folder of a package that another one's code would find. */
function resolveFrom(folder: string, name: string): string {
  const candidate = join(folder, 'node_modules', name)
  if (existsSync(join(candidate, 'package.json'))) return candidate
  const parent = dirname(folder)
  if (parent === folder) throw new Error(`${name} is not installed`)
  return resolveFrom(parent, name)
}
