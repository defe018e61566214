/**
 * What the tests need beyond npm's and cargo's packages: a browser for the report's, and a second release of Node.js
 * for the package's. What cannot be had here is said, and the tests that want it say what they skip.
 *
 * `npm run setup`
 */
import { ensureChromium } from './chromium.js'
import { main } from './command.js'
import { ensureLaterNode } from './later-node.js'

await main(async () => {
  const [browser, node] = await Promise.all([ensureChromium(), ensureLaterNode()])
  console.log('path' in browser ? `The browser is ${browser.path}` : browser.missing)
  console.log('path' in node ? `Node.js ${node.version} is in .cache/` : node.missing)
})
