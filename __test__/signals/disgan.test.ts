import test from 'ava'
import { kernels, signals, type Tensor, tensor } from 'tamis'

const normal = (dims: number[], seed: number, scale = 1): Tensor<'float64'> => {
  const n = dims.reduce((a, b) => a * b, 1)
  const { data } = kernels.normalSync(n, { seed, dtype: 'float64' })
  return { type: 'float64', dims, data: (data as Float64Array).map((x) => scale * x) }
}
const near = (got: Tensor | undefined, want: ArrayLike<number>, slack: number): boolean =>
  got?.data.length === want.length &&
  Array.from(want).every((w, i) => Math.abs(Number(got.data[i]) - w) <= slack)

const unit = (o: number, c: number, seed: number) => ({
  'conv1x1_low.weight': normal([o, c, 1, 1, 1], seed),
  'conv1x1_low.bias': normal([o], seed + 1),
  'conv1x1_high.weight': normal([o, 7 * c, 1, 1, 1], seed + 2),
  'conv1x1_high.bias': normal([o], seed + 3),
})

test('the unit mixes the bands of the Haar wavelet', (t) => {
  const [n, c, o, cells] = [2, 3, 2, 12]
  const x = normal([n, c, 4, 6, 4], 1)
  const weights = unit(o, c, 2)
  const { low, high } = signals.waveletUnit(x, weights)
  t.deepEqual(
    [low.dims, high.dims],
    [
      [n, o, 2, 3, 2],
      [n, o, 2, 3, 2],
    ],
  )
  const bands = kernels.wavelet3Sync(x, { mode: 'periodization' }).data
  const band = (item: number, k: number, b: number, at: number) =>
    bands[((item * c + k) * 8 + b) * cells + at] as number
  for (let i = 0; i < n * o * cells; i++) {
    const [item, out, at] = [Math.floor(i / (o * cells)), Math.floor(i / cells) % o, i % cells]
    let [l, h] = [
      weights['conv1x1_low.bias'].data[out] as number,
      weights['conv1x1_high.bias'].data[out] as number,
    ]
    for (let k = 0; k < c; k++) {
      l += (weights['conv1x1_low.weight'].data[out * c + k] as number) * band(item, k, 0, at)
      for (let b = 1; b < 8; b++) {
        h += (weights['conv1x1_high.weight'].data[(out * 7 + b - 1) * c + k] as number) * band(item, k, b, at)
      }
    }
    t.true(Math.abs(l - Number(low.data[i])) < 1e-12 && Math.abs(h - Number(high.data[i])) < 1e-12)
  }
})

/** A layer of the generator. */
const layer = (name: string, o: number, i: number, seed: number): [string, Tensor][] => [
  [`${name}.weight`, normal([o, i, 3, 3, 3], seed, 0.15)],
  [`${name}.bias`, normal([o], seed + 1, 0.1)],
]

function generator(f: number, blocks: number, doublings: number): Record<string, Tensor> {
  let seed = 10
  const next = (name: string, o: number, i: number) => {
    seed += 2
    return layer(name, o, i, seed)
  }
  const entries = [...next('conv1.module', f, 2)]
  for (let b = 0; b < blocks; b++) {
    for (let d = 0; d < 3; d++) {
      for (let i = 1; i <= 5; i++)
        entries.push(...next(`res_blocks1.${b}.dense_blocks.${d}.b${i}.0`, f, i * f))
    }
  }
  entries.push(...next('conv2.module', f, f))
  for (let u = 0; u < doublings; u++) entries.push(...next(`upsampling.${3 * u}`, 8 * f, f))
  entries.push(...next('conv3.0.module', f, f), ...next('conv3.2.module', 1, f))
  return Object.fromEntries(entries)
}

