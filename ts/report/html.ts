/**
 * Markup from untrusted text. Everything put into a {@link html} template is escaped unless it is {@link Markup}
 * itself, so that a document's text can neither run nor change the page.
 * @hidden
 * @module
 */

/** Markup that is safe as it stands. */
export class Markup {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

type Part = string | number | Markup | readonly Part[] | undefined | false

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Half of a pair is no character. */
function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\ufffd')
}

/** Text for an element or a quoted attribute. */
export function escapeText(text: string): string {
  return wellFormed(text).replace(/[&<>"']/g, (c) => ENTITIES[c] as string)
}

function toMarkup(part: Part): string {
  if (part === undefined || part === false) return ''
  if (part instanceof Markup) return part.text
  if (typeof part === 'object') return part.map(toMarkup).join('')
  return escapeText(String(part))
}

/** A template whose values are escaped. */
export function html(strings: TemplateStringsArray, ...parts: Part[]): Markup {
  return new Markup(strings.reduce((text, s, i) => text + toMarkup(parts[i - 1]) + s))
}

/**
 * What a reader cannot see, or what turns the text round: controls, bidirectional marks, embeddings, overrides and
 * isolates, zero-width spaces, interlinear annotation. Joiners stay: scripts and emoji need them.
 */
const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/gu

function codePoint(c: string): string {
  return `U+${(c.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')}`
}

/** A document's text: unseen characters become labels, line ends `\n`. */
export function documentText(text: string): Markup {
  const lines = escapeText(text.replace(/\r\n?/g, '\n'))
  return new Markup(
    lines.replace(
      UNSEEN,
      (c) => `<span class="unseen" title="a character that cannot be seen">${codePoint(c)}</span>`,
    ),
  )
}

/** Text for one line of a drawing: unseen characters spelled out, spaces joined, cut to `length` code points. */
export function labelText(text: string, length: number): string {
  const line = wellFormed(text).replace(/\s+/g, ' ').replace(UNSEEN, codePoint).trim()
  return cutText(line, length)
}

/** The first `length` code points, with an ellipsis where something is missing. */
export function cutText(text: string, length: number): string {
  const points = [...text]
  return points.length <= length ? text : `${points.slice(0, length - 1).join('')}…`
}

/**
 * Paths for lines of a drawing. Of those that are too long first goes what they have in common, then the middle, as
 * names differ at their ends.
 */
export function pathLabels(paths: readonly string[], length: number): string[] {
  const labels = paths.map((path) => labelText(path, Number.MAX_SAFE_INTEGER))
  const isLong = (label: string) => [...label].length > length
  const long = labels.filter(isLong)
  const start = commonStart(long)
  const end = commonStart(long.map((label) => [...label.slice(start)].reverse().join('')))
  return labels.map((label) => {
    if (!isLong(label)) return label
    const own = label.slice(start, label.length - end)
    return cutMiddle(`${start > 0 ? '…' : ''}${own}${end > 0 ? '…' : ''}`, length)
  })
}

/** How many characters all begin with, up to a border between words. */
function commonStart(labels: readonly string[]): number {
  const [first = '', ...others] = labels
  if (others.length === 0) return 0
  let common = 0
  while (common < first.length && others.every((label) => label[common] === first[common])) common++
  const border = /^.*[/._-]/s.exec(first.slice(0, common))
  return border === null ? 0 : border[0].length
}

function cutMiddle(text: string, length: number): string {
  const points = [...text]
  if (points.length <= length) return text
  const tail = Math.ceil((length - 1) * 0.6)
  return `${points.slice(0, length - 1 - tail).join('')}…${points.slice(-tail).join('')}`
}
