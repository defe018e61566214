import test from 'ava'
import { corpus, kernels, setThreads, type Tensor, tensor } from 'tamis'

const kitchen = 'melt the butter stir in the flour add the milk and simmer the sauce until it is thick'.split(
  ' ',
)
const office =
  'the committee approved the minutes of the meeting and moved to discuss the annual budget'.split(' ')
const garden =
  'plant the bulbs in rich soil water the roses and prune the hedge before the first frost'.split(' ')

/** `count` texts of `length` words about something. */
function texts(words: readonly string[], count: number, length: number, seed: number): string[] {
  const { data } = kernels.belowSync(count * length, words.length, { seed })
  return Array.from({ length: count }, (_, i) =>
    Array.from(data.subarray(i * length, (i + 1) * length), (word) => words[word]).join(' '),
  )
}

/** A third about each, in turn. */
const raw = [texts(kitchen, 40, 30, 1), texts(office, 40, 30, 2), texts(garden, 40, 30, 3)]
const pool = raw[0]?.flatMap((text, i) => [text, raw[1]?.[i] as string, raw[2]?.[i] as string]) as string[]
const recipe = texts(kitchen, 10, 30, 4)
const plants = texts(garden, 10, 30, 5)
const options = { count: 20, minTokens: 10, buckets: 1000, seed: 9 }

test('a selection looks like its target', async (t) => {
  const { indices, target, logWeights, tokens, logRatio } = await corpus.selectByImportance(
    pool,
    recipe,
    options,
  )
  t.true(indices.data.every((i) => i % 3 === 0))
  t.deepEqual(
    [...indices.data],
    [...indices.data].sort((a, b) => a - b),
  )
  t.is(new Set(indices.data).size, 20)
  t.deepEqual(target, tensor('uint8', [20], new Uint8Array(20)))
  t.deepEqual([logWeights.dims, tokens.dims, logRatio.dims], [[120], [120], [1000]])
  t.true(tokens.data.every((n) => n === 30))
})

test('several targets draw one after the other, in proportion to their n-grams', async (t) => {
  const half = plants.slice(0, 5)
  const both = await corpus.selectByImportance(pool, [recipe, half], { ...options, count: 30 })
  t.deepEqual(
    [both.logWeights.dims, both.logRatio.dims],
    [
      [120, 2],
      [2, 1000],
    ],
  )
  t.is(both.target.data.filter((which) => which === 0).length, 20)
  both.indices.data.forEach((i, place) => {
    t.is(i % 3, both.target.data[place] === 0 ? 0 : 2)
  })
  const even = await corpus.selectByImportance(pool, [recipe, half], {
    ...options,
    count: 30,
    proportions: [1, 1],
  })
  t.is(even.target.data.filter((which) => which === 0).length, 15)
})

test('one target in a list of lists is a matrix of one column, and the same choice', async (t) => {
  const plain = await corpus.selectByImportance(pool, recipe, options)
  const nested = await corpus.selectByImportance(pool, [recipe], options)
  t.deepEqual(nested.indices, plain.indices)
  t.deepEqual(nested.logWeights, { ...plain.logWeights, dims: [120, 1] })
})

test('the steps one by one give the same', async (t) => {
  const whole = await corpus.selectByImportance(pool, recipe, { ...options, ngrams: 3, smoothing: 0.5 })
  const shape = { ngrams: 3, buckets: 1000 }
  const counts = await kernels.countNgrams(pool, shape)
  const logRatio = corpus.ngramLogRatio(await kernels.countNgrams(recipe, shape), counts, { smoothing: 0.5 })
  const { logWeights, tokens } = await corpus.importanceWeights(pool, logRatio, { ngrams: 3 })
  const drawn = await corpus.importanceResample(logWeights, 20, { tokens, seed: 9, minTokens: 10 })
  t.deepEqual(whole, { ...drawn, logWeights, tokens, logRatio })
})

test('a filter does not redraw the noise of what it leaves', async (t) => {
  const logWeights = tensor('float64', [50], new Float64Array(50))
  const tokens = tensor(
    'uint32',
    [50],
    Array.from({ length: 50 }, (_, i) => (i === 0 ? 1 : 200)),
  )
  const all = await corpus.importanceResample(logWeights, 10, { seed: 3 })
  const some = await corpus.importanceResample(logWeights, 10, { seed: 3, tokens })
  t.deepEqual([...some.indices.data].filter((i) => all.indices.data.includes(i)).length >= 9, true)
})

