import { maxOf, minOf } from '../core/extremes.js'
import { isLogarithmic } from '../core/is-logarithmic.js'
import { estimateWidth } from './text-width.js'

/** One look for all figures: legible at 800 pixels, told apart by people of any colour vision. */

/** Okabe and Ito's palette without its yellow, which is faint on white. */
export const palette = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000', '#8B5E3C'] as const

export const font = 'DejaVu Sans, Verdana, sans-serif'

export const size = { width: 640, height: 380 } as const

export const config = {
  background: 'white',
  font,
  padding: 16,
  title: { fontSize: 16, subtitleFontSize: 12, subtitleColor: '#555', anchor: 'start', offset: 14, subtitlePadding: 5 },
  axis: {
    labelFontSize: 12,
    titleFontSize: 13,
    titlePadding: 10,
    gridColor: '#e6e6e6',
    domainColor: '#888',
    tickColor: '#888',
    labelOverlap: 'parity',
    labelSeparation: 6,
  },
  legend: {
    labelFontSize: 12,
    gradientOpacity: 1,
    labelLimit: 320,
    titleFontSize: 12,
    symbolSize: 90,
    orient: 'top',
    direction: 'horizontal',
    offset: 6,
    columnPadding: 18,
    // Between two legends.
    layout: { top: { direction: 'horizontal', margin: 24 } },
    symbolOpacity: 1,
  },
  view: { stroke: '#bbb' },
  range: { category: [...palette] },
} as const

/** A specification's fixed parts; `subtitle` says seeds, settings and what was left out. */
export function frame(title: string, subtitle: readonly string[]): Record<string, unknown> {
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    title: { text: title, subtitle: [...subtitle] },
    config,
  }
}

/**
 * Names along an axis of so many pixels: across where they have room, else aslant, else upright, so that each is said; of more
 * than fit upright some are left out.
 */
export function nameAxis(names: readonly string[], room: number, fontSize: number): Record<string, unknown> {
  const step = room / names.length
  const fitsAcross = maxOf(names.map((name) => estimateWidth(name, fontSize))) + 6 <= step
  const leastAslant = fontSize * 1.2 * Math.SQRT2
  return {
    labelAngle: fitsAcross ? 0 : step >= leastAslant ? -45 : -90,
    labelLimit: 160,
    labelOverlap: fitsAcross || step >= fontSize * 1.15 ? false : 'parity',
  }
}

/** A colour for each name: the palette while it lasts, a sequence when there are more. */
export function coloured(field: string, title: string | null, domain: readonly string[]): Record<string, unknown> {
  const colours = domain.length <= palette.length ? { range: palette.slice(0, domain.length) } : { scheme: 'viridis' }
  return { field, type: 'nominal', title, sort: null, scale: { domain, ...colours }, ...fittingLegend(domain) }
}

/** What the symbol of a legend's label takes beside it, in pixels. */
const symbolPixels = 26

/** The legend in so many columns as a figure is wide, where its labels in one row would be wider. */
function fittingLegend(labels: readonly string[]): { legend?: { columns: number } } {
  const { labelFontSize, labelLimit, columnPadding } = config.legend
  const widths = labels.map(
    (label) => Math.min(labelLimit, estimateWidth(label, labelFontSize)) + symbolPixels + columnPadding,
  )
  if (widths.reduce((sum, width) => sum + width, 0) <= size.width) return {}
  return { legend: { columns: Math.max(1, Math.floor(size.width / maxOf(widths))) } }
}

/** A number as a colour, evenly in its logarithm where the values lie so, with a scale above the figure. */
export function gradient(field: string, title: string, values: readonly number[]): Record<string, unknown> {
  const isLog = isLogarithmic(values)
  const ticks = isLog ? ticksWithin(minOf(values), maxOf(values)) : []
  return {
    ...{ field, type: 'quantitative', title, scale: { scheme: 'viridis', ...(isLog ? { type: 'log' } : {}) } },
    legend: {
      ...{ gradientLength: 240, labelExpr: numberLabels(values) },
      ...(ticks.length >= 2 ? { values: ticks } : { tickCount: 4 }),
    },
  }
}

/**
 * Dashes and marks for the names that {@link coloured} colours, so that they differ without colour too, while there are few.
 * Lines that have marks are named by those in the legend, other lines by their dashes.
 */
export function apart(field: string, title: string | null, domain: readonly string[]): Apart {
  if (domain.length < 2 || domain.length > shapes.length) return { line: {}, markedLine: {}, mark: {} }
  const told = { field, type: 'nominal', title, sort: null }
  const strokeDash = { ...told, scale: { domain, range: dashes.slice(0, domain.length) } }
  return {
    // As long as a dash and its gap are.
    line: { strokeDash: { ...strokeDash, legend: { symbolSize: 420 } } },
    // A scale of dashes would have its legend drawn in dashes, marks and all.
    markedLine: {
      strokeDash: {
        value: dashes[0],
        condition: domain.slice(1).map((name, i) => ({
          test: `datum[${JSON.stringify(field)}] === ${JSON.stringify(name)}`,
          value: dashes[i + 1],
        })),
      },
    },
    mark: { shape: { ...told, scale: { domain, range: shapes.slice(0, domain.length) } } },
  }
}

