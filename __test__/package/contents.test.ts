import { readFileSync, rmSync } from 'node:fs'
import test from 'ava'
import { compareVersions, neededGlibc } from '../../scripts/elf.js'
import { OLDEST_GLIBC, zigIsInstalled } from '../../scripts/zig.js'
import { addon, packAll, platform } from './packed.js'
import { packedManifest, readPacked } from './registry.js'

const packages = await packAll()
test.after.always(() => rmSync(packages.folder, { recursive: true, force: true }))

const mebibytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(2)} MiB`

test('the main package has the built front, its licences and its readme, and nothing else', (t) => {
  const { files, size, unpackedSize } = packages.main
  const paths = files.map(({ path }) => path)
  t.log(`${mebibytes(size)} packed, ${mebibytes(unpackedSize)} unpacked, ${files.length} files`)
  for (const wanted of [
    'package.json',
    'LICENSE',
    'README.md',
    'dist/THIRD-PARTY-LICENSES',
    'dist/cli/main.js',
  ])
    t.true(paths.includes(wanted), wanted)
  const strange = paths.filter(
    (path) =>
      !['package.json', 'LICENSE', 'README.md', 'dist/THIRD-PARTY-LICENSES'].includes(path) &&
      !/^dist\/.*(?<!test)\.(js|cjs|d\.ts|d\.cts)$/.test(path),
  )
  t.deepEqual(strange, [])
})

test('every export and the command lead to a packed file', (t) => {
  const paths = packages.main.files.map(({ path }) => `./${path}`)
  const leaves = (value: unknown): string[] =>
    typeof value === 'string' ? [value] : Object.values(value as object).flatMap(leaves)
  const manifest = packedManifest(packages.tarball(packages.main))
  const targets = [...leaves(manifest.exports), ...leaves(manifest.bin).map((path) => `./${path}`)]
  t.true(targets.length > 10)
  for (const target of targets) t.true(paths.includes(target), target)
})

test('the packed manifest names every platform and has nothing of development', (t) => {
  const manifest = packedManifest(packages.tarball(packages.main))
  t.deepEqual(
    manifest.optionalDependencies,
    Object.fromEntries(packages.platforms.map(({ name, version }) => [name, version])),
  )
  for (const { name, version } of packages.platforms) t.is(version, manifest.version, name)
  for (const field of ['scripts', 'devDependencies', 'ava', 'napi']) t.false(field in manifest, field)
})

test("a platform's package has the addon and its licences, and installs nothing by script", (t) => {
  const packed = packages.platforms.find(({ name }) => name === `tamis-${platform}`)
  if (packed === undefined) return t.fail(`there is no package for ${platform}`)
  t.log(`${mebibytes(packed.size)} packed, ${mebibytes(packed.unpackedSize)} unpacked`)
  t.deepEqual(packed.files.map(({ path }) => path).sort(), [
    'LICENSE',
    'README.md',
    'THIRD-PARTY-LICENSES',
    'package.json',
    `tamis.${platform}.node`,
  ])
  const manifest = packedManifest(packages.tarball(packed))
  t.is(manifest.main, `tamis.${platform}.node`)
  t.deepEqual(manifest.os, [process.platform])
  t.deepEqual(manifest.cpu, [process.arch])
  t.false('scripts' in manifest)
  t.regex(readPacked(packages.tarball(packed), 'THIRD-PARTY-LICENSES'), /^arrow-array .*Apache-2\.0/m)
})

test('no packed script points at a source map or a path of the machine that built it', (t) => {
  const folder = process.cwd()
  for (const { path } of packages.main.files.filter(({ path }) => path.endsWith('js'))) {
    const text = readPacked(packages.tarball(packages.main), path)
    t.notRegex(text, /^\/\/# sourceMappingURL/m, path)
    t.false(text.includes(folder), path)
  }
})

const glibc = platform.endsWith('-gnu') ? test : test.skip
glibc(`the addon needs no glibc later than ${OLDEST_GLIBC}`, (t) => {
  const file = readFileSync(addon)
  const needed = neededGlibc(file) ?? ''
  t.log(`${mebibytes(file.length)}, needs glibc ${needed}`)
  if (zigIsInstalled()) t.true(compareVersions(needed, OLDEST_GLIBC) <= 0, `it needs glibc ${needed}`)
  else t.pass(`linked against this machine's glibc, since Zig cannot be had here: it needs ${needed}`)
})