test('count may be all candidates; topK takes the highest; ties go to the lowest index', async (t) => {
  const logWeights = tensor('float64', [5], [1, 3, -Infinity, 3, 3])
  const all = await corpus.importanceResample(logWeights, 4)
  t.deepEqual([...all.indices.data], [0, 1, 3, 4])
  const two = await corpus.importanceResample(logWeights, 2, { method: 'topK' })
  t.deepEqual([...two.indices.data], [1, 3])
  const single = await corpus.importanceResample(tensor('float32', [3], [1, 2, 3]), 1, { method: 'topK' })
  t.deepEqual([...single.indices.data], [2])
})

test('fitNgrams stops behind the document that goes over', async (t) => {
  const counted = (n: number) => kernels.countNgrams(pool.slice(0, n), { buckets: 1000 })
  const ratioOf = async (raw: Tensor) =>
    corpus.ngramLogRatio(await kernels.countNgrams(recipe, { buckets: 1000 }), raw)
  // A document has 30 + 29 n-grams.
  for (const [fitNgrams, documents] of [
    [59 * 3 - 1, 3],
    [59 * 3, 4],
    [1, 1],
    [1e9, 120],
  ] as const) {
    const { logRatio } = await corpus.selectByImportance(pool, recipe, { ...options, fitNgrams })
    t.deepEqual(logRatio, await ratioOf(await counted(documents)), `${fitNgrams}`)
  }
  const auto = await corpus.selectByImportance(pool, recipe, { ...options, fitNgrams: 'auto' })
  t.deepEqual(auto.logRatio, await ratioOf(await counted(120)))
})

test.serial('the same bytes on 1, 2 and 7 threads', async (t) => {
  t.teardown(() => setThreads(0))
  const many = texts([...kitchen, ...office], 3000, 120, 6)
  const run = () => corpus.selectByImportance(many, [recipe, plants], { count: 500, seed: 2n ** 63n })
  setThreads(1)
  const one = await run()
  for (const count of [2, 7]) {
    setThreads(count)
    t.deepEqual(await run(), one)
  }
})

test('changing the texts after the call changes nothing', async (t) => {
  const [mine, wanted] = [[...pool], [...recipe]]
  const call = corpus.selectByImportance(mine, wanted, options)
  mine.fill('')
  wanted.length = 0
  t.deepEqual(await call, await corpus.selectByImportance(pool, recipe, options))
})

test('klReduction tells how much nearer a selection is', async (t) => {
  const count = (batch: string[]) => kernels.countNgramsSync(batch, { buckets: 1000 })
  const { indices } = await corpus.selectByImportance(pool, recipe, options)
  const kept = count(Array.from(indices.data, (i) => pool[i] as string))
  const [target, before] = [count(recipe), count(pool)]
  t.true(corpus.klReduction(target, before, kept) > 0.1)
  t.is(corpus.klReduction(target, before, before), 0)
  t.true(corpus.klReduction(count(plants), before, kept) < 0)
  const two = tensor('float64', [2, 1000], [...target.data, ...count(plants).data])
  const mean =
    (corpus.klReduction(target, before, kept) + corpus.klReduction(count(plants), before, kept)) / 2
  t.true(Math.abs(corpus.klReduction(two, before, kept) - mean) < 1e-12)
})

test('an empty text has weight 0 and no token, and is a candidate only for minTokens 0', async (t) => {
  const batch = ['', ...pool.slice(0, 9)]
  const { logWeights, tokens } = await corpus.selectByImportance(batch, recipe, {
    ...options,
    count: 9,
    minTokens: 1,
  })
  t.deepEqual([logWeights.data[0], tokens.data[0]], [0, 0])
  await t.throwsAsync(
    () => corpus.selectByImportance(batch, recipe, { ...options, count: 10, minTokens: 1 }),
    {
      message: /^count exceeds the 9 documents of at least 1 tokens/,
    },
  )
  const all = await corpus.selectByImportance(batch, recipe, { ...options, count: 10, minTokens: 0 })
  t.is(all.indices.data.length, 10)
})

const ratio = () => tensor('float64', [4], [0, 1, -1, 0])
const matrix = () => tensor('float64', [3, 2], [0, 1, 2, 3, 4, 5])
const select = (over: object, targets: unknown = recipe, from: unknown = pool) =>
  corpus.selectByImportance(from as string[], targets as string[], { ...options, ...over })

test.serial('more buckets than there is memory for are refused', async (t) => {
  const available = process.availableMemory
  t.teardown(() => {
    process.availableMemory = available
  })
  process.availableMemory = () => 1e9
  await t.throwsAsync(() => select({ buckets: 2 ** 32 - 1 }), { message: /^buckets is too large: it needs/ })
})

