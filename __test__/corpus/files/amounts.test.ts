import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { corpus } from 'tamis'
import { documents, folder, ids, read, split, texts, write } from './support.js'

const RAW = documents(400, 5)
const GARDEN = documents(60, 6, 1)
const LEDGER = documents(40, 7, 0)
const OPTIONS = { minTokens: 50, seed: 2, buckets: 700 } as const

async function setUp(t: ExecutionContext) {
  const dir = await folder(t)
  const raw = await write(join(dir, 'raw.jsonl'), RAW)
  const garden = await write(join(dir, 'garden.jsonl'), GARDEN)
  const ledger = await write(join(dir, 'ledger.jsonl'), LEDGER)
  let number = 0
  const select = (targets: Parameters<typeof corpus.selectFilesByImportance>[1], options: object) =>
    corpus.selectFilesByImportance([raw], targets, {
      ...OPTIONS,
      out: join(dir, `kept-${number++}.jsonl`),
      ...options,
    })
  return { dir, raw, garden, ledger, select }
}

const tokensOf = (text: string) => (text.match(/[\p{L}\p{N}_]+|[^\p{L}\p{N}_\s]+/gu) ?? []).length
const failure = (code: string, message: RegExp) => ({ name: 'TamisError', code, message })

/** Ids in the order in which they are drawn. */
async function order(): Promise<number[]> {
  const candidates = RAW.filter((record) => tokensOf(record.text) >= OPTIONS.minTokens).length
  const { minTokens, seed } = OPTIONS
  const drawn: number[] = []
  const { logWeights, tokens } = await corpus.selectByImportance(texts(RAW), texts(GARDEN), {
    ...OPTIONS,
    count: 1,
  })
  for (let count = 1; count <= candidates; count++) {
    const { indices } = await corpus.importanceResample(logWeights, count, { tokens, minTokens, seed })
    drawn.push(...Array.from(indices.data as Uint32Array).filter((id) => !drawn.includes(id)))
  }
  return drawn
}

test('a fraction is of the candidates', async (t) => {
  const { garden, select } = await setUp(t)
  const { kept, candidates, files } = await select([garden], { fraction: 0.29 })
  t.is(kept, Math.floor(0.29 * candidates + 1e-6))
  const { indices } = await corpus.selectByImportance(texts(RAW), texts(GARDEN), { ...OPTIONS, count: kept })
  t.deepEqual(await ids(files[0] as string), Array.from(indices.data as Uint32Array))
  t.is((await select([garden], { fraction: 1 })).kept, candidates)
  await t.throwsAsync(() => select([garden], { fraction: 1e-5 }), failure('ERR_TAMIS_RANGE', /no document/))
})

test('budgets of tokens and bytes keep the best until the next would pass them', async (t) => {
  const { garden, select } = await setUp(t)
  const drawn = await order()
  for (const [unit, costOf] of [
    ['tokens', (id: number) => tokensOf(RAW[id]?.text as string)],
    ['bytes', (id: number) => Buffer.byteLength(RAW[id]?.text as string)],
  ] as const) {
    const budget = 4321
    const want: number[] = []
    let spent = 0
    for (const id of drawn) {
      if (spent + costOf(id) > budget) break
      spent += costOf(id)
      want.push(id)
    }
    const selection = await select([garden], { [unit]: budget })
    t.deepEqual(
      await ids(selection.files[0] as string),
      want.sort((a, b) => a - b),
    )
    t.is(selection[unit], spent)
    t.deepEqual(selection.report.warnings, [])
  }
})

test('a budget above everything keeps all and says so; one below the best keeps none and says so', async (t) => {
  const { garden, select } = await setUp(t)
  const all = await select([garden], { tokens: 1e9 })
  t.is(all.kept, all.candidates)
  t.regex(all.report.warnings.join(), /all \d+ candidates were kept/)
  const none = await select([garden], { bytes: 1 })
  t.is(none.kept, 0)
  t.is(await readFile(none.files[0] as string, 'utf8'), '')
  t.regex(none.report.warnings.join(), /nothing was kept/)
})