/** Encodings of a line without marks, of one that has marks, and of its marks. */
interface Apart {
  readonly line: object
  readonly markedLine: object
  readonly mark: object
}

/** Solid, dashed, dotted, dash-dotted … */
const dashes = [
  [1, 0],
  [6, 3],
  [2, 2],
  [8, 3, 2, 3],
  [10, 4],
  [4, 1, 1, 1],
]
const shapes = ['circle', 'square', 'triangle-up', 'diamond', 'triangle-down', 'cross']

/** The loss of a point or a cell as a colour, evenly in its logarithm, with a scale beside the figure. */
export function lossColour(format: string): Record<string, unknown> {
  return {
    field: 'loss',
    type: 'quantitative',
    title: 'loss',
    scale: { type: 'log', scheme: 'viridis' },
    legend: { orient: 'right', direction: 'vertical', format, gradientLength: 300 },
  }
}

/**
 * Labels of an axis that holds these values, all in one style: plain from a hundredth to ten thousand, 40k and 1.5M where none
 * but 0 is below 1, else powers of ten (1e-3, 1e-1, 1, 1e2).
 */
export function numberLabels(values: readonly number[]): string {
  const sizes = values.map(Math.abs).filter((value) => value > 0 && Number.isFinite(value))
  const [least, most] = [minOf(sizes), maxOf(sizes)]
  if (sizes.length === 0 || (least >= 0.01 && most < 10_000)) return "format(datum.value, '~g')"
  if (least >= 1) return "format(datum.value, '~s')"
  return "datum.value === 0 ? '0' : replace(replace(format(datum.value, '~e'), 'e+', 'e'), regexp('e0$'), '')"
}

/** The digits times the powers of ten from one that is at most `least` to one that is at least `most`, ascending. */
function stepsAround(least: number, most: number, digits: readonly number[] = [1, 2, 5]): number[] {
  const steps: number[] = []
  for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(most)); power++)
    for (const digit of digits) steps.push(Number(`${digit}e${power}`))
  return steps
}

/** Powers of ten where three and more lie within a range, else 1, 2 and 5 times them, else every digit times them. */
function ticksWithin(least: number, most: number): number[] {
  const within = (digits: readonly number[]): number[] =>
    stepsAround(least, most, digits).filter((step) => step >= least && step <= most)
  const [powers, steps] = [within([1]), within([1, 2, 5])]
  return powers.length >= 3 ? powers : steps.length >= 3 ? steps : within([1, 2, 3, 4, 5, 6, 7, 8, 9])
}

const extentOf = (values: readonly number[]): [number, number] =>
  values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [Infinity, 0])

/**
 * A logarithmic scale that holds the values (all above 0) and reaches to 1, 2 or 5 times a power of ten on both sides,
 * with that axis's labels.
 */
export function logarithmic(values: readonly number[]): { scale: object; axis: object } {
  const [least, most] = extentOf(values)
  const steps = stepsAround(least, most)
  const [low, high] = [steps.findLast((step) => step <= least)!, steps.find((step) => step >= most)!]
  const ticks = ticksWithin(low, high)
  return {
    scale: { type: 'log', domain: low === high ? [low / 2, high * 2] : [low, high], nice: false },
    axis: { values: ticks, labelExpr: numberLabels(ticks) },
  }
}

/** The same for values that stand side by side on an axis: it ends a little beyond the outermost. */
export function spread(values: readonly number[]): { scale: object; axis: object } {
  const ticks = ticksWithin(...extentOf(values))
  const labels = ticks.length >= 2 ? { values: ticks } : { tickCount: 5 }
  return {
    scale: { type: 'log', nice: false, padding: 12 },
    axis: { ...labels, labelExpr: numberLabels(ticks.length >= 2 ? ticks : values), grid: true },
  }
}

const collator = new Intl.Collator('en', { numeric: true })
const numbersIn = /(\d+(?:\.\d+)?(?:e[+-]?\d+)?)/

/** Names in the order a reader expects: numbers by size, also those within words; words by the alphabet. */
export function inReadingOrder(names: Iterable<string>): string[] {
  // Texts and numbers in turn.
  const keyed = [...names].map((name) => ({ name, value: Number(name), parts: name.split(numbersIn) }))
  keyed.sort((a, b) => {
    if (a.value !== b.value && !Number.isNaN(a.value - b.value)) return a.value - b.value
    for (const [i, part] of a.parts.entries()) {
      const other = b.parts[i]
      if (other === undefined || part === other) continue
      return i % 2 === 1 ? Number(part) - Number(other) : collator.compare(part, other)
    }
    return collator.compare(a.name, b.name)
  })
  return keyed.map(({ name }) => name)
}
