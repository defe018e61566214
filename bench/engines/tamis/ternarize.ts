/**
 * An update made ternary and written.
 *
 *   tsx bench/engines/tamis/ternarize.ts N FILE
 * @module
 */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { argv } from 'node:process'
import { kernels, weights } from 'tamis'
import { timed } from '../timing.js'
import { update } from '../update.js'

const [n, path] = [Number(argv[2]), `${argv[3]}-tamis`]
const x = { type: 'float32' as const, dims: [n], data: update(n) }

await timed(
  () => {
    const started = performance.now()
    const t = kernels.ternarizeSync(x, { density: 0.05 })
    const signs = (performance.now() - started) / 1000
    const file = weights.writeTernary({ x: t })
    const out = openSync(path, 'w')
    for (let at = 0; at < file.length; ) at += writeSync(out, file, at, Math.min(file.length - at, 2 ** 30))
    fsyncSync(out)
    closeSync(out)
    return { scale: t.scale, signs, bytes: file.length }
  },
  {
    repetitions: 3,
    check: ({ scale }) => scale,
    limited: ({ signs }) => signs,
    notes: ({ signs, bytes }) => ({ signs: signs.toFixed(2), bytes }),
  },
)
