/**
 * Works through a corpus in parts, as several machines would: each part's n-grams are counted on their own, the counts
 * are merged, and one fit serves a selection from each part. The merged counts are those of one run over everything.
 *
 *   tsx examples/merge-counts.ts TARGET OUT PART...
 */
import { join } from 'node:path'
import { argv, exit } from 'node:process'
import { corpus } from 'tamis'

const [target, out, ...parts] = argv.slice(2)
if (!target || !out || parts.length === 0) {
  console.error('usage: merge-counts TARGET OUT PART...')
  exit(2)
}

// On each machine: count its part. The file is some tens of kilobytes, whatever the part's size.
const counted: string[] = []
for (const [i, part] of parts.entries()) {
  const file = join(out, `part-${i}.counts`)
  await corpus.countNgramFiles([part], { out: file, force: true })
  counted.push(file)
}

// Anywhere: merge them, and count the target once.
const rawCounts = join(out, 'raw.counts')
const merged = await corpus.mergeNgramCounts(counted, { out: rawCounts, force: true })
const targetCounts = join(out, 'target.counts')
await corpus.countNgramFiles([target], { out: targetCounts, force: true })
console.log(`${merged.records} records with ${merged.tokens} tokens in ${parts.length} parts`)

// On each machine again: one pass scores and writes, with the fit of the whole corpus.
for (const [i, part] of parts.entries()) {
  const { kept, candidates } = await corpus.selectFilesByImportance([part], [], {
    rawCounts,
    targetCounts: [targetCounts],
    fraction: 0.1,
    seed: i,
    out: join(out, `part-${i}.jsonl`),
    force: true,
  })
  console.log(`part ${i}: kept ${kept} of ${candidates} candidates`)
}
