import * as tamis from 'tamis'
import * as corpus from 'tamis/corpus'
import * as kernels from 'tamis/kernels'

const counts = await kernels.countNgrams(['alice went to the store'], { ngrams: 2 })
console.log(
  JSON.stringify({
    version: tamis.version,
    node: process.versions.node,
    sameRooms:
      tamis.kernels.countNgrams === kernels.countNgrams && tamis.corpus.klReduction === corpus.klReduction,
    counted: counts.data.reduce((sum, count) => sum + count, 0),
    unknownBuckets: await kernels.countNgrams([''], { buckets: 0 }).catch((error) => error.code),
  }),
)
