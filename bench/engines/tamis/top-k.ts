/**
 * The best of many.
 *
 *   tsx bench/engines/tamis/top-k.ts N K
 * @module
 */
import { argv } from 'node:process'
import { kernels } from 'tamis'
import { digest, timed } from '../timing.js'
import { update } from '../update.js'

const [n, k] = [Number(argv[2]), Number(argv[3])]
const x = { type: 'float32' as const, dims: [n], data: update(n) }
await timed(() => kernels.topKSync(x, { k }), { check: ({ values }) => digest(values.data) })
