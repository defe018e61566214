/**
 * A call on checkpoints as a page: what became of an update, layer by layer and tensor by tensor.
 * @hidden
 * @module
 */
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatPlural,
  formatShare,
  formatSignificant,
} from '../format.js'
import { drawStacks } from './bars.js'
import type { WeightsReport, WeightsTensorReport } from './data.js'
import type { Plotting } from './draw.js'
import { html, labelText, type Markup } from './html.js'
import type { Content } from './page.js'
import { type Column, type Figure, MOST_ROWS, showCommand, showOptions, showTable } from './parts.js'
import { partOf } from './shares.js'

/** More layers than these share bars. */
const MOST_LAYERS = 40

type Tensors = readonly WeightsTensorReport[]

/** One number that is looked at in every tensor, and in several together. */
interface Measure {
  head: string
  axis: string
  note: string
  share: boolean
  of: (tensors: Tensors) => number
}

/** What the page of a call on checkpoints says. */
export function weightsContent(
  report: WeightsReport,
  command: string | undefined,
  plotting: Plotting,
): Content {
  const { tensors, models, inputs, options, outputs } = report
  const measure = measureOf(report)
  const layers = layersOf(tensors)
  const agreement = agreementOf(report)
  return {
    kind: 'Weights',
    title: titleOf(report),
    lead: `${formatPlural(report.totals.elements, 'number')} in ${formatPlural(report.totals.tensors, 'tensor')}, read from ${formatPlural(inputs.length, 'file')}.`,
    sections: [
      ['run', 'What ran'],
      layers.length > 1 && ['layers', 'Layers'],
      ['tensors', 'Tensors'],
      models.length > 0 && ['models', 'Models'],
      agreement.length > 0 && ['agreement', 'Agreement'],
      ['details', 'Files and options'],
    ],
    figures: figuresOf(report, measure),
    main: [
      html`<section id="run"><h2>What ran</h2>
${showCommand(command)}
</section>`,
      layers.length > 1 && showLayers(layers, measure, plotting),
      showTensors(report, measure, plotting),
      models.length > 0 && showModels(report, plotting),
      agreement.length > 0 && showAgreement(agreement, report, plotting),
      html`<section id="details"><h2>Files and options</h2>
${showFiles('Read', inputs)}
${showFiles('Written', outputs)}
${showOptions(options)}
</section>`,
    ],
    terms: [
      ['Update', 'What a model has more than its base: the difference, number by number.'],
      ['Norm', 'The square root of the sum of squares of all numbers: the Euclidean length.'],
      tensors.some(({ base }) => base !== undefined) && [
        'Change',
        'The norm of the update that was written, as a share of the norm of the same weights in the base.',
      ],
    ],
  }
}

function titleOf({ method, models, totals }: WeightsReport): string {
  if (method === 'compeft')
    return `An update of ${formatPlural(totals.tensors, 'tensor')} compressed to signs`
  if (method === 'expand-update') return `An update of ${formatPlural(totals.tensors, 'tensor')} expanded`
  const all = formatPlural(models.length, 'model')
  return method === 'tall-masks' ? `${all} in one file` : `${all} merged`
}

/** The norm of several parts together. */
function norm(tensors: Tensors, of: (tensor: WeightsTensorReport) => number): number {
  return Math.sqrt(tensors.reduce((sum, tensor) => sum + of(tensor) ** 2, 0))
}

const changeOf = (tensors: Tensors) =>
  partOf(
    norm(tensors, ({ written }) => written),
    norm(tensors, ({ base }) => base ?? 0),
  )

function measureOf({ tensors }: WeightsReport): Measure {
  if (tensors.some(({ nonzeros }) => nonzeros !== undefined)) {
    const sum = (all: Tensors, of: (one: WeightsTensorReport) => number) =>
      all.reduce((total, one) => total + of(one), 0)
    return {
      head: 'Share kept',
      axis: 'Signs that were kept (%)',
      note: 'The share of its numbers whose sign was kept: where the update is large.',
      share: true,
      of: (all) =>
        partOf(
          sum(all, ({ nonzeros }) => nonzeros ?? 0),
          sum(all, ({ elements }) => elements),
        ),
    }
  }
  if (tensors.some(({ base }) => base !== undefined)) {
    return {
      head: 'Change',
      axis: 'Change (%)',
      note: 'The norm of the update that was written, as a share of the norm of the base.',
      share: true,
      of: changeOf,
    }
  }
  return {
    head: 'Norm',
    axis: 'Norm of the update',
    note: 'The norm of the update that was written.',
    share: false,
    of: (all) => norm(all, ({ written }) => written),
  }
}

