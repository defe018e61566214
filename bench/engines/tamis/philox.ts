/**
 * Uniform float32 draws.
 *
 *   tsx bench/engines/tamis/philox.ts N
 * @module
 */
import { argv } from 'node:process'
import { kernels } from 'tamis'
import { digest, timed } from '../timing.js'

const n = Number(argv[2])
await timed(() => kernels.uniformSync(n, { seed: 7 }), { check: ({ data }) => digest(data) })
