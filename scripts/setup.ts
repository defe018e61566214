/**
 * What the tests need beyond npm's and cargo's packages: a browser for the report's, an emulator of older processors
 * and a later Node.js for the package's, and two small models for those of the models. What cannot be had here is
 * said, and the tests that want it say what they skip.
 *
 * `npm run setup`
 */
import { ensureChromium } from './chromium.js'
import { main } from './command.js'
import { ensureEmulator } from './emulator.js'
import { ensureLaterNode } from './later-node.js'
import { ensureMiniLm, ensureSmolLm } from './models.js'

await main(async () => {
  for (const ensure of [ensureChromium, ensureEmulator, ensureLaterNode, ensureMiniLm, ensureSmolLm]) {
    const found = await ensure()
    console.log('path' in found ? `found ${found.path}` : found.missing)
  }
})
