/**
 * CoLoR-Filter's headline, small: from mail of all kinds it finds the spam when models know 300 messages of other spam,
 * and the difference of two losses finds more than the second loss alone.
 *
 * The language models are stand-ins: frequencies of hashed n-grams, of the raw mail (the prior), and its even mixture with
 * those of the target (the prior, fine-tuned).
 * @module
 */
import { corpus, kernels, type Tensor, tensor } from 'tamis'
import { headlineMail, type Mail } from '../scripts/spam-assassin.js'
import { Conditions } from './check.js'

const MIN_TOKENS = 100
const TAU = 10

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const { raw, target } = headlineMail()
  const texts = (mail: readonly Mail[]): string[] => mail.map((m) => m.text)
  const [prior, tuned] = await Promise.all(
    [raw, target].map(async (mail) => addOne(await kernels.countNgrams(texts(mail)))),
  )
  const [before, after] = [prior as Float64Array, mixed(prior as Float64Array, tuned as Float64Array)]
  const rows = await kernels.hashNgrams(texts(raw))
  const candidates = raw.flatMap((_, i) => ((rows.tokens.data[i] as number) >= MIN_TOKENS ? [i] : []))
  const losses = (model: Float64Array): Tensor =>
    tensor(
      'float32',
      [candidates.length],
      candidates.map((i) => meanLoss(rows, i, model)),
    )
  const [priorLosses, conditional] = [losses(before), losses(after)]
  const { indices } = corpus.filterByLossReduction(priorLosses, conditional, { tau: TAU })
  const share = (of: ArrayLike<number>): number =>
    Array.from(of, (i) => raw[candidates[i] as number] as Mail).filter((m) => m.label === 'spam').length /
    of.length
  const k = indices.data.length
  const byLoss = (x: Tensor, largest: boolean) => share(kernels.topKSync(x, { k, largest }).indices.data)
  const [kept, low] = [share(indices.data), byLoss(conditional, false)]
  console.log(
    `      ${candidates.length} candidates, ${percent(share(candidates.map((_, i) => i)))} of them spam; ${k} kept; ` +
      `spam among those of the highest prior loss: ${percent(byLoss(priorLosses, true))}`,
  )
  conditions.must('spam among the kept, at least 75 %', percent(kept), kept >= 0.75)
  conditions.must(
    'at least 20 points above those of the lowest conditional loss',
    `${percent(kept)} against ${percent(low)}`,
    kept >= low + 0.2,
  )
  return conditions
}

/** Counts, one more of each, as shares. */
function addOne(counts: Tensor): Float64Array {
  const more = Float64Array.from(counts.data as Float64Array, (n) => n + 1)
  const total = more.reduce((sum, n) => sum + n, 0)
  return more.map((n) => n / total)
}

function mixed(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((x, i) => (x + (b[i] as number)) / 2)
}

/** Of a text's n-grams. */
function meanLoss(
  rows: Awaited<ReturnType<typeof kernels.hashNgrams>>,
  text: number,
  model: Float64Array,
): number {
  const [from, to] = [rows.offsets.data[text] as number, rows.offsets.data[text + 1] as number]
  let [loss, count] = [0, 0]
  for (let at = from; at < to; at++) {
    const n = rows.counts.data[at] as number
    loss -= n * Math.log(model[rows.buckets.data[at] as number] as number)
    count += n
  }
  return loss / count
}

const percent = (x: number): string => `${(100 * x).toFixed(1)} %`
