/**
 * The worst case for tables of known words and pairs: three words in four have never been seen before, and hardly a
 * pair comes twice, so that nearly every n-gram has to be hashed.
 * @module
 */
import { readMail, writeJsonLines } from '../../scripts/spam-assassin.js'
import type { Workload } from '../bench.js'
import { randomNumbers, randomWord, writeRecords } from '../generate.js'

export const workload: Workload = {
  name: 'dsir-low-repetition',
  about:
    'random words of 2 to 12 letters, 500 a record: hardly an n-gram comes twice; target: 300 messages of spam; ' +
    'keep one record in ten',
  megabytes: 200,
  generate(raw, target, megabytes) {
    writeJsonLines(
      target,
      readMail()
        .filter((m) => m.group === 'spam-2')
        .slice(0, 300),
    )
    const random = randomNumbers(2)
    writeRecords(raw, megabytes, function* () {
      for (let id = 0; ; id++) {
        const text = Array.from({ length: 500 }, () => randomWord(random, 2, 12)).join(' ')
        yield { id: String(id), text }
      }
    })
  },
}
