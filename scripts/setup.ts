/**
 * What the tests need beyond npm's and cargo's packages: a browser for the report's tests, and a second release of
 * Node.js for the package's. What cannot be had here is said, and the tests that want it say what they skip.
 *
 * `npm run setup`
 */
import { ensureChromium } from './chromium.js'
import { main } from './command.js'
import { ensureLaterNode } from './later-node.js'

await main(async () => {
  const chromium = await ensureChromium()
  console.log('path' in chromium ? `Chromium is at ${chromium.path}` : chromium.missing)
  const later = await ensureLaterNode()
  console.log('path' in later ? `Node.js ${later.version} is in .cache/` : later.missing)
})
