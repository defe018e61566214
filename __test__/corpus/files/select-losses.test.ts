/** Selection by losses that records carry. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { corpus, kernels, tensor } from 'tamis'
import { documents, folder, ids, jsonl, read, write } from './support.js'

const N = 200
const RAW = documents(N, 3)
const DRAWS = kernels.normalSync(2 * N, { seed: 4 }).data as Float32Array
// Few values, so that some scores are equal.
const loss = (i: number) => ({
  prior: 3 + Math.round(4 * (DRAWS[2 * i] as number)) / 4,
  tuned: 2 + Math.round(4 * (DRAWS[2 * i + 1] as number)) / 4,
})
const RECORDS = RAW.map((record, i) => ({
  ...record,
  loss: loss(i),
  prior_loss: loss(i).prior,
  conditional_loss: loss(i).tuned,
}))
const PRIOR = tensor(
  'float32',
  [N],
  RECORDS.map((record) => record.loss.prior),
)
const TUNED = tensor(
  'float32',
  [N],
  RECORDS.map((record) => record.loss.tuned),
)

test('files keep what the losses in memory keep, from fields and columns', async (t) => {
  const dir = await folder(t)
  const parts = [RECORDS.slice(0, 70), RECORDS.slice(70)]
  const lines = [
    await write(join(dir, 'a.jsonl'), parts[0] ?? []),
    await write(join(dir, 'b.jsonl.gz'), parts[1] ?? []),
  ]
  const table = join(dir, 'all.parquet')
  const column = <K extends 'text' | 'prior_loss' | 'conditional_loss' | 'id'>(name: K) => ({
    name,
    data: RECORDS.map((record) => record[name]),
  })
  const columnData = [column('id'), column('text'), column('prior_loss'), column('conditional_loss')]
  await writeFile(table, Buffer.from(parquetWriteBuffer({ columnData, rowGroupSize: 60 } as never)))
  const nested = { priorLoss: 'loss.prior', conditionalLoss: 'loss.tuned' }
  for (const tau of [16, 7]) {
    const want = corpus.filterByLossReduction(PRIOR, TUNED, { tau })
    const wanted = Array.from(want.indices.data, (i) => RAW[i]?.id)
    for (const [raw, fields] of [
      [lines, nested],
      [lines, {}],
      [[table], {}],
    ] as const) {
      const out = join(dir, 'kept.jsonl')
      const scores = join(dir, 'scores.parquet')
      const options = { ...fields, fraction: 1 / tau, out, scores, force: true }
      const { kept, report } = await corpus.selectFilesByLossReduction([...raw], options)
      t.deepEqual(await ids(out), wanted as number[])
      t.is(kept, wanted.length)
      t.is(report.method, 'color-filter')
      t.deepEqual((await corpus.readScores(scores)).logWeights.data, Float64Array.from(want.scores.data))
      const manifest = JSON.parse(await readFile(`${out}.manifest.json`, 'utf8'))
      t.is(manifest.options.priorLoss, 'priorLoss' in fields ? 'loss.prior' : 'prior_loss')
    }
  }
  const some = await corpus.selectFilesByLossReduction(lines, {
    tokens: 1500,
    out: join(dir, 'some.jsonl'),
    addScores: true,
  })
  t.true(some.tokens <= 1500 && some.tokens > 700)
  const [first] = (await read(join(dir, 'some.jsonl'))) as unknown as { tamis: { log_weight: number } }[]
  t.true((first?.tamis.log_weight ?? 0) > 1)
})

test('losses that are missing or no numbers are told with their record', async (t) => {
  const dir = await folder(t)
  const raw = join(dir, 'raw.jsonl')
  const of = (more: object) =>
    corpus.selectFilesByLossReduction([raw], { count: 3, out: join(dir, 'kept.jsonl'), ...more })
  await writeFile(raw, `${jsonl(RECORDS.slice(0, 9))}{"text":"x","prior_loss":2}\n`)
  await t.throwsAsync(of({}), {
    code: 'ERR_TAMIS_FORMAT',
    message: /raw\.jsonl:10: no finite number in the field "conditional_loss" \(no such field\)/,
  })
  t.is((await of({ onBadRecord: 'skip' })).skipped, 1)
  await t.throwsAsync(of({ priorLoss: 'text', force: true }), {
    message: /:1: no finite number in the field "text"/,
  })
  await t.throwsAsync(of({ priorLoss: '' }), { code: 'ERR_TAMIS_TYPE', message: /priorLoss must be/ })
  await t.throwsAsync(of({ count: 11, force: true, onBadRecord: 'skip' }), {
    message: /count exceeds the 9 records/,
  })
  await writeFile(raw, '{"text":"x","prior_loss":1e300,"conditional_loss":1e300}\n')
  await t.throwsAsync(of({ count: 1, force: true }), {
    message: /losses must be numbers of float32, those of record 0/,
  })
})
