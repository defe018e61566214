import test from 'ava'
import { kernels, signals, type Tensor, tensor } from 'tamis'

const normal = (dims: number[], seed: number, dtype: 'float32' | 'float64' = 'float32'): Tensor => {
  const n = dims.reduce((a, b) => a * b, 1)
  return { ...kernels.normalSync(n, { seed, dtype }), dims }
}
const near = (got: Tensor, want: ArrayLike<number>, slack: number): boolean =>
  got.data.length === want.length &&
  Array.from(want).every((w, i) => Math.abs(Number(got.data[i]) - w) <= slack)

test('shuffles put channels where the definition says, and back', (t) => {
  const [n, c, r, h, w] = [2, 3, 2, 2, 5] as const
  const x = normal([n, c * r * r, h, w], 1)
  for (const order of ['crd', 'dcr'] as const) {
    const out = signals.pixelShuffle(x, { factor: r, order })
    t.deepEqual(out.dims, [n, c, r * h, r * w])
    for (const [at, got] of (out.data as Float32Array).entries()) {
      const [column, row] = [at % (r * w), Math.floor(at / (r * w)) % (r * h)] as const
      const channel = Math.floor(at / (r * w * r * h))
      const [item, k] = [Math.floor(channel / c), channel % c] as const
      const cell = (row % r) * r + (column % r)
      const from = order === 'crd' ? k * r * r + cell : cell * c + k
      const place = ((item * c * r * r + from) * h + Math.floor(row / r)) * w + Math.floor(column / r)
      t.is(got, x.data[place] as number)
    }
    t.deepEqual(signals.pixelUnshuffle(out, { factor: r, order }), x)
  }
  const volume = normal([1, 16, 2, 1, 3], 2)
  const large = signals.pixelShuffle(volume, { factor: 2 })
  t.deepEqual(large.dims, [1, 2, 4, 2, 6])
  t.deepEqual(signals.pixelUnshuffle(large, { factor: 2 }), volume)
})

test('shuffles of any type, of factor 1 and of nothing', (t) => {
  const half: Tensor = { type: 'float16', dims: [1, 4, 1, 1], data: Uint16Array.of(1, 2, 3, 4) }
  const cells = signals.pixelShuffle(half, { factor: 2 })
  t.deepEqual(cells, { type: 'float16', dims: [1, 1, 2, 2], data: Uint16Array.of(1, 2, 3, 4) })
  const big = tensor('int64', [1, 1, 2, 2], [5n, 6n, 7n, 8n])
  t.deepEqual(signals.pixelUnshuffle(big, { factor: 2 }).dims, [1, 4, 1, 1])
  const x = normal([1, 2, 3, 4], 3)
  t.deepEqual(signals.pixelShuffle(x, { factor: 1 }), x)
  for (const dims of [
    [0, 4, 2, 3],
    [2, 0, 2, 3],
    [2, 4, 0, 3],
  ]) {
    const [n, c, height, width] = dims as [number, number, number, number]
    const empty = signals.pixelShuffle(tensor('float32', dims, []), { factor: 2 })
    t.deepEqual(empty.dims, [n, c / 4, 2 * height, 2 * width])
  }
})

test('a size of its own is the image, a constant stays, and what is near is taken', async (t) => {
  const x = normal([2, 1, 5, 7], 4)
  t.deepEqual(await signals.resize(x, { height: 5, width: 7 }), x)
  const flat = tensor('float64', [1, 1, 3, 2], Array(6).fill(0.7))
  const large = await signals.resize(flat, { height: 8, width: 1 })
  t.is(large.type, 'float64')
  t.true(near(large, Array(8).fill(0.7), 1e-15))
  const row = tensor('float32', [1, 1, 1, 3], [1, 2, 3])
  const nearest = await signals.resize(row, { height: 2, width: 7, mode: 'nearest' })
  t.deepEqual([...nearest.data], [1, 1, 1, 2, 2, 3, 3, 1, 1, 1, 2, 2, 3, 3])
})

