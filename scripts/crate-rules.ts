/** The rule of the house for crates/, checked by machine. */
import { crates } from './crates.js'

/** What each crate may depend on among its own: node -> nn, gpu, store -> kernels, and nothing else but nn -> store, whose files models are. */
const MAY_DEPEND_ON: Record<string, readonly string[]> = {
  'tamis-kernels': [],
  'tamis-gpu': ['tamis-kernels'],
  'tamis-store': ['tamis-kernels'],
  'tamis-nn': ['tamis-kernels', 'tamis-store'],
  'tamis-node': ['tamis-kernels', 'tamis-gpu', 'tamis-store', 'tamis-nn'],
}

/** What crates below the bindings must never reach: they know nothing of JavaScript. */
const OF_JAVASCRIPT = /^napi(-|$)/

/** Whether the workspace's crates depend on each other only as they may; prints where not. */
export async function checkCrates(): Promise<boolean> {
  const own = (await crates()).filter(({ source }) => source === null)
  const objections = own.flatMap(({ name, dependencies }) => {
    const allowed = MAY_DEPEND_ON[name]
    if (allowed === undefined) return [`${name} has no place in scripts/crate-rules.ts`]
    return dependencies.flatMap((dependency) => {
      if (dependency.name.startsWith('tamis-') && !allowed.includes(dependency.name))
        return [`${name} must not depend on ${dependency.name}`]
      if (name !== 'tamis-node' && OF_JAVASCRIPT.test(dependency.name))
        return [`${name} must not depend on ${dependency.name}: only tamis-node knows JavaScript`]
      return []
    })
  })
  for (const objection of objections) console.error(objection)
  if (objections.length === 0) console.log(`${own.length} crates depend one way.`)
  return objections.length === 0
}
