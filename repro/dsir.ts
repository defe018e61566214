/**
 * DSIR's headline, small: from mail of all kinds it finds the spam when 300 messages of spam are the target.
 *
 * The paper's claim is that the KL reduction of a selection predicts how a model trained on it does, and that DSIR
 * beats random selection. Here the three conditions are the share of spam among the kept, the KL reduction against
 * spam that the fit never saw, and how well the n-grams of the kept predict that spam.
 * @module
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { corpus, kernels, type Tensor } from 'tamis'
import { headlineMail, type Mail, writeJsonLines } from '../scripts/spam-assassin.js'
import { Conditions } from './check.js'

const KEEP = 400
const MIN_TOKENS = 100
const SMOOTHING = 1

const textsOf = (mail: readonly Mail[]): string[] => mail.map((m) => m.text)
const spamShare = (mail: readonly Mail[]): number =>
  mail.filter((m) => m.label === 'spam').length / mail.length

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const { raw, target, heldOut } = headlineMail()
  const { indices, tokens } = await corpus.selectByImportance(textsOf(raw), textsOf(target), { count: KEEP })
  const kept = pick(raw, indices)
  const candidates = raw.filter((_, i) => Number(tokens.data[i]) >= MIN_TOKENS)
  console.log(
    `      ${raw.length} messages, ${candidates.length} of ${MIN_TOKENS} tokens or more, ` +
      `${percent(spamShare(candidates))} of them spam; ${target.length} messages of other spam as target, ` +
      `${heldOut.length} held out; ${kept.length} kept`,
  )
  const counts = async (mail: readonly Mail[]): Promise<Tensor> => kernels.countNgrams(textsOf(mail))
  const [rawCounts, heldOutCounts, keptCounts] = [
    await counts(raw),
    await counts(heldOut),
    await counts(kept),
  ]
  const random = await Promise.all(
    [1, 2].map(async (seed) => {
      const order = kernels.permutationSync(candidates.length, { seed })
      const mail = Array.from(order.data.slice(0, KEEP), (i) => candidates[Number(i)] as Mail)
      return { mail, counts: await counts(mail) }
    }),
  )

  const share = spamShare(kept)
  conditions.must(
    'spam among the kept, at least 65 %',
    `${percent(share)} (random: ${random.map((r) => percent(spamShare(r.mail))).join(', ')})`,
    share >= 0.65,
  )
  const reduction = corpus.klReduction(heldOutCounts, rawCounts, keptCounts)
  const reductions = random.map((r) => corpus.klReduction(heldOutCounts, rawCounts, r.counts).toFixed(3))
  conditions.must(
    'KL reduction against held-out spam, at least 0.1',
    `${reduction.toFixed(3)} (random: ${reductions.join(', ')})`,
    reduction >= 0.1,
  )
  const surprise = perplexity(heldOutCounts, keptCounts)
  const surprises = random.map((r) => perplexity(heldOutCounts, r.counts))
  conditions.must(
    'perplexity of held-out spam under the kept, at least 10 % below random',
    `${surprise.toFixed(0)} (random: ${surprises.map((s) => s.toFixed(0)).join(', ')})`,
    surprises.every((s) => surprise <= 0.9 * s),
  )
  await checkInvariance(conditions, raw, target, kept)
  return conditions
}

/** The same records however the files are cut, and whatever number of threads reads them. */
async function checkInvariance(
  conditions: Conditions,
  raw: readonly Mail[],
  target: readonly Mail[],
  kept: readonly Mail[],
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tamis-repro-'))
  try {
    const targetFile = join(folder, 'target.jsonl')
    writeJsonLines(targetFile, target)
    const want = digest(kept.map((m) => m.id))
    for (const files of [1, 3, 16]) {
      const names = cut(raw, files).map((part, i) => {
        const name = join(folder, `raw-${files}-${String(i).padStart(2, '0')}.jsonl`)
        writeJsonLines(name, part)
        return name
      })
      for (const threads of [1, 8]) {
        const out = join(folder, 'kept.jsonl')
        await corpus.selectFilesByImportance(names, [targetFile], { count: KEEP, out, threads, force: true })
        const ids = readFileSync(out, 'utf8')
          .trimEnd()
          .split('\n')
          .map((line) => (JSON.parse(line) as Mail).id)
        conditions.must(
          `raw in ${files} ${files === 1 ? 'file' : 'files'}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
          `${ids.length} records, SHA-256 of their ids ${digest(ids).slice(0, 12)}`,
          digest(ids) === want,
        )
      }
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Of the n-grams `test`, under add-one counts of `model`. */
function perplexity(test: Tensor, model: Tensor): number {
  const counts = model.data as Float64Array
  const total = sum(counts) + SMOOTHING * counts.length
  let logLikelihood = 0
  const tested = test.data as Float64Array
  for (const [b, n] of tested.entries())
    logLikelihood += n * Math.log(((counts[b] as number) + SMOOTHING) / total)
  return Math.exp(-logLikelihood / sum(tested))
}

function cut<T>(items: readonly T[], parts: number): T[][] {
  const border = (part: number): number => Math.round((part * items.length) / parts)
  return Array.from({ length: parts }, (_, part) => items.slice(border(part), border(part + 1)))
}

const sum = (values: Float64Array): number => values.reduce((a, b) => a + b, 0)
const pick = (mail: readonly Mail[], indices: Tensor): Mail[] =>
  Array.from(indices.data as Uint32Array, (i) => mail[i] as Mail)
const digest = (ids: readonly string[]): string => createHash('sha256').update(ids.join('\n')).digest('hex')
const percent = (x: number): string => `${(100 * x).toFixed(1)} %`
