/** An npm registry on the loopback address, which has a few tarballs and nothing else. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename } from 'node:path'

export interface Manifest {
  name: string
  version: string
  [field: string]: unknown
}

export interface Registry {
  url: string
  /** What was asked for and is not there. */
  missing: string[]
  close(): void
}

/** The manifest inside a tarball. */
export function packedManifest(tarball: string): Manifest {
  return JSON.parse(readPacked(tarball, 'package.json'))
}

/** The text of a file inside a tarball. */
export function readPacked(tarball: string, file: string): string {
  return execFileSync('tar', ['-xzOf', tarball, `package/${file}`], { encoding: 'utf8', maxBuffer: 2 ** 28 })
}

/** Starts one that has these tarballs, a version of a package each. */
export async function startRegistry(tarballs: readonly string[]): Promise<Registry> {
  const packages = new Map<string, { manifest: Manifest; tarball: string }[]>()
  for (const tarball of tarballs) {
    const manifest = packedManifest(tarball)
    packages.set(manifest.name, [...(packages.get(manifest.name) ?? []), { manifest, tarball }])
  }
  const files = new Map(tarballs.map((tarball) => [`/-/${basename(tarball)}`, tarball]))
  const missing: string[] = []
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url ?? '', url).pathname)
    const file = files.get(path)
    const versions = packages.get(path.slice(1))
    if (file !== undefined) {
      response.end(readFileSync(file))
    } else if (versions !== undefined) {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(packument(versions)))
    } else {
      missing.push(`${request.method} ${path}`)
      response.statusCode = 404
      response.end('{}')
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const packument = (versions: { manifest: Manifest; tarball: string }[]) => ({
    name: versions[0]?.manifest.name,
    'dist-tags': { latest: versions.at(-1)?.manifest.version },
    versions: Object.fromEntries(
      versions.map(({ manifest, tarball }) => [
        manifest.version,
        {
          ...manifest,
          dist: {
            tarball: `${url}/-/${basename(tarball)}`,
            integrity: `sha512-${createHash('sha512').update(readFileSync(tarball)).digest('base64')}`,
          },
        },
      ]),
    ),
  })

  return {
    url,
    missing,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