/** The generator, written out over the kernels. */
function naive(x: Tensor, w: Record<string, Tensor>, blocks: number, doublings: number): Tensor {
  const conv = (from: Tensor, name: string) =>
    kernels.convolveSync(from, w[`${name}.weight`] as Tensor, {
      bias: w[`${name}.bias`],
      padding: 'same',
    }) as Tensor
  const map = (a: Tensor, f: (v: number, i: number) => number): Tensor =>
    ({ ...a, data: (a.data as Float64Array).map(f) }) as Tensor
  const lrelu = (a: Tensor) => map(a, (v) => (v > 0 ? v : 0.01 * v))
  const add = (a: Tensor, b: Tensor, scale: number) => map(a, (v, i) => scale * v + Number(b.data[i]))
  const join = (all: Tensor[]): Tensor => {
    const [n = 0, , ...sides] = all[0]?.dims ?? []
    const size = (a: Tensor) => a.data.length / n
    const parts = Array.from({ length: n }, (_, i) =>
      all.flatMap((a) => [...(a.data as Float64Array).slice(i * size(a), (i + 1) * size(a))]),
    )
    const channels = all.reduce((sum, a) => sum + (a.dims[1] as number), 0)
    return tensor('float64', [n, channels, ...sides], parts.flat())
  }
  const first = conv(x, 'conv1.module')
  let y = first
  for (let b = 0; b < blocks; b++) {
    let inner = y
    for (let d = 0; d < 3; d++) {
      const all = [inner]
      for (let i = 1; i <= 4; i++)
        all.push(lrelu(conv(join(all), `res_blocks1.${b}.dense_blocks.${d}.b${i}.0`)))
      inner = add(conv(join(all), `res_blocks1.${b}.dense_blocks.${d}.b5.0`), inner, 0.2)
    }
    y = add(inner, y, 0.2)
  }
  y = add(conv(y, 'conv2.module'), first, 1)
  for (let u = 0; u < doublings; u++)
    y = signals.pixelShuffle(lrelu(conv(y, `upsampling.${3 * u}`)), { factor: 2 })
  return conv(lrelu(conv(y, 'conv3.0.module')), 'conv3.2.module')
}

test('the generator is its layers, whatever their number', async (t) => {
  const x = normal([2, 2, 3, 2, 4], 3)
  for (const [blocks, doublings] of [
    [0, 0],
    [1, 2],
    [2, 1],
  ] as const) {
    const weights = generator(3, blocks, doublings)
    const got = await signals.superResolveVolume(x, weights)
    const want = naive(x, weights, blocks, doublings)
    t.deepEqual(got.dims, want.dims)
    t.true(near(got, want.data as Float64Array, 1e-10), `${blocks} ${doublings}`)
  }
})

test('copies of tensors, and what spectral norms keep, are left alone', async (t) => {
  const x = normal([1, 2, 2, 2, 2], 4)
  const weights = generator(2, 1, 1)
  const noise = {
    'res_blocks1.7.blocks.0.weight': x,
    'upsampling.0.weight_sv': x,
    'upsampling.3.weight_sv': x,
  }
  const got = await signals.superResolveVolume(x, { ...weights, ...noise })
  t.deepEqual(got, await signals.superResolveVolume(x, weights))
})

test('the energies of the bands add up to that of the volume', (t) => {
  const x = normal([1, 1, 8, 6, 10], 5)
  const energy = (data: ArrayLike<number>) => Array.from(data).reduce((sum, v) => sum + v * v, 0)
  const bands = kernels.wavelet3Sync(x, { mode: 'periodization' })
  t.true(Math.abs(energy(bands.data) / energy(x.data) - 1) < 1e-12)
})

test('noise is taken out of images and volumes', async (t) => {
  for (const sides of [
    [32, 40],
    [20, 24, 24],
  ]) {
    const n = sides.reduce((a, b) => a * b, 1)
    const width = sides.at(-1) as number
    const clean = Float64Array.from({ length: n }, (_, i) => Math.sin((i % width) / 12) + i / n)
    const noise = normal([n], 6, 0.3).data
    const x: Tensor = {
      type: 'float64',
      dims: [1, 1, ...sides],
      data: clean.map((v, i) => v + (noise[i] as number)),
    }
    const mse = (data: ArrayLike<number>) =>
      clean.reduce((sum, v, i) => sum + (v - (data[i] as number)) ** 2, 0) / n
    const before = mse(x.data as Float64Array)
    for (const threshold of ['bayes', 'universal'] as const) {
      const { data } = await signals.denoiseWavelet(x, { threshold, wavelet: 'db2', levels: 2 })
      t.true(mse(data as Float64Array) < 0.4 * before, `${threshold} ${sides.length}`)
    }
  }
})

test('a threshold of 0 takes nothing, a constant stays, and planes are apart', async (t) => {
  const x = normal([2, 2, 9, 11], 7)
  t.true(near(await signals.denoiseWavelet(x, { threshold: 0 }), x.data, 1e-12))
  const flat = tensor('float32', [1, 1, 8, 8, 8], Array(512).fill(3.25))
  t.true(near(await signals.denoiseWavelet(flat), flat.data, 1e-6))
  const one: Tensor = { type: 'float64', dims: [1, 1, 9, 11], data: x.data.slice(99, 198) }
  const whole = await signals.denoiseWavelet(x)
  t.deepEqual((await signals.denoiseWavelet(one)).data, (whole.data as Float64Array).slice(99, 198))
  const none = await signals.denoiseWavelet(tensor('float32', [0, 1, 4, 4], []))
  t.deepEqual(none.dims, [0, 1, 4, 4])
})

