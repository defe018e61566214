/**
 * Builds `dist/` from `ts/`: compiles, bundles what the report draws with, writes the CommonJS entries, and removes
 * what no source stands for.
 *
 * `tsx scripts/build-ts.ts`
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { build } from 'esbuild'
import { bin, main, must, root } from './command.js'
import { packageNotices } from './notices.js'

interface Manifest {
  exports: Record<string, string | { require: { types: string; default: string } }>
}

/** Modules that are bundled with all that they import, so that an install carries none of it. */
const BUNDLED = ['report/plot']
const NOTICES = resolve(root, 'dist/THIRD-PARTY-LICENSES')

await main(async () => {
  await must(bin('tsc'), ['-p', 'tsconfig.build.json'])
  const carried = await bundle()
  writeFileSync(NOTICES, packageNotices(carried))
  prune([NOTICES, ...writeEntries()])
})

/** Bundles in place; gives back the folders of the packages that went in. */
async function bundle(): Promise<string[]> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: BUNDLED.map((module) => `ts/${module}.ts`),
    outbase: 'ts',
    outdir: 'dist',
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    // What a document draws bitmaps with; it is optional and the report draws none.
    external: ['canvas'],
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  })
  const folders = Object.keys(metafile.inputs).flatMap(
    (path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? [],
  )
  return [...new Set(folders)].sort()
}

/** For each export a module that `require` finds, and its types. Node loads the ES module behind it. */
function writeEntries(): string[] {
  const { exports } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as Manifest
  return Object.values(exports).flatMap((entry) => {
    if (typeof entry === 'string') return []
    const { types, default: code } = entry.require
    const behind = `./${basename(code, '.cjs')}.js`
    writeFileSync(resolve(root, code), `module.exports = require('${behind}')\n`)
    writeFileSync(resolve(root, types), `export * from '${behind}'\n`)
    return [resolve(root, code), resolve(root, types)]
  })
}

function prune(kept: readonly string[]): void {
  const compiled = files(`${root}ts`).flatMap((source) => {
    const output = source.replace(join(root, 'ts'), join(root, 'dist')).replace(/\.ts$/, '')
    return [`${output}.js`, `${output}.d.ts`]
  })
  const wanted = new Set([...kept, ...compiled])
  for (const path of files(`${root}dist`)) if (!wanted.has(path)) rmSync(path)
}

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => resolve(entry.parentPath, entry.name))
}