test('a bicubic row by hand, and NaN only where it reaches', async (t) => {
  // Doubled: weights at distances 0.25, 0.75, 1.25, 1.75.
  const w = [0.8671875, 0.2265625, -0.0703125, -0.0234375] as const
  const row = tensor('float64', [1, 1, 1, 6], [1, 5, 2, 8, 3, 4])
  const at = (await signals.resize(row, { height: 1, width: 12 })).data as Float64Array
  t.true(Math.abs((at[4] as number) - (2 * w[0] + 5 * w[1] + 8 * w[2] + 1 * w[3])) < 1e-12)
  const first = (1 * w[0] + 5 * w[2]) / (w[0] + w[2])
  t.true(Math.abs((at[0] as number) - first) < 1e-12)
  const hole = tensor('float32', [1, 1, 1, 9], [0, 0, 0, 0, NaN, 0, 0, 0, 0])
  const out = [...(await signals.resize(hole, { height: 1, width: 18 })).data]
  t.deepEqual(out.map(Number.isNaN).indexOf(true), 5)
  t.is(out.filter((v) => Number.isNaN(v)).length, 8)
})

type Net = Record<string, Tensor>
function network(sizes: [outputs: number, inputs: number, k: number][], seed: number): Net {
  return Object.fromEntries(
    sizes.flatMap(([o, i, k], l) => {
      const weight = normal([o, i, k, k], seed + l, 'float64')
      const data = (weight.data as Float64Array).map((x) => 0.4 * x)
      return [
        [`conv${l + 1}.weight`, { ...weight, data } as Tensor],
        [`conv${l + 1}.bias`, normal([o], seed + 50 + l, 'float64')],
      ]
    }),
  )
}

test('a network is its layers, one after the other', async (t) => {
  const image = normal([2, 2, 6, 5], 5, 'float64')
  const net = network(
    [
      [4, 2, 5],
      [3, 4, 3],
      [8, 3, 1],
    ],
    6,
  )
  for (const [activation, f] of [
    ['tanh', Math.tanh],
    ['relu', (x: number) => Math.max(0, x)],
    ['none', (x: number) => x],
  ] as const) {
    for (const outputActivation of ['none', 'sigmoid'] as const) {
      let want = image
      for (const l of [1, 2, 3]) {
        const [weight, bias] = [net[`conv${l}.weight`] as Tensor, net[`conv${l}.bias`] as Tensor]
        const next = kernels.convolveSync(want, weight, { bias, padding: 'same' })
        const last = outputActivation === 'none' ? (x: number) => x : (x: number) => 1 / (1 + Math.exp(-x))
        want = { ...next, data: (next.data as Float64Array).map(l < 3 ? f : last) } as Tensor
      }
      for (const order of ['crd', 'dcr'] as const) {
        const got = await signals.superResolve(image, net, { factor: 2, activation, outputActivation, order })
        t.deepEqual([got.type, got.dims], ['float64', [2, 2, 12, 10]])
        const shuffled = signals.pixelShuffle(want, { factor: 2, order })
        t.true(near(got, shuffled.data as Float64Array, 1e-12), `${activation} ${outputActivation}`)
        const single = await signals.superResolve(
          { type: 'float32', dims: image.dims, data: Float32Array.from(image.data as Float64Array) },
          Object.fromEntries(
            Object.entries(net).map(([name, { dims, data }]) => [
              name,
              { type: 'float32', dims, data: Float32Array.from(data as Float64Array) } as Tensor,
            ]),
          ),
          { factor: 2, activation, outputActivation, order },
        )
        t.is(single.type, 'float32')
        t.true(near(single, shuffled.data as Float64Array, 1e-4))
      }
    }
  }
})

test('gradients are those of the loss', (t) => {
  const image = normal([2, 1, 4, 3], 7, 'float64')
  const hr = normal([2, 2, 8, 6], 8, 'float64')
  const net = network(
    [
      [3, 1, 3],
      [8, 3, 3],
    ],
    9,
  )
  for (const order of ['crd', 'dcr'] as const) {
    const options = { factor: 2, outputActivation: 'sigmoid', order } as const
    const { loss, gradients } = signals.superResolveLoss(image, hr, net, options)
    t.deepEqual(Object.keys(gradients).sort(), Object.keys(net).sort())
    for (const [name, { dims, data }] of Object.entries(net)) {
      t.deepEqual(gradients[name]?.dims, dims)
      for (let i = 0; i < data.length; i += 7) {
        const at = (step: number) => {
          const moved = (data as Float64Array).slice()
          moved[i] = (moved[i] as number) + step
          const others = { ...net, [name]: { type: 'float64', dims, data: moved } as Tensor }
          return signals.superResolveLoss(image, hr, others, options).loss
        }
        const want = (at(1e-6) - at(-1e-6)) / 2e-6
        t.true(Math.abs(Number(gradients[name]?.data[i]) - want) < 1e-7 * (1 + Math.abs(want)), name)
      }
    }
    t.true(loss > 0)
  }
})

