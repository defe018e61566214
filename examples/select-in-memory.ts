/**
 * Chooses from texts in memory: the three that read most like the sample.
 *
 *   tsx examples/select-in-memory.ts
 */
import { corpus } from 'tamis'

const pool = [
  'The committee meets on Monday to approve the minutes and the budget for the coming year.',
  'Preheat the oven, whisk the eggs with the sugar, then fold in the flour and bake for forty minutes.',
  'A goroutine that blocks on a channel is parked until another goroutine sends to it.',
  'Simmer the onions in butter until soft, add the stock and the rice, and stir until it is creamy.',
  'The defendant appealed, arguing that the evidence had been obtained without a warrant.',
  'Rub the butter into the flour, add the sugar, press into a tin and bake until golden.',
]
const sample = [
  'Melt the butter, stir in the flour, add the milk and simmer until the sauce is thick.',
  'Beat the eggs and the sugar, add the butter and the flour, and bake until golden.',
]

const { indices, logWeights } = await corpus.selectByImportance(pool, sample, {
  count: 3,
  minTokens: 5, // these texts are short; the default is 100
  method: 'topK', // the highest weights; without it they are drawn in proportion to the weight
})
for (const i of indices.data as Uint32Array) {
  console.log(Number(logWeights.data[i]).toFixed(1), pool[i])
}