test('several targets share the count as in memory, by name or by number', async (t) => {
  const { garden, ledger, select } = await setUp(t)
  for (const proportions of [undefined, [3, 1]]) {
    const memory = await corpus.selectByImportance(texts(RAW), [texts(GARDEN), texts(LEDGER)], {
      ...OPTIONS,
      count: 60,
      ...(proportions && { proportions }),
    })
    for (const targets of [[[garden], [ledger]], { plants: [garden], money: [ledger] }]) {
      const { files, report } = await select(targets, { count: 60, proportions, addScores: true })
      const kept = (await read(files[0] as string)) as { id: number; tamis: { target: string } }[]
      t.deepEqual(
        kept.map((record) => record.id),
        Array.from(memory.indices.data as Uint32Array),
      )
      const names = Array.isArray(targets) ? ['0', '1'] : ['plants', 'money']
      t.deepEqual(
        kept.map((record) => names.indexOf(record.tamis.target)),
        Array.from(memory.target.data as Uint8Array),
      )
      t.deepEqual(
        report.targets.map(({ name }) => name),
        names,
      )
      t.is(
        report.targets.reduce((sum, target) => sum + target.kept, 0),
        60,
      )
    }
  }
})

test('a single named target and a list of one are one target', async (t) => {
  const { garden, ledger, select } = await setUp(t)
  const want = Array.from(
    (await corpus.selectByImportance(texts(RAW), texts([...GARDEN, ...LEDGER]), { ...OPTIONS, count: 30 }))
      .indices.data as Uint32Array,
  )
  for (const targets of [[garden, ledger], [[garden, ledger]], { all: [garden, ledger] }]) {
    t.deepEqual(await ids((await select(targets, { count: 30 })).files[0] as string), want)
  }
})

test('counts of parts, merged, give the selection of the whole', async (t) => {
  const { dir, raw, garden, ledger, select } = await setUp(t)
  const shape = { buckets: OPTIONS.buckets }
  const parts: string[] = []
  for (const [i, part] of split(RAW, 3).entries()) {
    const file = await write(join(dir, `part-${i}.jsonl.gz`), part)
    parts.push(join(dir, `part-${i}.counts`))
    await corpus.countNgramFiles([file], { ...shape, out: parts[i] as string })
  }
  const rawCounts = join(dir, 'raw.counts')
  const merged = await corpus.mergeNgramCounts(parts, { out: rawCounts })
  const whole = await corpus.countNgramFiles([raw], shape)
  t.deepEqual(merged.counts, whole.counts)
  t.deepEqual(
    [merged.records, merged.tokens, merged.features, merged.bytes],
    [400, whole.tokens, whole.features, texts(RAW).reduce((sum, text) => sum + Buffer.byteLength(text), 0)],
  )
  t.deepEqual(await corpus.readNgramCounts(rawCounts), merged)
  const targetCounts: string[] = []
  for (const [i, file] of [garden, ledger].entries()) {
    targetCounts.push(join(dir, `target-${i}.counts`))
    await corpus.countNgramFiles([file], { ...shape, out: targetCounts[i] as string })
  }
  const bytes = async (selection: { files: string[] }) => readFile(selection.files[0] as string, 'utf8')
  const [a = '', b = ''] = targetCounts
  for (const amount of [{ count: 44 }, { fraction: 0.2 }, { tokens: 3000 }]) {
    const want = await bytes(await select([[garden], [ledger]], amount))
    t.is(await bytes(await select([], { ...amount, rawCounts, targetCounts: [[a], [b]] })), want)
    t.is(await bytes(await select([[garden], [ledger]], { ...amount, rawCounts })), want)
  }
  const { bytesRead, report } = await select([], { count: 44, rawCounts, targetCounts: { both: [a, b] } })
  t.is(bytesRead, (await readFile(raw)).length)
  t.like(report.targets[0], { name: 'both', files: [a, b], records: 100 })
})

