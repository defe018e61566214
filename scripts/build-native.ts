/**
 * Builds the addon.
 *
 * `tsx scripts/build-native.ts [release|debug|failpoints]`
 *
 * - `release` (the default) and `debug` put it where the front looks first, into `npm/<platform>/`;
 * - `failpoints` is the addon that the crash tests stop at named points, in `.build/failpoints/tamis.node`.
 *
 * On glibc Linux a release is linked by Zig against an old glibc; where Zig cannot be had it is linked against this
 * machine's, which the build says. Cargo decides what has to be compiled again.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { platformName } from '../ts/platform.js'
import { main, must, root } from './command.js'
import { compareVersions, neededGlibc } from './elf.js'
import { crateNotices } from './notices.js'
import { OLDEST_GLIBC, zig } from './zig.js'

const platform = platformName()
const published = `${root}npm/${platform}/tamis.${platform}.node`
const RUST_ARCH: Partial<Record<NodeJS.Architecture, string>> = { x64: 'x86_64', arm64: 'aarch64' }

await main(async () => {
  const kind = process.argv[2] ?? 'release'
  if (kind === 'release') {
    const { library, glibc } = await buildRelease()
    install(library, published)
    await describePackage()
    report(glibc)
  } else if (kind === 'debug') {
    install(await cargo('build', []), published)
  } else if (kind === 'failpoints') {
    install(await cargo('build', ['--features', 'failpoints']), `${root}.build/failpoints/tamis.node`)
  } else {
    throw new Error(`${kind} is not a build: release, debug or failpoints is`)
  }
})

async function buildRelease(): Promise<{ library: string; glibc?: string }> {
  if (!platform.endsWith('-gnu')) return { library: await cargo('build', ['--release']) }
  const tools = await zig()
  if ('env' in tools) {
    const target = `${RUST_ARCH[process.arch] ?? process.arch}-unknown-linux-gnu.${OLDEST_GLIBC}`
    return {
      library: await cargo('zigbuild', ['--release', '--target', target], tools.env),
      glibc: OLDEST_GLIBC,
    }
  }
  console.warn(
    `Zig cannot be had here, so the addon is linked against this machine's glibc and may not run on older ones.\n${tools.missing}`,
  )
  return { library: await cargo('build', ['--release']) }
}

/** Builds the addon's crate and gives back the library's path. */
async function cargo(
  command: 'build' | 'zigbuild',
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  const messages = await must(
    'cargo',
    [command, '--locked', '-p', 'tamis-node', '--message-format', 'json-render-diagnostics', ...args],
    { env, show: 'errors' },
  )
  const library = messages
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { target?: { name: string; kind: string[] }; filenames?: string[] })
    .filter(({ target }) => target?.name === 'tamis_node' && target.kind.includes('cdylib'))
    .flatMap(({ filenames }) => filenames ?? [])
    .find((path) => /\.(so|dylib|dll)$/.test(path))
  if (library === undefined) throw new Error('cargo built no library of tamis-node')
  return library
}

/** Puts a library into its place, whole: a process may have the earlier one mapped. */
function install(library: string, place: string): void {
  if (existsSync(place) && readFileSync(place).equals(readFileSync(library))) return
  mkdirSync(dirname(place), { recursive: true })
  copyFileSync(library, `${place}.tmp`)
  renameSync(`${place}.tmp`, place)
}

/** What the platform's package carries beside the addon. */
async function describePackage(): Promise<void> {
  copyFileSync(`${root}LICENSE`, `${dirname(published)}/LICENSE`)
  writeFileSync(`${dirname(published)}/THIRD-PARTY-LICENSES`, await crateNotices())
}

function report(allowed: string | undefined): void {
  const file = readFileSync(published)
  const needed = platform.startsWith('linux-') ? neededGlibc(file) : undefined
  const size = `${(file.length / 2 ** 20).toFixed(1)} MiB`
  console.log(
    `${basename(published)}: ${size}${needed === undefined ? '' : `, needs glibc ${needed} or later`}`,
  )
  if (allowed !== undefined && needed !== undefined && compareVersions(needed, allowed) > 0)
    throw new Error(
      `${basename(published)} needs glibc ${needed}, but ${allowed} is the oldest that it has to run on`,
    )
}
