/**
 * The plotting library and the document that it draws into: the only module that loads them. The build bundles it,
 * with all that it imports, into one file.
 * @hidden
 * @module
 */
import { barX, dot, gridX, plot, rectY, ruleX, text, tickX } from '@observablehq/plot'
import { parseHTML } from 'linkedom'

export { barX, dot, gridX, plot, rectY, ruleX, text, tickX }

/** An empty document without a browser. */
export function emptyDocument(): unknown {
  return parseHTML('<!doctype html><html><body></body></html>').document
}
