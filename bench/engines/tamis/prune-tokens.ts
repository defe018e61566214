/**
 * DivPrune, a request at a time.
 *
 *   tsx bench/engines/tamis/prune-tokens.ts TOKENS WIDTH KEEP
 * @module
 */
import { argv } from 'node:process'
import { vectors } from 'tamis'
import { latency } from '../latency.js'
import { digest } from '../timing.js'
import { tokens } from '../tokens.js'

const [n, width, keep] = argv.slice(2).map(Number) as [number, number, number]
const x = { type: 'float32' as const, dims: [n, width], data: tokens(n, width) }
latency(
  () => vectors.pruneTokens(x, { count: keep }),
  ({ order }) => digest(order),
)