function formatMeasure({ share }: Measure, value: number): string {
  return share ? formatShare(value) : formatSignificant(value)
}

function figuresOf(report: WeightsReport, measure: Measure): (Figure | false)[] {
  const { tensors, totals, inputs, outputs, signs, seconds } = report
  const bytes = (files: WeightsReport['inputs']) => files.reduce((sum, file) => sum + file.bytes, 0)
  const [first] = mostOf(tensors, measure)
  return [
    ['Numbers', formatCount(totals.elements), `in ${formatPlural(totals.tensors, 'tensor')} of the update`],
    [measure.head, formatMeasure(measure, measure.of(tensors)), 'over all tensors'],
    first !== undefined && [
      `Largest ${measure.head.toLowerCase()}`,
      formatMeasure(measure, measure.of([first])),
      `in ${labelText(first.name, 60)}`,
    ],
    signs !== undefined && [
      'Smaller than in half precision',
      `${formatSignificant(signs.denseBits / 8 / Math.max(1, bytes(outputs)))} times`,
      `${formatCount(signs.kept)} signs and the scale ${formatSignificant(signs.scale)}`,
    ],
    ['Written', formatBytes(bytes(outputs)), `from ${formatBytes(bytes(inputs))} of files`],
    [
      'Time taken',
      formatDuration(seconds),
      `${formatBytes(bytes(inputs) / Math.max(seconds, 1e-3))} of files a second`,
    ],
  ]
}

/** The tensors by a measure, largest first. */
function mostOf(tensors: Tensors, { of }: Measure): WeightsTensorReport[] {
  return [...tensors].sort((a, b) => of([b]) - of([a])).slice(0, MOST_ROWS)
}

interface Layers {
  name: string
  tensors: WeightsTensorReport[]
}

/** The tensors by the first number in their names, in the order of the numbers; without those that have none. */
function layersOf(tensors: Tensors): Layers[] {
  const layers = new Map<number, WeightsTensorReport[]>()
  for (const tensor of tensors) {
    const [, number] = /(?:^|\.)(\d{1,6})(?:\.|$)/.exec(tensor.name) ?? []
    if (number === undefined) continue
    const layer = layers.get(Number(number)) ?? []
    layer.push(tensor)
    layers.set(Number(number), layer)
  }
  const sorted = [...layers].sort(([a], [b]) => a - b)
  const size = Math.ceil(sorted.length / MOST_LAYERS)
  const rows: Layers[] = []
  for (let i = 0; i < sorted.length; i += size) {
    const part = sorted.slice(i, i + size)
    const [first, last] = [part[0]?.[0], part.at(-1)?.[0]]
    rows.push({
      name: first === last ? `Layer ${first}` : `Layers ${first} to ${last}`,
      tensors: part.flatMap(([, own]) => own),
    })
  }
  return rows
}

function showLayers(layers: readonly Layers[], measure: Measure, plotting: Plotting): Markup {
  const rows = layers.map(({ name, tensors }) => ({ name, value: measure.of(tensors) }))
  return html`<section id="layers"><h2>Layers</h2>
<p class="note">${measure.note} Layers are told by the first number in the names of their tensors.</p>
<figure>${drawBars(rows, measure, 'each layer', plotting)}</figure>
</section>`
}

function showTensors({ tensors }: WeightsReport, measure: Measure, plotting: Plotting): Markup {
  const most = mostOf(tensors, measure)
  const number = (
    head: string,
    of: (tensor: WeightsTensorReport) => string,
  ): Column<WeightsTensorReport> => ({ head, is: 'number', of })
  const columns: Column<WeightsTensorReport>[] = [
    { head: 'Tensor', is: 'name', of: ({ name }) => name },
    number('Numbers', ({ elements }) => formatCount(elements)),
    ...(measure.head === 'Norm'
      ? []
      : [number(measure.head, (one) => formatMeasure(measure, measure.of([one])))]),
    number('Norm written', ({ written }) => formatSignificant(written)),
  ]
  if (most.some(({ base }) => base !== undefined)) {
    columns.push(
      number('Norm of the base', ({ base }) => (base === undefined ? '' : formatSignificant(base))),
    )
  }
  const labels = apart(most.map(({ name }) => name))
  const rows = most.map((one, row) => ({ name: labels[row] as string, value: measure.of([one]) }))
  return html`<section id="tensors"><h2>Tensors</h2>
<p class="note">${measure.note} ${tensors.length > most.length ? `The ${most.length} largest of ${formatPlural(tensors.length, 'tensor')}.` : 'Largest first.'}</p>
<figure>${drawBars(rows, measure, 'each tensor', plotting)}</figure>
${showTable('Tensors', columns, most)}
</section>`
}

