import test from 'ava'
import { kernels, type Tensor, tensor, training } from 'tamis'

type Groups = training.PruneGroups[]

const normal = (seed: number, ...dims: number[]) => {
  const n = dims.reduce((product, side) => product * side, 1)
  return tensor('float32', dims, kernels.normalSync(n, { seed }).data as Float32Array)
}
const range = (n: number) => Array.from({ length: n }, (_, i) => i)
const sum = (terms: number[]) => terms.reduce((a, b) => a + b, 0)
const lists = (of: Tensor[]) => of.map(({ data }) => [...(data as Uint32Array)])

/** The places of a group's weights in a tensor. */
function places(dims: readonly number[], axis: number, j: number): number[] {
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1)
  const items = dims.reduce((a, b) => a * b, 1)
  return range(items).filter((i) => Math.floor(i / inner) % (dims[axis] as number) === j)
}

/** The definition, group by group. */
function naive(params: Tensor[], directions: Tensor[], groups: Groups): number[] {
  const criteria = groups.flatMap(({ count, members }) =>
    range(count).map((j) => {
      const [x, d]: [number[], number[]] = [[], []]
      for (const { param, axis } of members) {
        const own = params[param] as Tensor
        for (const i of places(own.dims, axis, j)) {
          x.push(own.data[i] as number)
          d.push(directions[param]?.data[i] as number)
        }
      }
      const dot = (a: number[], b: number[]) => sum(a.map((u, i) => u * (b[i] as number)))
      const [norm, other, product] = [Math.sqrt(dot(x, x)), Math.sqrt(dot(d, d)), dot(x, d)]
      return [
        norm,
        norm / (x.length + 1e-6),
        product / (norm + 1e-8) / (other + 1e-8) + 1,
        Math.abs(product),
        product ** 2 / 2,
      ]
    }),
  )
  const scales = range(5).map(
    (c) => 0.2 / (Math.sqrt(1e-8 + sum(criteria.map((all) => (all[c] as number) ** 2))) + 1e-8),
  )
  return criteria.map((all) => sum(all.map((c, i) => c * (scales[i] as number))))
}

const SHAPES = [[6, 4], [6], [5, 6], [3, 6, 2], [7]]
const GROUPS: Groups = [
  {
    count: 6,
    members: [
      { param: 0, axis: 0 },
      { param: 1, axis: 0 },
      { param: 2, axis: 1 },
      { param: 3, axis: 1 },
    ],
  },
  { count: 5, members: [{ param: 2, axis: 0 }] },
]
const make = (seed: number) => SHAPES.map((dims, i) => normal(seed + i, ...dims))

test('scores are those of the definition over rows and columns', (t) => {
  const [params, directions] = [make(1), make(50)]
  const { scores } = training.groupSaliency(params, directions, GROUPS)
  t.deepEqual(
    scores.map(({ type, dims }) => [type, dims]),
    [
      ['float64', [6]],
      ['float64', [5]],
    ],
  )
  const want = naive(params, directions, GROUPS)
  for (const [i, score] of scores.flatMap(({ data }) => [...data]).entries()) {
    t.true(Math.abs(score - (want[i] as number)) < 1e-9)
  }
})

test('groups fade linearly, fall and stay', (t) => {
  const params = [tensor('float32', [4, 1], [4, 1, 3, 2])]
  const still = [tensor('float32', [4, 1], [0, 0, 0, 0])]
  const groups: Groups = [{ count: 4, members: [{ param: 0, axis: 0 }] }]
  const options = { learningRate: 1, targetGroupSparsity: 0.5, pruningSteps: 4, startPruningStep: 1 }
  const hesso = new training.Hesso(params, groups, options)
  const steps = range(7).map(() => hesso.step(still))
  const at = (i: number) => steps[i] as training.HessoStep
  t.deepEqual(
    range(7).map((i) => lists(at(i).shrinking)[0]),
    [[], [1, 3], [1, 3], [], [], [], []],
  )
  t.deepEqual(
    range(7).map((i) => lists(at(i).pruned)[0]),
    [[], [], [], [1, 3], [1, 3], [1, 3], [1, 3]],
  )
  const seen = range(4).map((i) => at(i).params[0]?.data[3] as number)
  for (const [i, want] of [2, 2 * (2 / 3), 2 / 3, 0].entries())
    t.true(Math.abs((seen[i] as number) - want) < 1e-6)
  t.deepEqual([...(at(3).params[0]?.data ?? [])], [4, 0, 3, 0])
})

