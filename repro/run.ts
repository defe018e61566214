/**
 * The headline of a paper, small.
 *
 *   npm run repro -- SHORT...    prints each one's numbers; exits with 1 if a condition does not hold
 * @module
 */
import { argv } from 'node:process'
import { reproduce as cfsp } from './cfsp.js'
import type { Conditions } from './check.js'
import { reproduce as colorFilter } from './color-filter.js'
import { reproduce as compeft } from './compeft.js'
import { reproduce as disgan } from './disgan.js'
import { reproduce as diversifyConquer } from './diversify-conquer.js'
import { reproduce as divprune } from './divprune.js'
import { reproduce as dsir } from './dsir.js'
import { reproduce as eora } from './eora.js'
import { reproduce as espcn } from './espcn.js'
import { reproduce as flap } from './flap.js'
import { reproduce as hesso } from './hesso.js'
import { reproduce as llmDrop } from './llm-drop.js'
import { reproduce as llmKick } from './llm-kick.js'
import { reproduce as lossReweight } from './loss-reweight.js'
import { reproduce as meaningfulDiversity } from './meaningful-diversity.js'
import { reproduce as pst } from './pst.js'
import { reproduce as rs2 } from './rs2.js'
import { reproduce as slimpajama } from './slimpajama.js'
import { reproduce as squash } from './squash.js'
import { reproduce as sslPrototypes } from './ssl-prototypes.js'
import { reproduce as tallMasks } from './tall-masks.js'
import { reproduce as ties } from './ties.js'
import { reproduce as zipFit } from './zip-fit.js'

const HEADLINES: Readonly<Record<string, () => Promise<Conditions>>> = {
  dsir,
  'diversify-conquer': diversifyConquer,
  'ssl-prototypes': sslPrototypes,
  compeft,
  ties,
  'tall-masks': tallMasks,
  flap,
  'llm-drop': llmDrop,
  cfsp,
  rs2,
  'loss-reweight': lossReweight,
  'color-filter': colorFilter,
  hesso,
  'llm-kick': llmKick,
  pst,
  'zip-fit': zipFit,
  divprune,
  'meaningful-diversity': meaningfulDiversity,
  slimpajama,
  squash,
  eora,
  espcn,
  disgan,
}

const names = argv.slice(2)
const unknown = names.filter((name) => !(name in HEADLINES))
if (names.length === 0 || unknown.length > 0) {
  console.error(`usage: npm run repro -- SHORT..., one of ${Object.keys(HEADLINES).join(', ')}`)
  process.exitCode = 2
} else {
  for (const name of names) {
    console.log(`${name}:`)
    const conditions = await (HEADLINES[name] as () => Promise<Conditions>)()
    if (!conditions.held) process.exitCode = 1
  }
}
