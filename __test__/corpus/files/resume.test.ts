/** Runs that look at all records at once: what they had found when they were cut short is not found again. */
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { corpus, kernels, type TamisError } from 'tamis'
import { killEverywhere } from './killed.js'
import { needFailpoints, withFailpoint } from './run.js'
import { documents, folder, write } from './support.js'

const FILES = 6
const EACH = 120
const WIDTH = 8
const DATA = kernels.normalSync(FILES * EACH * WIDTH, { seed: 9 }).data as Float32Array

const record = (i: number) => ({
  e: Array.from(DATA.subarray(i * WIDTH, (i + 1) * WIDTH)),
  q: ((i * 7) % 11) / 4,
})

/** Files of records with vectors, and the vectors in a file beside them. */
async function fill(dir: string): Promise<string[]> {
  const raw = []
  for (let file = 0; file < FILES; file++) {
    const all = documents(EACH, 30 + file).map((one, i) => ({ ...one, ...record(file * EACH + i) }))
    raw.push(await write(join(dir, `raw-${file}.jsonl`), all))
  }
  const lines = Array.from({ length: FILES * EACH }, (_, i) => JSON.stringify({ embedding: record(i).e }))
  await writeFile(join(dir, 'x.jsonl'), `${lines.join('\n')}\n`)
  return raw
}

type Call = (raw: string[], dir: string, options: { out: string }) => Promise<object>

const RUNS: { name: string; passes: string[]; call: Call; keeps: string }[] = [
  {
    name: 'kmq',
    passes: ['read', 'write'],
    call: (raw, _, o) =>
      corpus.selectFilesByClusters(raw, { ...o, count: 90, clusters: 7, embeddings: 'e', quality: 'q' }),
    keeps: 'rows',
  },
  {
    name: 'prototypes',
    passes: ['read', 'write'],
    call: (raw, dir, o) =>
      corpus.selectFilesByPrototypes(raw, { ...o, count: 90, vectors: join(dir, 'x.jsonl') }),
    keeps: 'scores',
  },
  {
    name: 'maxmin',
    passes: ['read', 'write'],
    call: (raw, dir, o) =>
      corpus.selectFilesByDistance(raw, { ...o, count: 90, vectors: join(dir, 'x.jsonl') }),
    keeps: 'rows',
  },
  {
    name: 'color-filter',
    passes: ['read', 'write'],
    call: (raw, _, o) =>
      corpus.selectFilesByLossReduction(raw, { ...o, count: 90, priorLoss: 'q', conditionalLoss: 'id' }),
    keeps: 'places',
  },
  {
    name: 'semantic',
    passes: ['mark', 'write'],
    call: (raw, _, o) => corpus.dedupFilesSemantic(raw, { ...o, embeddings: 'e', threshold: 0.6, k: 5 }),
    keeps: 'labels',
  },
  {
    name: 'mix',
    passes: ['read', 'write'],
    call: (raw, _, o) => corpus.mixFiles(raw, { ...o, epochs: [1, 2, 0.5, 1, 1, 3] }),
    keeps: 'places',
  },
]

for (const { name, passes, call, keeps } of RUNS) {
  for (const pass of passes) {
    test(`${name}: an abort in the pass ${pass} leaves parts from which the run goes on`, async (t) => {
      const dir = await folder(t)
      const raw = await fill(dir)
      const run = (out: string, options: object = {}) => call(raw, dir, { out: join(dir, out), ...options })
      const whole = await run('whole.jsonl')
      const controller = new AbortController()
      const onProgress = (progress: { pass: string; records: number }) => {
        if (progress.pass === pass) controller.abort()
      }
      const error = (await t.throwsAsync(run('kept.jsonl', { signal: controller.signal, onProgress }), {
        name: 'TamisError',
        code: 'ERR_TAMIS_ABORTED',
      })) as TamisError
      t.regex(error.message, /finished parts are kept in .*kept\.jsonl\.tamis-state.*resume/)
      const left = async () => (await readdir(dir)).filter((entry) => entry.includes('kept'))
      t.deepEqual(await left(), ['.kept.jsonl.tamis-state'])
      const parts = await readdir(join(dir, '.kept.jsonl.tamis-state'))
      if (pass === 'write') t.true(parts.includes(`${keeps}-0.part`), parts.join())
      const resumed = await run('kept.jsonl', { resume: true })
      t.deepEqual(await readFile(join(dir, 'kept.jsonl')), await readFile(join(dir, 'whole.jsonl')))
      // Of the first pass nothing is left to be read.
      if (pass === 'write' && 'bytesRead' in whole) t.like(resumed, { bytesRead: 0 })
      t.deepEqual(await left(), ['kept.jsonl', 'kept.jsonl.manifest.json'])
    })
  }
}

test('what was chosen is not chosen again, and other vectors are another run', async (t) => {
  const dir = await folder(t)
  const raw = await fill(dir)
  const vectors = join(dir, 'x.jsonl')
  await utimes(vectors, 1e9, 1e9)
  const select = (out: string, options: object = {}) =>
    corpus.selectFilesByDistance(raw, { count: 50, vectors, out: join(dir, out), ...options })
  await select('whole.jsonl')
  const controller = new AbortController()
  const onProgress = ({ pass }: { pass: string }) => pass === 'write' && controller.abort()
  await t.throwsAsync(select('kept.jsonl', { signal: controller.signal, onProgress }))
  // As long as before, and of the same time: whoever reads it fails.
  const { length } = await readFile(vectors)
  await writeFile(vectors, ' '.repeat(length))
  const changed = {
    code: 'ERR_TAMIS_RANGE',
    message: /resume cannot go on .*the input file .*x\.jsonl was changed since/,
  }
  await t.throwsAsync(select('kept.jsonl', { resume: true }), changed)
  await utimes(vectors, 1e9, 1e9)
  await t.throwsAsync(select('kept.jsonl', { resume: true, count: 51 }), { message: /"count: 50" then/ })
  await select('kept.jsonl', { resume: true })
  t.deepEqual(await readFile(join(dir, 'kept.jsonl')), await readFile(join(dir, 'whole.jsonl')))
})

/** Blocks and shards so small that a small corpus has many. */
const SMALL = { TAMIS_BLOCK_BYTES: '6000', TAMIS_SHARD_BYTES: '30000', TAMIS_THREADS: '1' }
const KILLED = [
  {
    call: 'mixFiles',
    out: 'kept.parquet',
    earlier: true,
    run: (raw: string[], options: object) => [raw, { epochs: [1, 2, 0.5, 1, 1, 3], ...options }],
  },
  {
    call: 'selectFilesByDistance',
    out: 'kept',
    earlier: false,
    run: (raw: string[], options: object) => [raw, { embeddings: 'e', count: 40, ...options }],
  },
]

for (const [number, { call, out, earlier, run }] of KILLED.entries()) {
  test(`${call} killed anywhere goes on to the same bytes`, async (t) => {
    needFailpoints()
    const hooks = await killEverywhere(t, {
      out,
      earlier: earlier ? () => ({ seed: 5 }) : undefined,
      leaves: /^kept/,
      async fill(dir) {
        await fill(dir)
      },
      run(dir, more, failpoint, env) {
        const raw = Array.from({ length: FILES }, (_, file) => join(dir, `raw-${file}.jsonl`))
        const options = { out: join(dir, out), ...(earlier && { force: true }), ...more }
        return withFailpoint(run(raw, options), failpoint, { ...SMALL, ...env }, call)
      },
      times: (n) => [n],
      random: { count: 6, seed: 200 + number, again: true },
    })
    t.true(hooks.some((hook) => hook.startsWith('state.')))
  })
}
