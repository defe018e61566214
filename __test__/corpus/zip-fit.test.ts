import test from 'ava'
import { corpus, setThreads } from 'tamis'

const snippets = Array.from({ length: 40 }, (_, i) =>
  `for x${i} in range(${i}):\n    print(x${i}, ${i * 7})\n`.repeat(1 + (i % 4)),
)
const prose = Array.from(
  { length: 20 },
  (_, i) => `The ${i}th rose of the garden was red, as roses are in the ${i}th month.`,
)

test('an empty text has 20 bytes, and a lone surrogate those of U+FFFD', async (t) => {
  const { data } = await corpus.compressedSizes(['', 'a\ud800b', 'a\ufffdb'])
  t.is(data[0], 20)
  t.is(data[1], data[2])
})

test('scores are the mean of 1 - NCD in target order', async (t) => {
  const [source, ...targets] = snippets.slice(0, 4) as [string, ...string[]]
  const size = async (text: string) => Number((await corpus.compressedSizes([text])).data[0])
  let sum = 0
  for (const target of targets) {
    const [x, y, both] = [await size(source), await size(target), await size(source + target)]
    sum += 1 - (both - Math.min(x, y)) / Math.max(x, y)
  }
  const { scores, mean } = await corpus.alignByCompression([source], targets)
  t.is(scores.data[0], sum / targets.length)
  t.is(mean, sum / targets.length)
})

test('the like is kept, ties by index', async (t) => {
  const pool = [...prose, '', ...snippets.slice(20, 30), snippets[20] as string]
  const { indices, scores } = await corpus.selectByCompression(pool, snippets.slice(0, 10), { count: 11 })
  t.deepEqual(
    [...indices.data],
    Array.from({ length: 11 }, (_, i) => 21 + i),
  )
  t.is(scores.data[21], scores.data[31])
  const one = await corpus.selectByCompression([snippets[0] as string, snippets[0] as string], snippets, {
    count: 1,
  })
  t.deepEqual([...one.indices.data], [0])
})

test.serial('alignments are the same on 1, 2 and 7 threads, at levels of both ways', async (t) => {
  t.teardown(() => setThreads(0))
  for (const level of [1, 6]) {
    const run = () => corpus.alignByCompression([...snippets, ...prose], snippets, { level })
    setThreads(1)
    const one = await run()
    for (const count of [2, 7]) {
      setThreads(count)
      t.deepEqual(await run(), one)
    }
  }
})

test('a signal ends it', async (t) => {
  const controller = new AbortController()
  const work = corpus.selectByCompression(Array(3000).fill(snippets.join('')), snippets, {
    count: 1,
    signal: controller.signal,
  })
  controller.abort()
  await t.throwsAsync(work, { code: 'ERR_TAMIS_ABORTED' })
})

const wrong: [string, () => Promise<unknown>, { code: string; message: RegExp }][] = [
  [
    'no sources',
    () => corpus.alignByCompression([], ['a']),
    { code: 'ERR_TAMIS_RANGE', message: /^sources must not be empty/ },
  ],
  [
    'no targets',
    () => corpus.selectByCompression(['a'], [], { count: 1 }),
    { code: 'ERR_TAMIS_RANGE', message: /^targets must not be empty/ },
  ],
  [
    'level 0',
    () => corpus.compressedSizes(['a'], { level: 0 }),
    { code: 'ERR_TAMIS_RANGE', message: /^level must be an integer from 1 to 9/ },
  ],
  [
    'half a level',
    () => corpus.alignByCompression(['a'], ['a'], { level: 6.5 }),
    { code: 'ERR_TAMIS_RANGE', message: /^level must/ },
  ],
  [
    'a level in words',
    () => corpus.selectByCompression(['a'], ['a'], { count: 1, level: 'best' as never }),
    { code: 'ERR_TAMIS_RANGE', message: /^level must/ },
  ],
  [
    'a count of 0',
    () => corpus.selectByCompression(['a'], ['a'], { count: 0 }),
    { code: 'ERR_TAMIS_RANGE', message: /^count must be between 1 and 1/ },
  ],
  [
    'a count above n',
    () => corpus.selectByCompression(['a'], ['a'], { count: 2 }),
    { code: 'ERR_TAMIS_RANGE', message: /^count must be between 1 and 1/ },
  ],
  [
    'no count',
    () => corpus.selectByCompression(['a'], ['a'], {} as never),
    { code: 'ERR_TAMIS_RANGE', message: /^count must be between 1 and 1/ },
  ],
  [
    'numbers',
    () => corpus.compressedSizes([1 as never]),
    { code: 'ERR_TAMIS_TYPE', message: /^texts must be strings: texts\[0\]/ },
  ],
  [
    'one string',
    () => corpus.alignByCompression('abc' as never, ['a']),
    { code: 'ERR_TAMIS_TYPE', message: /^texts must be strings: sources/ },
  ],
]

for (const [name, call, error] of wrong) {
  test(`refuses ${name}`, async (t) => {
    await t.throwsAsync(call, { name: 'TamisError', ...error })
  })
}