test('counts that do not fit are refused', async (t) => {
  const { dir, garden, select } = await setUp(t)
  const other = join(dir, 'other.counts')
  await corpus.countNgramFiles([garden], { buckets: 99, out: other })
  await t.throwsAsync(
    () => select([garden], { count: 1, rawCounts: other }),
    failure('ERR_TAMIS_RANGE', /buckets must be 99/),
  )
  await t.throwsAsync(
    () => select([garden], { count: 1, targetCounts: [other] }),
    failure('ERR_TAMIS_RANGE', /targets must be empty/),
  )
  await t.throwsAsync(
    () => corpus.countNgramFiles([garden], { out: other }),
    failure('ERR_TAMIS_RANGE', /exists/),
  )
  const good = join(dir, 'good.counts')
  await corpus.countNgramFiles([garden], { buckets: 99, ngrams: 1, out: good })
  await t.throwsAsync(
    () => corpus.mergeNgramCounts([other, good]),
    failure('ERR_TAMIS_RANGE', /cannot be merged.*ngrams/),
  )
  const bytes = await readFile(other)
  // The Unicode version lies at byte 20; the checksum behind the counts tells first that something changed.
  bytes[20] = 1
  await writeFile(good, bytes)
  await t.throwsAsync(
    () => corpus.readNgramCounts(good),
    failure('ERR_TAMIS_FORMAT', /good\.counts: .*damaged/),
  )
  const { createHash } = await import('node:crypto')
  createHash('sha256')
    .update(bytes.subarray(0, -32))
    .digest()
    .copy(bytes, bytes.length - 32)
  await writeFile(good, bytes)
  await t.throwsAsync(() => corpus.mergeNgramCounts([other, good]), failure('ERR_TAMIS_RANGE', /Unicode/))
  await t.throwsAsync(
    () => select([garden], { count: 1, buckets: 99, rawCounts: good }),
    failure('ERR_TAMIS_RANGE', /Unicode 1\./),
  )
  await t.throwsAsync(
    () => corpus.readNgramCounts(garden),
    failure('ERR_TAMIS_FORMAT', /no n-gram counts file/),
  )
})

test('what the amount, the targets and the options may be', async (t) => {
  const { garden, ledger, select } = await setUp(t)
  const refuses = (options: object, message: RegExp, targets: unknown = [garden]) =>
    t.throwsAsync(() => select(targets as [], options), { name: 'TamisError', message })
  await refuses({}, /exactly one of count, fraction, tokens and bytes/)
  await refuses({ count: 1, bytes: 1 }, /exactly one of .*got count and bytes/)
  for (const count of [0, -1, 1.5, Number.NaN, '3'])
    await refuses({ count }, /count must be a positive integer/)
  for (const fraction of [0, -0.1, 1.1, Number.NaN]) await refuses({ fraction }, /fraction must be/)
  await refuses({ tokens: 0 }, /tokens must be a positive integer/)
  await refuses({ count: 400 }, /count exceeds the \d+ documents of at least 50 tokens/)
  await refuses({ count: 400, fitNgrams: 10 }, /count exceeds the \d+ documents of at least 50 tokens/)
  await refuses({ count: 1, proportions: [1, 1] }, /proportions/)
  await refuses({ count: 1, proportions: [0, 0] }, /proportions/, [[garden], [ledger]])
  await refuses({ count: 1, buckets: 0 }, /buckets must be/)
  await refuses({ count: 1, ngrams: 0 }, /ngrams must be/)
  await refuses({ count: 1, threads: 0 }, /threads must be/)
  await refuses({ count: 1, textUnit: 'page' }, /textUnit must be/)
  await refuses({ count: 1, maxRecord: 0 }, /maxRecord must be/)
  await refuses({ count: 1, onBadRecord: 'ignore' }, /onBadRecord must be/)
  await refuses({ count: 1, signal: {} }, /signal must be/)
  for (const targets of [[], [[]], {}, { a: [] }, 'x', [1], null, { 1: [garden] }])
    await refuses({ count: 1 }, /targets/, targets)
  await t.throwsAsync(() => corpus.selectFilesByImportance([], [garden], { count: 1, dryRun: true }), {
    message: /raw must be/,
  })
  await t.throwsAsync(
    () => corpus.selectFilesByImportance(['-', '-'], [garden], { count: 1, dryRun: true }),
    { message: /given once/ },
  )
  await t.throwsAsync(
    () => corpus.selectFilesByImportance(['-'], [garden], { count: 1, out: 'x.jsonl', resume: true }),
    { message: /resume cannot read standard input/ },
  )
})
