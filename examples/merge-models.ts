/**
 * Merges fine-tuned models of one base (TIES) on disk, and keeps each of them as a small compressed update beside it.
 *
 *   tsx examples/merge-models.ts BASE OUT MODEL...
 */
import { join } from 'node:path'
import { argv, exit } from 'node:process'
import { weights } from 'tamis'

const [base, out, ...models] = argv.slice(2)
if (!base || !out || models.length === 0) {
  console.error('usage: merge-models BASE OUT MODEL...')
  exit(2)
}

// A folder that loads wherever the base did: its shards, index, configuration and tokenizer.
const merged = await weights.mergeFiles(models, { base, out: join(out, 'merged'), density: 0.2 })
console.log(`${models.length} models, ${merged.tensors} tensors of ${merged.elements} numbers`)

// The signs of the largest 5 % of each update, from which the model comes back.
for (const [i, model] of models.entries()) {
  const update = join(out, `update-${i}.safetensors`)
  const { bytes, kept } = await weights.compressUpdateFiles(model, { base, out: update, density: 0.05 })
  await weights.expandUpdateFiles(update, { base, out: join(out, `restored-${i}`) })
  console.log(`model ${i}: ${kept} signs in ${bytes} bytes`)
}