test('a step of each variant is that of the definition', (t) => {
  const groups: Groups = [{ count: 2, members: [{ param: 0, axis: 0 }] }]
  const one = (options: object, gradients: number[]) => {
    const all = { learningRate: 0.1, targetGroupSparsity: 0, pruningSteps: 1, ...options }
    const hesso = new training.Hesso([tensor('float32', [2], [1, 1])], groups, all)
    let last = 1
    for (const g of gradients)
      last = hesso.step([tensor('float32', [2], [g, g])]).params[0]?.data[0] as number
    return last
  }
  const near = (got: number, want: number) => t.true(Math.abs(got - want) < 1e-6, `${got} ${want}`)
  near(one({}, [2]), 0.8)
  near(one({ weightDecay: 0.5 }, [2]), 1 - 0.1 * 2.5)
  near(one({ momentum: 0.5 }, [2, 1]), 1 - 0.2 - 0.1 * (0.5 * 2 + 1))
  near(one({ variant: 'adam' }, [2]), 0.9)
  const second = (0.9 * 0.2 + 0.1) / (1 - 0.81) / Math.sqrt((0.999 * 0.004 + 0.001) / (1 - 0.999 ** 2))
  near(one({ variant: 'adam' }, [2, 1]), 0.9 - 0.1 * second)
  near(one({ variant: 'adamw', weightDecay: 0.5 }, [2]), 0.95 - 0.1)
  near(one({ variant: 'adamw' }, [2]), 0.999 - 0.1)
})

test('the rest of the groups falls in the last period, and a set keeps a multiple', (t) => {
  const params = [normal(3, 10, 3)]
  const groups: Groups = [{ count: 10, members: [{ param: 0, axis: 0 }] }]
  const still = [tensor('float32', [10, 3], new Float32Array(30))]
  const run = (options: object) => {
    const all = { learningRate: 0, targetGroupSparsity: 0.7, pruningSteps: 6, pruningPeriods: 3, ...options }
    const hesso = new training.Hesso(params, groups, all)
    return range(6).map(() => hesso.step(still).pruned[0]?.data.length)
  }
  t.deepEqual(run({}), [2, 2, 4, 4, 7, 7])
  // Of three in the last period one stays, and of six that are left with the second none may go.
  t.deepEqual(run({ groupDivisible: 2 }), [2, 2, 4, 4, 6, 6])
  t.deepEqual(run({ groupDivisible: 4 }), [2, 2, 2, 2, 2, 2])
})

test('sets of no more groups than must be kept are only trained', (t) => {
  const groups: Groups = [
    { count: 2, members: [{ param: 0, axis: 0 }] },
    { count: 4, members: [{ param: 1, axis: 0 }] },
  ]
  const params = [normal(1, 2), normal(2, 4)]
  const options = { learningRate: 0.5, targetGroupSparsity: 0.5, pruningSteps: 1, groupDivisible: 2 }
  const hesso = new training.Hesso(params, groups, options)
  const ones = [tensor('float32', [2], [1, 1]), tensor('float32', [4], [1, 1, 1, 1])]
  const { pruned, params: after } = hesso.step(ones)
  t.deepEqual([pruned[0]?.data.length, pruned[1]?.data.length], [0, 2])
  t.is(after[0]?.data[0], Math.fround((params[0]?.data[0] as number) - 0.5))
})

