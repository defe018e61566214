/**
 * Drawings as markup. Each is drawn twice, for a wide and for a narrow page, as text in a drawing cannot flow; the
 * style sheet shows one of them. Colours are the style sheet's variables.
 * @hidden
 * @module
 */
import { html, Markup } from './html.js'

/** The plotting library. */
export type Plotting = typeof import('./plot.js')

/** What a drawing is made for. */
export interface Page {
  width: number
  narrow: boolean
}

const PAGES: readonly Page[] = [
  { width: 760, narrow: false },
  { width: 340, narrow: true },
]

/** Draws: `build` gives Plot's options for a page. `label` is what a screen reader says. */
export function draw(
  plotting: Plotting,
  label: string,
  build: (page: Page) => Parameters<Plotting['plot']>[0],
): Markup {
  const drawings = PAGES.map((page) => {
    const options = {
      document: plotting.emptyDocument() as never,
      className: 'chart',
      width: page.width,
      ...build(page),
    }
    const { outerHTML } = plotting.plot(options) as unknown as { outerHTML: string }
    const which = page.narrow ? 'narrow' : 'wide'
    return html`<div class="${which}" role="img" aria-label="${label}">${new Markup(outerHTML)}</div>`
  })
  return html`${drawings}`
}
