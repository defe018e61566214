/** What lies in a folder after a run, complete or not. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join, relative } from 'node:path'

/** What lies where the output goes, if it is complete: its manifest's word, checked; what differs from run to run left out. */
export async function complete(dir: string, out: string): Promise<string | undefined> {
  const manifest = await readFile(
    extname(out) === '' ? join(dir, out, 'manifest.json') : join(dir, `${out}.manifest.json`),
    'utf8',
  ).catch(() => undefined)
  if (manifest === undefined) return undefined
  const { startedAt: _, seconds: __, ...said } = JSON.parse(manifest)
  for (const { path, sha256, bytes } of said.outputs) {
    const file = await readFile(path)
    const hash = createHash('sha256').update(file).digest('hex')
    // Those of weights say no hash.
    if (file.length !== bytes || (sha256 !== undefined && sha256 !== hash)) return 'damaged'
  }
  return JSON.stringify(said)
}

/** Everything in a folder but the hidden, with a digest of each file that is no manifest. */
export async function contents(dir: string): Promise<Record<string, string>> {
  const all: Record<string, string> = {}
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const name = relative(dir, path)
    if (entry.isDirectory()) continue
    all[name] = name.endsWith('manifest.json')
      ? 'manifest'
      : createHash('sha256')
          .update(await readFile(path))
          .digest('hex')
  }
  return all
}