test('a set is never pruned away whole', (t) => {
  const groups: Groups = [
    { count: 2, members: [{ param: 0, axis: 0 }] },
    { count: 98, members: [{ param: 1, axis: 0 }] },
  ]
  const params = [tensor('float32', [2], [1e-3, 1e-3]), normal(2, 98)]
  const still = [tensor('float32', [2], [0, 0]), tensor('float32', [98], new Float32Array(98))]
  const hesso = new training.Hesso(params, groups, {
    learningRate: 0,
    targetGroupSparsity: 1,
    pruningSteps: 1,
  })
  t.deepEqual(
    hesso.step(still).pruned.map(({ data }) => data.length),
    [1, 97],
  )
})

test("what a step returns is the caller's", (t) => {
  const groups: Groups = [{ count: 2, members: [{ param: 0, axis: 0 }] }]
  const start = tensor('float32', [2], [1, 2])
  const hesso = new training.Hesso([start], groups, {
    learningRate: 1,
    targetGroupSparsity: 0,
    pruningSteps: 1,
  })
  start.data.fill(9)
  const still = [tensor('float32', [2], [0, 0])]
  hesso.step(still).params[0]?.data.fill(7)
  t.deepEqual([...(hesso.step(still).params[0]?.data ?? [])], [1, 2])
})

test('a gradient that is not finite changes nothing', (t) => {
  const groups: Groups = [{ count: 2, members: [{ param: 0, axis: 0 }] }]
  const of = () =>
    new training.Hesso([normal(1, 2)], groups, { learningRate: 0.1, momentum: 0.9, pruningSteps: 2 })
  const [hurt, whole] = [of(), of()]
  const good = [normal(2, 2)]
  for (const bad of [NaN, Infinity]) {
    t.throws(() => hurt.step([tensor('float32', [2], [1, bad])]), { message: /^gradients must be finite/ })
  }
  for (const _ of range(3)) t.deepEqual(hurt.step(good), whole.step(good))
})

test('trials leave the parameters as they were, and then the lowest fall', (t) => {
  const params = make(1)
  const cric = new training.HessoCric(params, GROUPS, {
    learningRate: 0.01,
    startStep: 1,
    samplingSteps: 3,
    hybridSteps: 2,
    maxCycles: 2,
    targetGroupSparsity: 0.4,
  })
  const gradients = make(60)
  const steps = range(30).map((i) => cric.step(gradients, { loss: 1 + (i % 2) }))
  // Twelve trial steps: each second one restores.
  for (const i of range(6)) {
    for (const [p, { data }] of params.entries())
      t.deepEqual(steps[2 * i + 1]?.params[p]?.data, data as Float32Array)
  }
  const ends = steps.findIndex(({ redundant }) => redundant.some(({ data }) => data.length > 0))
  t.true(ends >= 12)
  const found = lists((steps[ends] as training.HessoCricStep).redundant)
  t.is(sum(found.map(({ length }) => length)), 4)
  for (const step of steps.slice(ends + 2)) {
    t.deepEqual(lists(step.redundant), found)
    for (const [set, own] of found.entries()) {
      for (const { param, axis } of (GROUPS[set] as Groups[0]).members) {
        const { dims, data } = step.params[param] as Tensor
        for (const j of own) for (const i of places(dims, axis, j)) t.is(data[i], 0)
      }
    }
  }
})

test('a start at step 0 is the first step', (t) => {
  const run = (startStep: number) => {
    const cric = new training.HessoCric(make(1), GROUPS, {
      learningRate: 0.1,
      startStep,
      samplingSteps: 2,
      hybridSteps: 2,
    })
    return range(20).map((i) => cric.step(make(60 + i), { loss: 2 }))
  }
  t.deepEqual(run(0), run(1))
})

