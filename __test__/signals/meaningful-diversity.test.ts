import test from 'ava'
import { signals, type Tensor, tensor } from 'tamis'

const images = () => tensor('float32', [3, 1, 1, 2], [0, 0, 1, 0, 5, 4])
const schedule = { strength: 0.5, timestep: 500, timesteps: 1000 }

test('at the end of the schedule nothing moves, and neighbours are told all the same', (t) => {
  const { guided, nearest } = signals.guideDiversity(images(), { ...schedule, timestep: 0 })
  t.deepEqual(guided.data, images().data)
  t.deepEqual(nearest, Uint32Array.of(1, 0, 1))
})

test('neighbours are looked for where the mask says, and whole images move', (t) => {
  const x = tensor('float32', [3, 1, 1, 2], [0, 0, 1, 9, 5, 0])
  const mask = tensor('uint8', [1, 2], [0, 1])
  const { guided, nearest } = signals.guideDiversity(x, { ...schedule, mask })
  t.deepEqual(nearest, Uint32Array.of(2, 0, 0))
  t.deepEqual([...guided.data], [-1.25, 0, 1.25, 11.25, 6.25, 0])
})

test('what is far enough stays', (t) => {
  // Distances to the neighbours: 1, 1 and the root of 32, over two pixels.
  const { guided } = signals.guideDiversity(images(), { ...schedule, maxDistance: 1 })
  t.deepEqual([...guided.data], [-0.25, 0, 1.25, 0, 5, 4])
})

test('inputs are not changed, and float64 stays that', (t) => {
  const x = images()
  signals.guideDiversity(x, schedule)
  t.deepEqual(x, images())
  t.is(signals.guideDiversity(tensor('float64', [2, 1, 1, 1], [0, 1]), schedule).guided.type, 'float64')
})

const range = (message: RegExp) => ({ code: 'ERR_TAMIS_RANGE', message })
const shape = (message: RegExp) => ({ code: 'ERR_TAMIS_SHAPE', message })
const wrong: [string, Tensor, object, { code: string; message: RegExp }][] = [
  ['one image', tensor('float32', [1, 1, 1, 1], [0]), {}, shape(/^x0 must be a batch/)],
  ['images of no pixel', tensor('float32', [2, 1, 0, 1], []), {}, shape(/^x0 must be a batch/)],
  ['another rank', tensor('float32', [2, 2], [0, 1, 2, 3]), {}, shape(/^rank: x0/)],
  [
    'a mask of another size',
    images(),
    { mask: tensor('uint8', [2, 1], [1, 1]) },
    shape(/^mask must have dims/),
  ],
  ['a mask of nothing', images(), { mask: tensor('uint8', [1, 2], [0, 0]) }, range(/^mask must mark/)],
  ['NaN', tensor('float32', [2, 1, 1, 1], [0, Number.NaN]), {}, range(/^item 1 is not finite/)],
  ['a strength below 0', images(), { strength: -1 }, range(/^strength must/)],
  ['a step beyond the schedule', images(), { timestep: 1001 }, range(/^timestep must/)],
  ['no schedule', images(), { timesteps: 0 }, range(/^timesteps must/)],
]

for (const [name, given, options, error] of wrong) {
  test(`refuses ${name}`, (t) => {
    t.throws(() => signals.guideDiversity(given, { ...schedule, ...options }), {
      name: 'TamisError',
      ...error,
    })
  })
}
