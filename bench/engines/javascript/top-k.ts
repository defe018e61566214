/**
 * The best of many in plain JavaScript: a heap of the best so far, the worst of them on top.
 *
 *   tsx bench/engines/javascript/top-k.ts N K
 * @module
 */
import { argv } from 'node:process'
import { digest, timed } from '../timing.js'
import { update } from '../update.js'

const [n, k] = [Number(argv[2]), Number(argv[3])]
const x = update(n)

function work(): { values: Float32Array; places: Uint32Array } {
  const values = x.slice(0, k)
  const places = Uint32Array.from({ length: k }, (_, i) => i)
  /** Puts an item where its children are better: larger, or as large and earlier. */
  const sift = (at: number): void => {
    const [value, place] = [values[at] as number, places[at] as number]
    let i = at
    for (;;) {
      let child = 2 * i + 1
      if (child >= k) break
      if (child + 1 < k) {
        const [left, right] = [values[child] as number, values[child + 1] as number]
        if (right < left || (right === left && (places[child + 1] as number) > (places[child] as number)))
          child++
      }
      const low = values[child] as number
      if (low > value || (low === value && (places[child] as number) < place)) break
      values[i] = low
      places[i] = places[child] as number
      i = child
    }
    values[i] = value
    places[i] = place
  }
  for (let i = (k >> 1) - 1; i >= 0; i--) sift(i)
  for (let i = k; i < n; i++) {
    const item = x[i] as number
    if (item <= (values[0] as number)) continue
    values[0] = item
    places[0] = i
    sift(0)
  }
  const order = Uint32Array.from({ length: k }, (_, i) => i)
  order.sort((a, b) => {
    const difference = (values[b] as number) - (values[a] as number)
    return difference !== 0 ? difference : (places[a] as number) - (places[b] as number)
  })
  return {
    values: Float32Array.from(order, (i) => values[i] as number),
    places: Uint32Array.from(order, (i) => places[i] as number),
  }
}

await timed(work, { repetitions: 2, check: ({ values }) => digest(values) })
