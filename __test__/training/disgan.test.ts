import test from 'ava'
import { kernels, type Tensor, tensor, training } from 'tamis'

const normal = (dims: number[], seed: number): Tensor<'float64'> => {
  const n = dims.reduce((a, b) => a * b, 1)
  return {
    type: 'float64',
    dims,
    data: kernels.normalSync(n, { seed, dtype: 'float64' }).data as Float64Array,
  }
}
const moved = (x: Tensor<'float64'>, i: number, by: number): Tensor<'float64'> => {
  const data = x.data.slice()
  data[i] = (data[i] as number) + by
  return { ...x, data }
}
const softplus = (z: number) => Math.log1p(Math.exp(z))

test('losses are those of the definition', (t) => {
  const [r, f] = [normal([3, 2, 2], 1), normal([3, 2, 2], 2)]
  const { generator, discriminator } = training.relativisticLoss(r, f)
  const mean = (x: Tensor, place: number) =>
    [0, 4, 8].reduce((sum, i) => sum + Number(x.data[i + place]), 0) / 3
  let [g, d] = [0, 0]
  for (let i = 0; i < 12; i++) {
    const above = Number(f.data[i]) - mean(r, i % 4)
    const below = Number(r.data[i]) - mean(f, i % 4)
    g += softplus(-above) / 12
    d += (softplus(-below) + softplus(above)) / 24
  }
  t.true(Math.abs(generator - g) < 1e-14 && Math.abs(discriminator - d) < 1e-14)
})

test('gradients are those of the losses', (t) => {
  const [r, f] = [normal([4, 3], 3), normal([4, 3], 4)]
  const { gradients } = training.relativisticLoss(r, f)
  const slope = (loss: (by: number) => number) => (loss(1e-6) - loss(-1e-6)) / 2e-6
  for (let i = 0; i < 12; i++) {
    const by = {
      generatorFake: slope((s) => training.relativisticLoss(r, moved(f, i, s)).generator),
      discriminatorReal: slope((s) => training.relativisticLoss(moved(r, i, s), f).discriminator),
      discriminatorFake: slope((s) => training.relativisticLoss(r, moved(f, i, s)).discriminator),
    }
    for (const [name, want] of Object.entries(by)) {
      t.true(Math.abs(Number(gradients[name as keyof typeof by].data[i]) - want) < 1e-8, name)
    }
  }
})

test('logits far apart overflow nothing, and NaN comes through', (t) => {
  const r = tensor('float32', [1], [3e38])
  const f = tensor('float32', [1], [-3e38])
  const { generator, discriminator, gradients } = training.relativisticLoss(r, f)
  t.true(generator > 5e38 && discriminator === 0)
  t.deepEqual(gradients.generatorFake.data, Float32Array.of(-1))
  t.true(Number.isNaN(training.relativisticLoss(tensor('float32', [1], [NaN]), f).generator))
  const half: Tensor = { type: 'float16', dims: [1, 1], data: Uint16Array.of(0x3c00) }
  t.true(Math.abs(training.relativisticLoss(half, half).generator - Math.LN2) < 1e-12)
})

test('noise fades, is the same for what is shown in a step, and has its own stream', (t) => {
  const x = tensor('float64', [2, 3], [1, 2, 3, 4, 5, 6])
  const at = (o: Partial<training.InstanceNoiseOptions>) =>
    training.instanceNoise(x, { epoch: 0, epochs: 4, ...o }).data as Float64Array
  const z = kernels.normalSync(6, { seed: 5, stream: 2, dtype: 'float64' }).data
  for (const [epoch, sigma] of [
    [0, 1],
    [1, 0.75],
    [4, 0],
    [9, 0],
  ] as const) {
    const got = at({ epoch, seed: 5, step: 2 })
    for (const [i, v] of got.entries()) t.is(v, i + 1 + sigma * (z[i] as number))
  }
  t.deepEqual(at({ seed: 1 }), at({ seed: 1n, step: 0 }))
  t.notDeepEqual(at({ step: 1 }), at({ step: 2 }))
  const hole = training.instanceNoise(tensor('float32', [2], [NaN, 0]), { epoch: 0, epochs: 1 })
  t.true(Number.isNaN(hole.data[0]) && !Number.isNaN(hole.data[1]))
  t.deepEqual(training.instanceNoise(tensor('float32', [0], []), { epoch: 0, epochs: 1 }).dims, [0])
})

const v = (...items: number[]) => tensor('float32', [items.length], items)
const noise = (o: object) => training.instanceNoise(v(1), o as training.InstanceNoiseOptions)
const wrong: [string, () => unknown, RegExp][] = [
  ['logits of other dims', () => training.relativisticLoss(v(1, 2), v(1)), /^shape/],
  ['of another rank', () => training.relativisticLoss(v(1), tensor('float32', [1, 1], [1])), /^shape/],
  [
    'a scalar',
    () => training.relativisticLoss(tensor('float32', [], [1]), tensor('float32', [], [1])),
    /^shape/,
  ],
  ['no batch', () => training.relativisticLoss(v(), v()), /empty/],
  [
    'no places',
    () => training.relativisticLoss(tensor('float32', [2, 0], []), tensor('float32', [2, 0], [])),
    /empty/,
  ],
  ['integers', () => training.relativisticLoss(tensor('int32', [1], [1]), v(1)), /^real must be float32/],
  ['epochs 0', () => noise({ epoch: 0, epochs: 0 }), /^epochs/],
  ['no epochs', () => noise({ epoch: 0 }), /^epochs/],
  ['an epoch below 0', () => noise({ epoch: -1, epochs: 3 }), /^epoch must/],
  ['a broken step', () => noise({ epoch: 0, epochs: 3, step: 0.5 }), /^step/],
  ['a seed below 0', () => noise({ epoch: 0, epochs: 3, seed: -1 }), /^seed/],
  ['an unknown option', () => noise({ epoch: 0, epochs: 3, sigma: 1 }), /unknown option "sigma"/],
]
for (const [what, call, message] of wrong) {
  test(`refused: ${what}`, (t) => {
    t.regex(t.throws(call)?.message ?? '', message)
  })
}