const good = { learningRate: 0.1, pruningSteps: 2 }
const weight = [normal(1, 4, 3)]
const build = (groups: object[], options: object = good) =>
  new training.Hesso(weight, groups as Groups, options as typeof good)
const rows = { count: 4, members: [{ param: 0, axis: 0 }] }
const cricOptions = { learningRate: 0.1, startStep: 2, samplingSteps: 2, hybridSteps: 2 }
const wrong: [string, () => unknown, RegExp][] = [
  ['another count', () => build([{ ...rows, count: 3 }]), /^group count must match the axis/],
  [
    'an axis beyond the rank',
    () => new training.Hesso([normal(1, 4)], [{ count: 4, members: [{ param: 0, axis: 1 }] }], good),
    /^axis out of range/,
  ],
  ['axis 2', () => build([{ count: 4, members: [{ param: 0, axis: 2 }] }]), /^axis out of range/],
  [
    'a parameter that is not there',
    () => build([{ count: 4, members: [{ param: 1, axis: 0 }] }]),
    /^each axis of a parameter belongs to one group set/,
  ],
  ['an axis in two sets', () => build([rows, rows]), /^each axis of a parameter belongs to one group set/],
  ['a count of 0', () => build([{ ...rows, count: 0 }]), /^groups\[0\]\.count must be/],
  ['groups that are no list', () => build('x' as unknown as object[]), /^groups must be a list/],
  [
    'a parameter of float64',
    () => new training.Hesso([tensor('float64', [1], [1])], [], good),
    /^params\[0\] must be float32/,
  ],
  ['fewer gradients', () => build([rows]).step([]), /^grads must match params/],
  ['gradients of other dims', () => build([rows]).step([normal(1, 3, 4)]), /^grads must match params/],
  [
    'infinite gradients',
    () =>
      build([rows]).step([
        tensor(
          'float32',
          [4, 3],
          range(12).map(() => -Infinity),
        ),
      ]),
    /^gradients must be finite/,
  ],
  [
    'a sparsity above 1',
    () => build([rows], { ...good, targetGroupSparsity: 1.1 }),
    /^target group sparsity must be in \[0, 1\]/,
  ],
  [
    'a sparsity of NaN',
    () => build([rows], { ...good, targetGroupSparsity: NaN }),
    /^target group sparsity must be in \[0, 1\]/,
  ],
  [
    'more periods than steps',
    () => build([rows], { ...good, pruningPeriods: 3 }),
    /^pruning steps must be at least one per period/,
  ],
  ['no learning rate', () => build([rows], { pruningSteps: 2 }), /^learningRate must be/],
  ['an unknown variant', () => build([rows], { ...good, variant: 'rmsprop' }), /^unknown variant/],
  ['a momentum of 1', () => build([rows], { ...good, momentum: 1 }), /^momentum must be/],
  ['an unknown option', () => build([rows], { ...good, samplingSteps: 1 }), /unknown option/],
  [
    'groupDivisible for trials',
    () =>
      new training.HessoCric(
        weight,
        [rows] as Groups,
        { ...cricOptions, groupDivisible: 2 } as typeof cricOptions,
      ),
    /unknown option/,
  ],
  [
    'directions of other dims',
    () => training.groupSaliency(weight, [normal(1, 3, 4)], []),
    /^directions must match params/,
  ],
]
for (const [what, call, message] of wrong) {
  test(`refused: ${what}`, (t) => {
    t.regex(t.throws(call)?.message ?? '', message)
  })
}

test('trials need a finite loss from their start on', (t) => {
  const cric = new training.HessoCric(weight, [rows] as Groups, cricOptions)
  const gradients = [normal(5, 4, 3)]
  const step = (loss: unknown) => cric.step(gradients, { loss } as { loss: number })
  step(undefined)
  for (const loss of [NaN, Infinity, undefined, '1'])
    t.throws(() => step(loss), { message: /^loss must be finite/ })
  t.notThrows(() => step(1))
})
