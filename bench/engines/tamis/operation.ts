/**
 * One operation on normal draws: the other side is `python/operation.py`.
 *
 *   tsx bench/engines/tamis/operation.ts OPERATION DRAWS
 * @module
 */
import { argv } from 'node:process'
import { kernels, type Tensor } from 'tamis'
import { readRows } from '../read-rows.js'
import { timed } from '../timing.js'

const [operation = '', path = ''] = argv.slice(2)
const draws = readRows(path)

/** A tensor of draws from `first` on. */
function float32(first: number, ...dims: number[]): Tensor<'float32'> {
  const n = dims.reduce((product, side) => product * side, 1)
  return { type: 'float32', dims, data: draws.subarray(first, first + n) }
}

function float64(first: number, ...dims: number[]): Tensor<'float64'> {
  return { type: 'float64', dims, data: Float64Array.from(float32(first, ...dims).data) }
}

/** A square matrix plus what lies across its diagonal; `shift` is added to that. */
function symmetric(n: number, shift: number): Tensor<'float64'> {
  const { data } = float64(0, n, n)
  const out = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) out[i * n + j] = (data[i * n + j] as number) + (data[j * n + i] as number)
    out[i * n + i] = (out[i * n + i] as number) + shift
  }
  return { type: 'float64', dims: [n, n], data: out }
}

type Numbers = Float32Array | Float64Array | Uint32Array | Uint8Array

/** What both sides must agree on, within a thousandth. */
function meanMagnitude(data: Numbers): number {
  let sum = 0
  for (const x of data) sum += Math.abs(x)
  return sum / data.length
}

/** An operation made ready: what is timed, and of its result what is compared. */
type Ready = () => () => { compared: Numbers }

const OPERATIONS: Record<string, Ready> = {
  assign() {
    const cost = float64(0, 1000, 1000)
    return () => {
      const { columns } = kernels.assignSync(cost)
      return {
        compared: Float64Array.from(columns.data, (column, row) => cost.data[row * 1000 + column] as number),
      }
    }
  },
  convolve() {
    const [x, weight] = [float32(0, 8, 32, 128, 128), float32(8 << 20, 32, 32, 3, 3)]
    return () => ({ compared: kernels.convolveSync(x, weight, { padding: 1 }).data as Numbers })
  },
  eigh() {
    const a = symmetric(1024, 0)
    return () => ({ compared: kernels.eighSync(a).values.data as Numbers })
  },
  'gumbel-top-k'() {
    const weights = float32(0, 10_000_000)
    return () => ({ compared: kernels.gumbelTopKSync(weights, { k: 1_000_000 }).keys.data as Numbers })
  },
  'least-squares'() {
    const [x, y] = [float64(0, 65_536, 64), float64(8 << 20, 65_536, 4)]
    return () => ({ compared: kernels.leastSquaresSync(x, y).data as Numbers })
  },
  normal() {
    return () => ({ compared: kernels.normalSync(1 << 24).data as Numbers })
  },
  pairwise() {
    const [x, y] = [float32(0, 4096, 384), float32(4 << 20, 4096, 384)]
    return () => ({ compared: kernels.pairwiseSync(x, y, { metric: 'euclidean' }).data as Numbers })
  },
  permutation() {
    return () => ({ compared: kernels.permutationSync(10_000_000).data })
  },
  quantize() {
    const x = float32(0, 4096, 4096)
    const options = { bits: 4, scheme: 'asymmetric', per: 'group', groupSize: 128 } as const
    return () => ({ compared: kernels.quantizeSync(x, options).codes.data as Numbers })
  },
  solve() {
    const [a, b] = [symmetric(1024, 200), float64(4 << 20, 1024, 64)]
    return () => ({ compared: kernels.solveSync(a, b).data as Numbers })
  },
  sparsify() {
    const x = float32(0, 4096, 4096)
    return () => ({ compared: kernels.sparsifySync(x, { pattern: [2, 4] }).values.data as Numbers })
  },
  svd() {
    const a = float64(0, 2048, 256)
    return () => ({ compared: kernels.svdSync(a).s.data as Numbers })
  },
  wavelet() {
    const image = float32(0, 4096, 4096)
    return () => {
      const { data } = kernels.wavelet2Sync(image, { wavelet: 'db4' })
      // The band of both averages comes first.
      return { compared: data.subarray(0, data.length / 4) as Numbers }
    }
  },
}

const ready = OPERATIONS[operation]
if (!ready) throw new Error(`no operation ${operation}`)
await timed(ready(), { check: ({ compared }) => meanMagnitude(compared) })
