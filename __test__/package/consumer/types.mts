import { corpus, kernels, TamisError, type Tensor } from 'tamis'
import type { selectByImportance } from 'tamis/corpus'
import { countNgrams } from 'tamis/kernels'

const counts: Tensor<'float64'> = await countNgrams(['a b'], { ngrams: 2 })
const same: typeof selectByImportance = corpus.selectByImportance
const rows = kernels.hashNgramsSync(['a b'])
// @ts-expect-error the option is a number
kernels.hashNgramsSync(['a b'], { ngrams: '2' })
console.log(counts.data.length, same, rows.tokens.data, new TamisError('ERR_TAMIS_RANGE', 'x').code)
