/**
 * Real mail in any amount: the corpus over and over, in another order each time and with one word in eight replaced,
 * so that no table of known words and pairs lives off repeated records.
 * @module
 */
import { readMail, writeJsonLines } from '../../scripts/spam-assassin.js'
import type { Workload } from '../bench.js'
import { randomNumbers, randomWord, writeRecords } from '../generate.js'

const REPLACED = 1 / 8
/** Of the replacements, those that are made up; the others are words of the corpus, rare ones as likely as common ones. */
const MADE_UP = 1 / 4

const words = /[\p{L}\p{N}_]+/gu

export const workload: Workload = {
  name: 'dsir',
  about:
    'SpamAssassin mail (4650 messages) over and over, shuffled, one word in eight replaced in every copy; ' +
    'target: 300 messages of spam; keep one record in ten',
  megabytes: 500,
  generate(raw, target, megabytes) {
    const mail = readMail()
    const rival = mail.filter((m) => m.group !== 'spam-2')
    writeJsonLines(target, mail.filter((m) => m.group === 'spam-2').slice(0, 300))
    const vocabulary = [...new Set(rival.flatMap((m) => m.text.toLowerCase().match(words) ?? []))]
    const random = randomNumbers(1)
    const other = (word: string): string => {
      if (random() >= REPLACED) return word
      if (random() < MADE_UP) return randomWord(random, 3, 9)
      return vocabulary[Math.floor(random() * vocabulary.length)] as string
    }
    writeRecords(raw, megabytes, function* () {
      for (let copy = 0; ; copy++) {
        const order = rival.map((_, i) => i)
        for (let i = order.length - 1; i > 0; i--) {
          const j = Math.floor(random() * (i + 1))
          ;[order[i], order[j]] = [order[j] as number, order[i] as number]
        }
        for (const i of order) {
          const { id, text, ...rest } = rival[i] as (typeof rival)[number]
          yield { id: `${copy}/${id}`, ...rest, text: text.replace(words, other) }
        }
      }
    })
  },
}
