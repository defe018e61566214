/** What `cargo metadata` says of the workspace's crates and what they depend on. */
import { must } from './command.js'

export interface Crate {
  id: string
  name: string
  version: string
  /** An SPDX expression. */
  license: string | null
  repository: string | null
  manifest_path: string
  /** Null for a crate of the workspace. */
  source: string | null
  targets: { kind: string[] }[]
  dependencies: { name: string; kind: 'dev' | 'build' | null }[]
}

interface Metadata {
  packages: Crate[]
  resolve: { nodes: { id: string; deps: { pkg: string; dep_kinds: { kind: string | null }[] }[] }[] }
}

async function metadata(...args: string[]): Promise<Metadata> {
  const flags = ['metadata', '--locked', '--format-version', '1', ...args]
  return JSON.parse(await must('cargo', flags, { show: 'nothing' }))
}

/** Every crate that any platform, test or build script needs, those of the workspace included. */
export async function crates(): Promise<Crate[]> {
  return (await metadata()).packages
}

/** The foreign crates whose code is in the addon that this machine builds, by name. */
export async function linkedCrates(): Promise<Crate[]> {
  const host = /^host: (.+)$/m.exec(await must('rustc', ['-vV'], { show: 'nothing' }))?.[1] ?? ''
  const { packages, resolve } = await metadata('--filter-platform', host)
  const crate = new Map(packages.map((one) => [one.id, one]))
  const needs = new Map(resolve.nodes.map(({ id, deps }) => [id, deps]))
  const seen = new Set<Crate>()
  const visit = (id: string) => {
    const one = crate.get(id)
    if (one === undefined || seen.has(one) || one.targets.some(({ kind }) => kind.includes('proc-macro')))
      return
    seen.add(one)
    for (const { pkg, dep_kinds } of needs.get(id) ?? [])
      if (dep_kinds.some(({ kind }) => kind === null)) visit(pkg)
  }
  visit(packages.find(({ name }) => name === 'tamis-node')?.id ?? '')
  return [...seen]
    .filter(({ source }) => source !== null)
    .sort((a, b) => (a.name === b.name ? a.version.localeCompare(b.version) : a.name < b.name ? -1 : 1))
}
