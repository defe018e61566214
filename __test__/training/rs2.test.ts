import test from 'ava'
import { kernels, tensor, training } from 'tamis'

const rounds = (subsets: training.RandomSubsets, count: number) =>
  Array.from({ length: count }, () => [...subsets.next().data])

test('every row is used once for each n rows drawn', (t) => {
  const subsets = new training.RandomSubsets(9, { count: 4, seed: '12' })
  const drawn = rounds(subsets, 9).flat()
  for (let row = 0; row < 9; row++) t.is(drawn.filter((other) => other === row).length, 4)
  t.is(subsets.size, 4)
  t.is(subsets.round, 9)
})

test('a share is rounded half to even, and is at least one row', (t) => {
  const size = (n: number, ratio: number) => new training.RandomSubsets(n, { ratio }).size
  t.deepEqual([size(10, 0.25), size(10, 0.35), size(3, 0.01), size(7, 1)], [2, 4, 1, 7])
})

test('seek: any round at once, forwards and back', (t) => {
  for (const replacement of [false, true]) {
    const make = () => new training.RandomSubsets(23, { ratio: 0.3, seed: 5, replacement })
    const all = rounds(make(), 12)
    const subsets = make()
    for (const round of [7, 2, 11, 0]) {
      subsets.seek(round)
      t.is(subsets.round, round)
      t.deepEqual([...subsets.next().data], all[round])
    }
  }
})

test('drawSubset is round 0 with replacement', (t) => {
  const subset = training.drawSubset(50, { count: 15, seed: 4 })
  t.deepEqual(subset.data, kernels.permutationSync(50, { seed: 4 }).data.slice(0, 15))
  t.deepEqual(training.drawSubset(3, { ratio: 1 }).data, kernels.permutationSync(3).data)
})

test('classes give their shares, and small ones none', (t) => {
  const classes = tensor('uint32', [22], [...Array(20).fill(7), 4e9, 4e9])
  const subsets = new training.RandomSubsets(22, { ratio: 0.2, classes })
  t.is(subsets.size, 4)
  t.true(rounds(subsets, 5).every((round) => round.length === 4 && round.every((row) => row < 20)))
  t.is(training.drawSubset(22, { ratio: 0.5, classes }).dims[0], 11)
})

const wrong: [string, () => unknown, { code: string; message: RegExp }][] = [
  ['no rows', () => new training.RandomSubsets(0), { code: 'ERR_TAMIS_RANGE', message: /^n must be/ }],
  [
    'too many rows',
    () => new training.RandomSubsets(2 ** 32),
    { code: 'ERR_TAMIS_RANGE', message: /^n must be/ },
  ],
  [
    'a ratio above 1',
    () => training.drawSubset(9, { ratio: 1.5 }),
    { code: 'ERR_TAMIS_RANGE', message: /^ratio must be in \(0, 1\]/ },
  ],
  [
    'a ratio of NaN',
    () => training.drawSubset(9, { ratio: Number.NaN }),
    { code: 'ERR_TAMIS_RANGE', message: /^ratio must be in \(0, 1\]/ },
  ],
  [
    'ratio and count',
    () => training.drawSubset(9, { ratio: 0.5, count: 3 }),
    { code: 'ERR_TAMIS_TYPE', message: /^count/ },
  ],
  [
    'a count above n',
    () => training.drawSubset(9, { count: 10 }),
    { code: 'ERR_TAMIS_RANGE', message: /^count/ },
  ],
  [
    'other classes',
    () => training.drawSubset(9, { classes: tensor('uint32', [2], [0, 1]) }),
    { code: 'ERR_TAMIS_SHAPE', message: /classes/ },
  ],
  [
    'classes with a count',
    () => training.drawSubset(1, { count: 1, classes: tensor('uint32', [1], [0]) }),
    { code: 'ERR_TAMIS_TYPE', message: /^classes/ },
  ],
  [
    'a share of no row',
    () => training.drawSubset(2, { ratio: 0.1, classes: tensor('uint32', [2], [0, 1]) }),
    { code: 'ERR_TAMIS_RANGE', message: /^ratio selects no row of any class/ },
  ],
  [
    'a negative round',
    () => new training.RandomSubsets(9).seek(-1),
    { code: 'ERR_TAMIS_RANGE', message: /^round must be/ },
  ],
  [
    'half a round',
    () => new training.RandomSubsets(9).seek(0.5),
    { code: 'ERR_TAMIS_RANGE', message: /^round must be/ },
  ],
  [
    'an unknown option',
    () => training.drawSubset(9, { replacement: true } as never),
    { code: 'ERR_TAMIS_TYPE', message: /unknown option/ },
  ],
]

for (const [name, call, error] of wrong) {
  test(`refuses ${name}`, (t) => {
    t.throws(call, { name: 'TamisError', ...error })
  })
}
