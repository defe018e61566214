/**
 * ZIP-FIT's headline, small: with twenty messages of spam as targets it finds the spam among ordinary mail.
 *
 * The paper's claim is that selections of higher alignment make a model learn faster. Here the two conditions are the
 * share of spam among the kept, and that spam is better aligned than the rest.
 * @module
 */
import { corpus, kernels } from 'tamis'
import { type Mail, readMail } from '../scripts/spam-assassin.js'
import { Conditions } from './check.js'

const SHORTEST = 200
const LONGEST = 2000
const TARGETS = 20
const HAM = 530
const SPAM = 70
const KEEP = 60

/** Runs it; the conditions are printed as they are met. */
export async function reproduce(): Promise<Conditions> {
  const conditions = new Conditions()
  const mail = readMail()
    .map((m) => ({ ...m, text: [...m.text].slice(0, LONGEST).join('') }))
    .filter((m) => [...m.text].length >= SHORTEST)
  const targets = first(
    TARGETS,
    mail.filter((m) => m.group === 'spam-2'),
    2,
  )
  const ham = first(
    HAM,
    mail.filter((m) => m.label === 'ham'),
    3,
  )
  const spam = first(
    SPAM,
    mail.filter((m) => m.group === 'spam-1'),
    4,
  )
  const pool = [...ham, ...spam]
  const texts = (messages: readonly Mail[]): string[] => messages.map((m) => m.text)
  const share = async (level: number) => {
    const { indices, scores } = await corpus.selectByCompression(texts(pool), texts(targets), {
      count: KEEP,
      level,
    })
    const found = Array.from(indices.data, (i) => pool[i] as Mail).filter((m) => m.label === 'spam')
    return { share: found.length / KEEP, scores: scores.data }
  }
  const [six, nine, one] = [await share(6), await share(9), await share(1)]
  console.log(
    `      ${pool.length} messages, ${percent(SPAM / pool.length)} of them spam; ${TARGETS} of other spam as targets; ` +
      `${KEEP} kept; spam among them at level 9: ${percent(nine.share)}, at level 1: ${percent(one.share)}`,
  )
  conditions.must('spam among the kept, at least 45 %', percent(six.share), six.share >= 0.45)
  const [hamMean, spamMean] = [mean(six.scores.slice(0, HAM)), mean(six.scores.slice(HAM))]
  conditions.must(
    'spam is better aligned than ham',
    `${spamMean.toFixed(4)} against ${hamMean.toFixed(4)}`,
    spamMean > hamMean,
  )
  return conditions
}

/** The first `count` of some messages in the order of a permutation. */
function first<T>(count: number, messages: readonly T[], seed: number): T[] {
  const order = kernels.permutationSync(messages.length, { seed })
  return Array.from(order.data.slice(0, count), (i) => messages[i] as T)
}

const mean = (values: Float64Array): number => values.reduce((a, b) => a + b, 0) / values.length
const percent = (x: number): string => `${(100 * x).toFixed(1)} %`