/** Names without the parts at both ends that all of them share. */
function apart(names: readonly string[]): string[] {
  const parts = names.map((name) => name.split('.'))
  const shortest = Math.min(...parts.map(({ length }) => length))
  const shared = (place: (own: string[], i: number) => string | undefined, most: number) => {
    let n = 0
    while (n < most && parts.every((own) => place(own, n) === place(parts[0] as string[], n))) n++
    return n
  }
  const first = shared((own, i) => own[i], shortest - 1)
  const last = shared((own, i) => own.at(-1 - i), shortest - 1 - first)
  return parts.map((own) => own.slice(first, own.length - last).join('.'))
}

function showModels({ models, tensors }: WeightsReport, plotting: Plotting): Markup {
  const written = norm(tensors, (one) => one.written)
  const rows = models.map((name, m) => ({ name, value: norm(tensors, (one) => one.updates[m] ?? 0) }))
  const measure: Measure = { head: 'Norm', axis: 'Norm of the update', note: '', share: false, of: () => 0 }
  return html`<section id="models"><h2>Models</h2>
<p class="note">The norm of each model's update. The line is the update that was written: ${formatSignificant(written)}. It is shorter where updates point in different directions and cancel.</p>
<figure>${drawBars(rows.slice(0, MOST_ROWS), measure, 'each model', plotting, written)}</figure>
${models.length > MOST_ROWS && html`<p class="note">The first ${MOST_ROWS} of ${formatPlural(models.length, 'model')}.</p>`}
</section>`
}

/** Of a consensus how many updates need a number; of masks how much of it each keeps. */
function agreementOf({ histogram, densities }: WeightsReport): { name: string; value: number }[] {
  if (histogram !== undefined) {
    const all = histogram.reduce((sum, n) => sum + n, 0)
    return histogram.map((n, agree) => ({
      name: agree === 0 ? 'None' : formatPlural(agree, 'model'),
      value: partOf(n, all),
    }))
  }
  return Object.entries(densities ?? {}).map(([name, value]) => ({ name, value }))
}

function showAgreement(
  rows: readonly { name: string; value: number }[],
  { histogram }: WeightsReport,
  plotting: Plotting,
): Markup {
  const axis = 'Share of the numbers (%)'
  const measure: Measure = { head: 'Share', axis, note: '', share: true, of: () => 0 }
  const note =
    histogram !== undefined
      ? 'How many models need a number of the summed update.'
      : 'The share of the summed update that each model keeps.'
  return html`<section id="agreement"><h2>Agreement</h2>
<p class="note">${note}</p>
<figure>${drawBars(rows.slice(0, MOST_ROWS), measure, histogram === undefined ? 'each model' : 'each number of models', plotting)}</figure>
</section>`
}

function drawBars(
  rows: readonly { name: string; value: number }[],
  measure: Measure,
  each: string,
  plotting: Plotting,
  rule?: number,
): Markup {
  const told = rows
    .slice(0, 6)
    .map(({ name, value }) => `${labelText(name, 60)}: ${formatMeasure(measure, value)}.`)
  return drawStacks(
    plotting,
    rows.map(({ name, value }) => ({
      name,
      parts: [{ value: measure.share ? 100 * value : value, fill: 'var(--kept)' }],
      text: formatMeasure(measure, value),
    })),
    {
      label: `Bars: ${measure.axis} of ${each}. ${told.join(' ')}`,
      axis: measure.axis,
      ...(rule !== undefined && { rule }),
    },
  )
}

function showFiles(title: string, files: WeightsReport['inputs']): Markup | false {
  const columns: Column<{ path: string; bytes: number }>[] = [
    { head: 'File', is: 'name', of: ({ path }) => path },
    { head: 'Size', is: 'number', of: ({ bytes }) => formatBytes(bytes) },
  ]
  return (
    files.length > 0 &&
    html`<h3>${title}</h3>
${showTable(title, columns, files.slice(0, MOST_ROWS))}
${files.length > MOST_ROWS && html`<p class="note">The first ${MOST_ROWS} of ${formatPlural(files.length, 'file')}; the manifest beside the output lists them all.</p>`}`
  )
}