test('filters are found again, and their error is that of the network that they make', async (t) => {
  const lr = normal([3, 2, 12, 11], 10, 'float64')
  const net = network([[4, 2, 3]], 11)
  const hr = await signals.superResolve(lr, net, { factor: 2 })
  const { weights, mse } = await signals.fitSubPixel(lr, hr, { factor: 2, kernel: 3, ridge: 0 })
  t.true(mse < 1e-20)
  t.true(near(weights['conv1.weight'], net['conv1.weight']?.data as Float64Array, 1e-9))
  const other = normal([3, 1, 24, 22], 12)
  const fit = await signals.fitSubPixel(lr, other, { factor: 2 })
  t.deepEqual(fit.weights['conv1.weight'].dims, [4, 2, 5, 5])
  const { loss } = signals.superResolveLoss(lr, other, fit.weights, { factor: 2 })
  t.true(Math.abs(loss - fit.mse) < 1e-9)
})

test('NaN reaches what its layers see, and no more', async (t) => {
  const image = tensor('float32', [1, 1, 1, 9], [0, 0, 0, 0, NaN, 0, 0, 0, 0])
  const net = {
    'conv1.weight': tensor('float32', [1, 1, 3, 3], Array(9).fill(1)),
    'conv1.bias': tensor('float32', [1], [0]),
  }
  const out = [...(await signals.superResolve(image, net, { factor: 1 })).data].map(Number.isNaN)
  t.deepEqual(out, [false, false, false, true, true, true, false, false, false])
})

test('a signal stops, and other names are left alone', async (t) => {
  const image = normal([1, 1, 4, 4], 13)
  const net = { ...network([[4, 1, 3]], 14), 'head.weight': tensor('int8', [1], [1]) }
  t.deepEqual((await signals.superResolve(image, net, { factor: 2 })).dims, [1, 1, 8, 8])
  const stopped = signals.superResolve(image, net, { factor: 2, signal: AbortSignal.abort() })
  t.is((await t.throwsAsync(stopped))?.message, 'the operation was aborted')
})

const f = (dims: number[], fill = 1) =>
  tensor('float32', dims, Array(dims.reduce((a, b) => a * b, 1)).fill(fill))
const x = f([1, 1, 4, 4])
const one = { 'conv1.weight': f([4, 1, 3, 3]), 'conv1.bias': f([4]) }
const run = (weights: object, options: object = { factor: 2 }, image: Tensor = x) =>
  signals.superResolve(image, weights as Net, options as signals.SuperResolveOptions)
