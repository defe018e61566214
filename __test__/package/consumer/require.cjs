const tamis = require('tamis')
const corpus = require('tamis/corpus')
const kernels = require('tamis/kernels')

const counts = kernels.countNgramsSync(['alice went to the store'], { ngrams: 2 })
let unknownBuckets
try {
  kernels.countNgramsSync([''], { buckets: 0 })
} catch (error) {
  unknownBuckets = error instanceof tamis.TamisError && error.code
}
console.log(
  JSON.stringify({
    version: tamis.version,
    node: process.versions.node,
    sameRooms:
      tamis.kernels.countNgrams === kernels.countNgrams && tamis.corpus.klReduction === corpus.klReduction,
    counted: counts.data.reduce((sum, count) => sum + count, 0),
    unknownBuckets,
  }),
)
