/**
 * Time against size, drawn.
 * @module
 */
import { dot, line, plot, text } from '@observablehq/plot'
import { parseHTML } from 'linkedom'

/** What was measured of one workload. */
export interface Curve {
  name: string
  sizes: readonly number[]
  seconds: readonly number[]
}

/** An SVG file with a line for each workload; sizes are drawn relative to the smallest, since their units differ. */
export function drawScaling(curves: readonly Curve[]): string {
  const points = curves.flatMap(({ name, sizes, seconds }) =>
    sizes.map((size, i) => ({ name, size: size / (sizes[0] as number), seconds: seconds[i] as number })),
  )
  const ends = curves.map(({ name }) => points.findLast((point) => point.name === name))
  const at = { x: 'size', y: 'seconds' }
  const drawing = plot({
    document: parseHTML('<!doctype html><html><body></body></html>').document as never,
    width: 640,
    height: 400,
    marginLeft: 56,
    marginRight: 96,
    marginBottom: 44,
    // Of a string, the document would have to parse it.
    style: { background: 'white', color: 'black', font: '12px sans-serif' },
    x: { type: 'log', label: 'Size relative to the smallest', tickFormat: ',' },
    y: { type: 'log', label: 'Seconds', grid: true, tickFormat: '~g' },
    color: { scheme: 'observable10' },
    marks: [
      line(points, { ...at, stroke: 'name' }),
      dot(points, { ...at, fill: 'name', r: 2.5 }),
      text(ends, { ...at, text: 'name', fill: 'name', textAnchor: 'start', dx: 6 }),
    ],
  }) as unknown as { outerHTML: string }
  return `${drawing.outerHTML.replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" ')}\n`
}