const size = (options: object, image: Tensor = x) => signals.resize(image, options as signals.ResizeOptions)
const wrong: [string, () => unknown, RegExp][] = [
  [
    'channels that are no cells',
    () => signals.pixelShuffle(f([1, 6, 2, 2]), { factor: 2 }),
    /divisible by 4/,
  ],
  ['channels of a volume', () => signals.pixelShuffle(f([1, 4, 2, 2, 2]), { factor: 2 }), /divisible by 8/],
  ['a side that is none', () => signals.pixelUnshuffle(f([1, 1, 4, 3]), { factor: 2 }), /divisible by 2/],
  ['factor 0', () => signals.pixelShuffle(x, { factor: 0 }), /^factor must be an integer/],
  ['a broken factor', () => signals.pixelUnshuffle(x, { factor: 1.5 }), /^factor must be/],
  ['no factor', () => signals.pixelShuffle(x, {} as signals.ShuffleOptions), /^factor must be/],
  [
    'no options',
    () => signals.superResolve(x, one, undefined as unknown as signals.SuperResolveOptions),
    /^factor must be/,
  ],
  ['a matrix of pixels', () => signals.pixelShuffle(f([4, 4]), { factor: 2 }), /^rank/],
  ['dcr of a volume', () => signals.pixelShuffle(f([1, 8, 1, 1, 1]), { factor: 2, order: 'dcr' }), /^order/],
  ['an unknown order', () => signals.pixelShuffle(x, { factor: 1, order: 'rgb' as 'crd' }), /^order/],
  ['an image without batch', () => run(one, { factor: 2 }, f([1, 4, 4])), /^rank/],
  ['an empty image', () => run(one, { factor: 2 }, f([1, 1, 0, 4])), /empty/],
  ['an empty batch', () => run(one, { factor: 2 }, f([0, 1, 4, 4])), /empty/],
  ['no weights', () => run({}), /"conv1.weight"/],
  ['weights that are none', () => run([] as object), /^weights must be an object/],
  ['no bias', () => run({ 'conv1.weight': f([4, 1, 3, 3]) }), /"conv1.bias"/],
  ['a gap', () => run({ ...one, 'conv3.weight': f([4, 4, 3, 3]), 'conv3.bias': f([4]) }), /"conv2.weight"/],
  ['a name by inheritance', () => run(Object.create(one)), /"conv1.weight"/],
  ['other channels', () => run({ ...one, 'conv1.weight': f([4, 2, 3, 3]) }), /^channels/],
  ['a bias of another length', () => run({ ...one, 'conv1.bias': f([3]) }), /^channels/],
  ['an even kernel', () => run({ ...one, 'conv1.weight': f([4, 1, 2, 2]) }), /odd/],
  ['an oblong kernel', () => run({ ...one, 'conv1.weight': f([4, 1, 1, 3]) }), /odd and equal/],
  ['a weight of another rank', () => run({ ...one, 'conv1.weight': f([4, 9]) }), /^rank/],
  [
    'a weight of integers',
    () => run({ ...one, 'conv1.weight': tensor('int8', [4, 1, 1, 1], [1, 1, 1, 1]) }),
    /float32/,
  ],
  ['outputs that are no cells', () => run(one, { factor: 3 }), /divisible by 9/],
  ['an unknown activation', () => run(one, { factor: 2, activation: 'gelu' }), /^activation/],
  ['an unknown last one', () => run(one, { factor: 2, outputActivation: 'tanh' }), /^outputActivation/],
  ['an unknown option', () => run(one, { factor: 2, scale: 2 }), /unknown option "scale"/],
  ['hr of another size', () => signals.superResolveLoss(x, f([1, 1, 8, 9]), one, { factor: 2 }), /^shape/],
  ['hr of another batch', () => signals.superResolveLoss(x, f([2, 1, 8, 8]), one, { factor: 2 }), /^shape/],
  ['hr to fit of another size', () => signals.fitSubPixel(x, f([1, 1, 8, 4]), { factor: 2 }), /^shape/],
  ['hr to fit of another batch', () => signals.fitSubPixel(x, f([2, 1, 8, 8]), { factor: 2 }), /^shape/],
  ['nothing to fit', () => signals.fitSubPixel(f([1, 1, 0, 4]), f([1, 1, 0, 8]), { factor: 2 }), /empty/],
  [
    'NaN to fit',
    () => signals.fitSubPixel(f([1, 1, 1, 1], NaN), f([1, 1, 2, 2]), { factor: 2 }),
    /^lr must be finite/,
  ],
  [
    'infinity to fit',
    () => signals.fitSubPixel(f([1, 1, 1, 1]), f([1, 1, 2, 2], Infinity), { factor: 2 }),
    /^hr must be finite/,
  ],
  ['an even filter', () => signals.fitSubPixel(x, f([1, 1, 8, 8]), { factor: 2, kernel: 4 }), /odd/],
  ['a ridge below 0', () => signals.fitSubPixel(x, f([1, 1, 8, 8]), { factor: 2, ridge: -1 }), /^ridge/],
  [
    'images that settle nothing',
    () => signals.fitSubPixel(x, f([1, 1, 8, 8]), { factor: 2, ridge: 0 }),
    /^singular/,
  ],
  ['a height of 0', () => size({ height: 0, width: 3 }), /^height/],
  ['no width', () => size({ height: 3 }), /^width/],
  ['an unknown mode', () => size({ height: 3, width: 3, mode: 'area' }), /^mode/],
  ['an empty image to resize', () => size({ height: 3, width: 3 }, f([1, 1, 3, 0])), /empty/],
  ['a volume to resize', () => size({ height: 3, width: 3 }, f([1, 1, 3, 3, 3])), /^rank/],
]
for (const [what, call, message] of wrong) {
  test(`refused: ${what}`, async (t) => {
    t.regex((await t.throwsAsync(async () => call()))?.message ?? '', message)
  })
}

test('any number of other tensors may lie beside the layers', async (t) => {
  const other = tensor('float32', [1], [0])
  const beside = Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [`other.${i}`, other]))
  const layer = { 'conv1.weight': tensor('float32', [1, 1, 1, 1], [2]), 'conv1.bias': other }
  const image = tensor('float32', [1, 1, 1, 1], [3])
  const { data } = await signals.superResolve(image, { ...beside, ...layer }, { factor: 1 })
  t.is(data[0], 6)
})