const wrong: [string, () => unknown, { code: string; message: RegExp }][] = [
  [
    'an empty raw corpus',
    () => select({}, recipe, []),
    { code: 'ERR_TAMIS_RANGE', message: /raw has no n-grams/ },
  ],
  [
    'a raw corpus without a token',
    () => select({}, recipe, ['', ' \n']),
    { code: 'ERR_TAMIS_RANGE', message: /raw has no n-grams/ },
  ],
  [
    'a target without a token',
    () => select({}, ['']),
    { code: 'ERR_TAMIS_RANGE', message: /^target has no n-grams$/ },
  ],
  [
    'one of several targets without a token',
    () => select({}, [recipe, []]),
    { code: 'ERR_TAMIS_RANGE', message: /^target has no n-grams \(target 1\)$/ },
  ],
  [
    'more than there are candidates',
    () => select({ count: 121 }),
    { code: 'ERR_TAMIS_RANGE', message: /^count exceeds the 120 documents of at least 10 tokens: 121/ },
  ],
  [
    'more than are long enough',
    () => select({ minTokens: 31 }),
    { code: 'ERR_TAMIS_RANGE', message: /^count exceeds the 0 documents of at least 31 tokens/ },
  ],
  [
    'count 0',
    () => select({ count: 0 }),
    { code: 'ERR_TAMIS_RANGE', message: /^count must be a positive integer, got 0/ },
  ],
  [
    'no count',
    () => select({ count: undefined }),
    { code: 'ERR_TAMIS_RANGE', message: /^count must be a positive integer/ },
  ],
  [
    'a broken count',
    () => corpus.importanceResample(ratio(), 1.5),
    { code: 'ERR_TAMIS_RANGE', message: /^count must be a positive integer/ },
  ],
  [
    'buckets out of range',
    () => select({ buckets: 2 ** 32 }),
    { code: 'ERR_TAMIS_RANGE', message: /^buckets must be/ },
  ],
  [
    'ngrams out of range',
    () => select({ ngrams: 0 }),
    { code: 'ERR_TAMIS_RANGE', message: /^ngrams must be/ },
  ],
  [
    'too few proportions',
    () => select({ proportions: [1] }, [recipe, plants]),
    { code: 'ERR_TAMIS_RANGE', message: /^proportions must be 2 numbers/ },
  ],
  [
    'proportions below 0',
    () => select({ proportions: [1, -1] }, [recipe, plants]),
    { code: 'ERR_TAMIS_RANGE', message: /^proportions.*got \[1, -1\]/ },
  ],
  [
    'proportions of 0',
    () => select({ proportions: [0, 0] }, [recipe, plants]),
    { code: 'ERR_TAMIS_RANGE', message: /^proportions/ },
  ],
  [
    'proportions of NaN',
    () => select({ proportions: [1, Number.NaN] }, [recipe, plants]),
    { code: 'ERR_TAMIS_RANGE', message: /^proportions/ },
  ],
  [
    'a matrix of weights without proportions',
    () => corpus.importanceResample(matrix(), 1),
    { code: 'ERR_TAMIS_RANGE', message: /^proportions must be 2 numbers.*got none/ },
  ],
  [
    'more targets than a byte numbers',
    () =>
      select(
        {},
        Array.from({ length: 257 }, () => ['a']),
      ),
    { code: 'ERR_TAMIS_RANGE', message: /^targets must be at most 256, got 257/ },
  ],
  [
    'NaN among weights',
    () => corpus.importanceResample(tensor('float64', [2], [0, Number.NaN]), 1),
    { code: 'ERR_TAMIS_RANGE', message: /^logWeights must be finite/ },
  ],
  [
    '+Infinity among weights',
    () => corpus.importanceResample(tensor('float64', [2], [0, Infinity]), 1),
    { code: 'ERR_TAMIS_RANGE', message: /^logWeights must be finite/ },
  ],
  [
    'weights of -Infinity only',
    () => corpus.importanceResample(tensor('float64', [2], [-Infinity, -Infinity]), 1),
    { code: 'ERR_TAMIS_RANGE', message: /^count exceeds the 0 documents/ },
  ],
  [
    'tokens of another length',
    () => corpus.importanceResample(ratio(), 1, { tokens: tensor('uint32', [3], [1, 1, 1]) }),
    { code: 'ERR_TAMIS_SHAPE', message: /^shape: tokens/ },
  ],
  [
    'an unknown method',
    () => select({ method: 'gumble' }),
    { code: 'ERR_TAMIS_RANGE', message: /^method must be 'gumbel' or 'topK', got "gumble"/ },
  ],
  [
    'fitNgrams of words',
    () => select({ fitNgrams: 'most' }),
    { code: 'ERR_TAMIS_RANGE', message: /^fitNgrams must be/ },
  ],
  ['fitNgrams 0', () => select({ fitNgrams: 0 }), { code: 'ERR_TAMIS_RANGE', message: /^fitNgrams must be/ }],
  [
    'smoothing below 0',
    () => select({ smoothing: -1 }),
    { code: 'ERR_TAMIS_RANGE', message: /^smoothing must be/ },
  ],
  [
    'a raw text that is none',
    () => select({}, recipe, ['a', null]),
    { code: 'ERR_TAMIS_TYPE', message: /^raw\[1\] must be a string, got null/i },
  ],
  [
    'a target that is none',
    () => select({}, [recipe, 'a']),
    { code: 'ERR_TAMIS_TYPE', message: /^targets\[1\] must be an array of strings/ },
  ],
  [
    'no targets',
    () => select({}, null),
    { code: 'ERR_TAMIS_TYPE', message: /^targets must be an array of strings, got null/ },
  ],
  [
    'a mistyped option',
    () => select({ mintokens: 3 }),
    { code: 'ERR_TAMIS_TYPE', message: /unknown option "mintokens", did you mean "minTokens"\?/ },
  ],
  [
    'counts of another length',
    () => corpus.ngramLogRatio(ratio(), tensor('float64', [3], [1, 1, 1])),
    { code: 'ERR_TAMIS_SHAPE', message: /^shape: target has 4 buckets, raw has 3/ },
  ],
  [
    'raw counts of 0',
    () => corpus.ngramLogRatio(tensor('float64', [1], [1]), tensor('float64', [1], [0])),
    { code: 'ERR_TAMIS_RANGE', message: /^raw has no n-grams/ },
  ],
  [
    'no buckets',
    () => corpus.ngramLogRatio(tensor('float64', [0], []), tensor('float64', [0], [])),
    { code: 'ERR_TAMIS_SHAPE', message: /raw has no n-grams/ },
  ],
  [
    'a matrix of no targets',
    () => corpus.klReduction(tensor('float64', [0, 4], []), ratio(), ratio()),
    { code: 'ERR_TAMIS_SHAPE', message: /target has no n-grams/ },
  ],
  [
    'a selection of another length',
    () => corpus.klReduction(ratio(), ratio(), tensor('float64', [1], [1])),
    { code: 'ERR_TAMIS_SHAPE', message: /^shape: selected has 1/ },
  ],
  [
    'an empty selection without smoothing',
    () =>
      corpus.klReduction(
        tensor('float64', [1], [1]),
        tensor('float64', [1], [1]),
        tensor('float64', [1], [0]),
        { smoothing: 0 },
      ),
    { code: 'ERR_TAMIS_RANGE', message: /^selected has no n-grams/ },
  ],
  [
    'an empty target in klReduction',
    () =>
      corpus.klReduction(
        tensor('float64', [1], [0]),
        tensor('float64', [1], [1]),
        tensor('float64', [1], [1]),
      ),
    { code: 'ERR_TAMIS_RANGE', message: /^target has no n-grams/ },
  ],
  [
    'a ratio of three axes',
    () => corpus.importanceWeights([], tensor('float64', [1, 1, 1], [0])),
    { code: 'ERR_TAMIS_SHAPE', message: /^rank: logRatio/ },
  ],
  [
    'a ratio without buckets',
    () => corpus.importanceWeights([], tensor('float64', [0], [])),
    { code: 'ERR_TAMIS_RANGE', message: /^buckets must be/ },
  ],
]

for (const [name, call, error] of wrong) {
  test(`refuses ${name}`, async (t) => {
    await t.throwsAsync(async () => call(), { name: 'TamisError', ...error })
  })
}

test('an aborted signal stops every step', async (t) => {
  const aborted = { code: 'ERR_TAMIS_ABORTED' }
  const signal = AbortSignal.abort(new Error('closed'))
  await t.throwsAsync(() => select({ signal }), aborted)
  await t.throwsAsync(() => corpus.importanceWeights(pool, ratio(), { signal }), aborted)
  await t.throwsAsync(() => corpus.importanceResample(ratio(), 1, { signal }), aborted)
  const controller = new AbortController()
  const call = select({ signal: controller.signal })
  controller.abort()
  await t.throwsAsync(call, aborted)
})