test('levels by default', async (t) => {
  for (const [side, levels] of [
    [2, 1],
    [5, 1],
    [12, 2],
    [24, 3],
    [100, 3],
  ] as const) {
    const x = normal([1, 1, side, side + 1], 8)
    const got = await signals.denoiseWavelet(x)
    t.deepEqual(
      got,
      await signals.denoiseWavelet(x, { wavelet: 'db2', levels, threshold: 'bayes' }),
      `${side}`,
    )
  }
})

const f = (dims: number[], fill = 1) =>
  tensor('float32', dims, Array(dims.reduce((a, b) => a * b, 1)).fill(fill))
const cube = f([1, 1, 2, 2, 2])
const mixes = unit(1, 1, 9)
const without = (weights: object, name: string) =>
  Object.fromEntries(Object.entries(weights).filter(([key]) => key !== name)) as Record<string, Tensor>
const deep = generator(2, 1, 2)
const volume = f([1, 2, 2, 2, 2])
const denoise = (o: object, x: Tensor = f([1, 1, 8, 8])) => signals.denoiseWavelet(x, o)
const wrong: [string, () => unknown, RegExp][] = [
  ['an odd side', () => signals.waveletUnit(f([1, 1, 2, 3, 2]), mixes), /even/],
  ['an image', () => signals.waveletUnit(f([1, 1, 2, 2]), mixes), /^rank/],
  ['an empty volume', () => signals.waveletUnit(f([1, 1, 2, 0, 2]), mixes), /empty/],
  [
    'no low weight',
    () => signals.waveletUnit(cube, without(mixes, 'conv1x1_low.weight')),
    /"conv1x1_low.weight"/,
  ],
  [
    'no high bias',
    () => signals.waveletUnit(cube, without(mixes, 'conv1x1_high.bias')),
    /"conv1x1_high.bias"/,
  ],
  ['other channels', () => signals.waveletUnit(f([1, 2, 2, 2, 2]), mixes), /^channels/],
  [
    'a kernel of more than a cell',
    () => signals.waveletUnit(cube, { ...mixes, 'conv1x1_low.weight': f([1, 1, 1, 1, 2]) }),
    /kernel of \[1, 1, 1\]/,
  ],
  [
    'weights that are none',
    () => signals.waveletUnit(cube, null as unknown as Record<string, Tensor>),
    /^weights/,
  ],
  ['an image to the generator', () => signals.superResolveVolume(f([1, 2, 2, 2]), deep), /^rank/],
  ['nothing to the generator', () => signals.superResolveVolume(f([0, 2, 2, 2, 2]), deep), /empty/],
  ['channels of another number', () => signals.superResolveVolume(cube, deep), /^channels/],
  [
    'a layer that is missing',
    () => signals.superResolveVolume(volume, without(deep, 'res_blocks1.0.dense_blocks.1.b3.0.weight')),
    /"res_blocks1.0.dense_blocks.1.b3.0.weight"/,
  ],
  [
    'a doubling that is missing',
    () =>
      signals.superResolveVolume(volume, without(without(deep, 'upsampling.0.weight'), 'upsampling.0.bias')),
    /"upsampling.0.weight"/,
  ],
  [
    'doublings that are none',
    () =>
      signals.superResolveVolume(volume, { ...deep, ...Object.fromEntries(layer('upsampling.3', 6, 2, 1)) }),
    /divisible by 8/,
  ],
  ['no level', () => denoise({ levels: 0 }), /^levels/],
  ['too many levels', () => denoise({ levels: 4 }), /^levels must be an integer from 1 to .* = 3/],
  ['a side of 1', () => denoise({}, f([1, 1, 1, 8])), /^levels/],
  ['a threshold below 0', () => denoise({ threshold: -1 }), /^threshold/],
  ['a threshold of NaN', () => denoise({ threshold: NaN }), /^threshold/],
  ['an unknown threshold', () => denoise({ threshold: 'sure' }), /^threshold/],
  ['an unknown wavelet', () => denoise({ wavelet: 'db9' }), /^wavelet/],
  ['NaN', () => denoise({}, f([1, 1, 8, 8], NaN)), /^x must be finite/],
  ['infinity', () => denoise({}, f([1, 1, 2, 2, 2], -Infinity)), /^x must be finite/],
  ['a matrix', () => denoise({}, f([8, 8])), /^rank/],
  ['an unknown option', () => denoise({ level: 1 }), /did you mean "levels"/],
]
for (const [what, call, message] of wrong) {
  test(`refused: ${what}`, async (t) => {
    t.regex((await t.throwsAsync(async () => call()))?.message ?? '', message)
  })
}
