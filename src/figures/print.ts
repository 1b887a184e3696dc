import { maxOf } from '../core/extremes.js'
import { isMapping } from '../core/is-mapping.js'
import type { FigureFont } from './font.js'
import type { VegaLiteSpec } from './figure.js'
import { renderSvg, sizeOfSvg } from './render.js'
import { palette, nameAxis } from './style.js'
import { estimateWidth } from './text-width.js'

/** How figures are set for print; what is left out stays as on a screen. */
export interface PrintOptions {
  /**
   * The whole figure's width in inches, labels and legends included. Its text keeps 8 points, unless labels alone are wider:
   * then what draws the figure shrinks all of it.
   */
  readonly widthInches?: number
  /** False leaves title and subtitle to the paper's own caption. Default true. */
  readonly titled?: boolean
  /** Greys instead of colours. Default false. */
  readonly grey?: boolean
  readonly font?: FigureFont
}

/** Of CSS, in which figures are measured. */
export const pixelsPerInch = 96

/** A specification as it goes to print: the same data, another dress. */
export async function forPrint(spec: VegaLiteSpec, options: PrintOptions): Promise<VegaLiteSpec> {
  const { widthInches, titled = true, grey = false, font } = options
  const { title: _title, ...untitled } = spec
  let dressed: VegaLiteSpec = titled ? spec : untitled
  if (font !== undefined) dressed = withConfig(dressed, { font: `${font.family}, sans-serif` })
  if (grey) dressed = inGreys(dressed)
  return widthInches === undefined ? dressed : fitted(dressed, widthInches * pixelsPerInch)
}

/** Sizes in pixels: 8 points for text, a little more for what names it. */
const printConfig = {
  padding: 1,
  title: { fontSize: 12, subtitleFontSize: 10, offset: 8, subtitlePadding: 3 },
  axis: { labelFontSize: 10, titleFontSize: 10.7, titlePadding: 5, labelSeparation: 4 },
  legend: { labelFontSize: 10, titleFontSize: 10, symbolSize: 50, offset: 3, columnPadding: 10, gradientLength: 120 },
} as const

/** Bold letters are wider by this factor. */
const bold = 1.1

/** No part of a figure is narrower; below it nothing can be read. */
const minPlotPixels = 60

/**
 * The figure as wide as `target` pixels. What surrounds a plot does not grow with it, so its width is found by drawing: two
 * draws tell the surroundings, a third is exact. A legend that is wider than the figure is set in fewer columns.
 */
async function fitted(spec: VegaLiteSpec, target: number): Promise<VegaLiteSpec> {
  const small = withConfig(wrapped(spec, target), printConfig)
  for (const columns of [undefined, 4, 3, 2, 1]) {
    const columned = columns === undefined ? small : withLegendColumns(small, columns)
    const found = await ofWidth(columned, target)
    if (found !== undefined) return found
  }
  return scaled(small, Math.max(minPlotPixels, target - 120) / plotWidth(small))
}

/** How far a round's width may be from what is asked for, in pixels: the last is content with two. */
const roundTolerances = [1, 1, 1, 2] as const

/** The figure scaled to that width by drawing it a few times; `undefined` when it stays wider. */
async function ofWidth(spec: VegaLiteSpec, target: number): Promise<VegaLiteSpec | undefined> {
  const widthOf = async (one: VegaLiteSpec): Promise<number> => sizeOfSvg(await renderSvg(one)).width
  let factor = target / (await widthOf(spec))
  for (const tolerance of roundTolerances) {
    const width = await widthOf(scaled(spec, factor))
    if (Math.abs(width - target) <= tolerance) return scaled(spec, factor)
    factor = Math.max(minPlotPixels, plotWidth(spec) * factor + target - width) / plotWidth(spec)
  }
  return undefined
}

const parts = ['layer', 'hconcat', 'vconcat', 'concat'] as const

/** Every view of a specification, changed from the inside out. */
function eachView(spec: VegaLiteSpec, change: (view: VegaLiteSpec) => VegaLiteSpec): VegaLiteSpec {
  const inner = parts.flatMap((part) => {
    const views = spec[part]
    return Array.isArray(views) ? [[part, (views as VegaLiteSpec[]).map((view) => eachView(view, change))]] : []
  })
  return change({ ...spec, ...(Object.fromEntries(inner) as object) })
}

/** The figure with plots of that factor; names of axes are set in as many lines as their plot's sides ask for. */
function scaled(spec: VegaLiteSpec, factor: number, outer: Sides = {}): VegaLiteSpec {
  const sides = Object.fromEntries(
    (['width', 'height'] as const).flatMap((side) =>
      typeof spec[side] === 'number'
        ? [[side, Math.max(1, side === 'height' ? leastHeight(spec) : 0, spec[side] * factor)]]
        : [],
    ),
  )
  const here: Sides = { ...outer, ...sides }
  const inner = parts.flatMap((part) => {
    const views = spec[part]
    return Array.isArray(views) ? [[part, (views as VegaLiteSpec[]).map((view) => scaled(view, factor, here))]] : []
  })
  return { ...smaller(spec, factor, here), ...sides, ...(Object.fromEntries(inner) as object) }
}

/** A line of text for each name beside a view. */
function leastHeight({ encoding, data }: VegaLiteSpec): number {
  const up = isMapping(encoding) ? encoding.y : undefined
  const values = isMapping(data) ? data.values : undefined
  if (!isMapping(up) || up.type !== 'nominal' || typeof up.field !== 'string' || !Array.isArray(values)) return 0
  const { field } = up
  return 1.3 * printConfig.axis.labelFontSize * new Set(values.map((row: Record<string, unknown>) => row[field])).size
}

interface Sides {
  readonly width?: number
  readonly height?: number
}

function withWrappedTitles(
  encoding: Readonly<Record<string, unknown>>,
  { width, height }: Sides,
): Record<string, unknown> {
  const wrap = (channel: string, definition: unknown): unknown => {
    const room = channel === 'x' ? width : channel === 'y' ? height : undefined
    if (room === undefined || !isMapping(definition) || typeof definition.title !== 'string') return definition
    const title = wrapLine(definition.title, printConfig.axis.titleFontSize * bold, room)
    return channel === 'x' ? { ...turned(definition, room), title } : { ...definition, title }
  }
  return Object.fromEntries(
    Object.entries(encoding).map(([channel, definition]) => [channel, wrap(channel, definition)]),
  )
}

/** Names along an axis stand as they fit its new length. */
function turned(definition: Record<string, unknown>, room: number): Record<string, unknown> {
  const { type, scale, axis } = definition
  const names = isMapping(scale) ? scale.domain : undefined
  if (type !== 'nominal' || !Array.isArray(names) || !isMapping(axis)) return definition
  return { ...definition, axis: { ...axis, ...nameAxis(names.map(String), room, printConfig.axis.labelFontSize) } }
}

/** Points, words and colour scales within a plot of that factor: points and words shrink no further than can be read. */
function smaller(view: VegaLiteSpec, factor: number, sides: Sides): VegaLiteSpec {
  const { mark, encoding } = view
  const shrink = (name: string, least: number): object => {
    const value = isMapping(mark) ? mark[name] : undefined
    return typeof value === 'number' ? { [name]: Math.max(least, value * factor) } : {}
  }
  const legends = (of: Readonly<Record<string, unknown>>): Record<string, unknown> =>
    mapLegends(of, (legend) => shorterGradient(legend, factor))
  return {
    ...view,
    ...(isMapping(mark) ? { mark: { ...mark, ...shrink('size', 9), ...shrink('fontSize', 8) } } : {}),
    ...(isMapping(encoding) ? { encoding: withWrappedTitles(legends(encoding), sides) } : {}),
  }
}

function shorterGradient(legend: Record<string, unknown>, factor: number): Record<string, unknown> {
  return typeof legend.gradientLength === 'number'
    ? { ...legend, gradientLength: Math.max(40, legend.gradientLength * factor) }
    : legend
}

/** The width of the plots alone, those side by side added up. */
function plotWidth(spec: VegaLiteSpec): number {
  const widthsOf = (part: (typeof parts)[number]): number[] =>
    Array.isArray(spec[part]) ? (spec[part] as VegaLiteSpec[]).map(plotWidth) : []
  const sum = (widths: readonly number[]): number => widths.reduce((total, width) => total + width, 0)
  const columns = typeof spec.columns === 'number' ? spec.columns : Infinity
  const own = typeof spec.width === 'number' ? spec.width : 0
  return maxOf([
    own,
    maxOf([...widthsOf('layer'), ...widthsOf('vconcat'), 0]),
    sum(widthsOf('hconcat')),
    sum(widthsOf('concat').slice(0, columns)),
  ])
}

function withLegendColumns(spec: VegaLiteSpec, columns: number): VegaLiteSpec {
  return eachView(spec, (view) =>
    isMapping(view.encoding)
      ? { ...view, encoding: mapLegends(view.encoding, (legend) => ({ ...legend, columns })) }
      : view,
  )
}

/** The encoding with every legend that it has changed. */
function mapLegends(
  encoding: Readonly<Record<string, unknown>>,
  change: (legend: Record<string, unknown>) => Record<string, unknown>,
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(encoding).map(([channel, definition]) => {
      const isLegend = ['color', 'fill', 'strokeDash', 'shape'].includes(channel) && isMapping(definition)
      if (!isLegend || definition.field === undefined || definition.legend === null) return [channel, definition]
      return [channel, { ...definition, legend: change((definition.legend ?? {}) as Record<string, unknown>) }]
    }),
  )
}

function withConfig(spec: VegaLiteSpec, added: Readonly<Record<string, unknown>>): VegaLiteSpec {
  return { ...spec, config: merged((spec.config ?? {}) as Record<string, unknown>, added) }
}

function merged(base: Readonly<Record<string, unknown>>, added: Readonly<Record<string, unknown>>): object {
  return {
    ...base,
    ...Object.fromEntries(
      Object.entries(added).map(([key, value]) => {
        const own = base[key]
        return [key, isMapping(own) && isMapping(value) ? merged(own, value) : value]
      }),
    ),
  }
}

/** Title and subtitle in lines that a figure of this width holds. */
function wrapped(spec: VegaLiteSpec, target: number): VegaLiteSpec {
  if (!isMapping(spec.title)) return spec
  const { text, subtitle, ...title } = spec.title
  const lines = (given: unknown, fontSize: number): string[] =>
    [given].flat().flatMap((line) => (typeof line === 'string' ? wrapLine(line, fontSize, target) : []))
  const { fontSize, subtitleFontSize } = printConfig.title
  return {
    ...spec,
    title: { ...title, text: lines(text, fontSize * bold), subtitle: lines(subtitle, subtitleFontSize) },
  }
}

function wrapLine(line: string, fontSize: number, target: number): string[] {
  const lines: string[] = []
  for (const word of line.split(' ')) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)!} ${word}`
    if (lines.length > 0 && estimateWidth(longer, fontSize) <= target) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}

/** From black to a grey that white paper still shows, in steps that the eye tells apart. */
const greys = ['#000000', '#8c8c8c', '#4d4d4d', '#b3b3b3', '#262626', '#737373', '#595959', '#a6a6a6'] as const

/** Every colour as a grey: the palette's as greys that differ, any other by its lightness, sequences from light to dark. */
function inGreys(spec: VegaLiteSpec): VegaLiteSpec {
  const change = (value: unknown, key?: string): unknown => {
    if (key === 'values' || key === 'data') return value
    if (key === 'scheme') return 'greys'
    if (typeof value === 'string') return /^#([\da-f]{3}|[\da-f]{6})$/i.test(value) ? greyOf(value) : value
    if (Array.isArray(value)) return value.map((item) => change(item))
    if (isMapping(value))
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, change(item, name)]))
    return value
  }
  return change(spec) as VegaLiteSpec
}

function greyOf(colour: string): string {
  const index = (palette as readonly string[]).indexOf(colour.toUpperCase())
  if (index >= 0) return greys[index]!
  const digits =
    colour.length === 4 ? [...colour.slice(1)].map((digit) => digit + digit) : colour.slice(1).match(/../g)!
  const [red, green, blue] = digits.map((pair) => parseInt(pair, 16))
  // ITU-R BT.709.
  const light = Math.round(0.2126 * red! + 0.7152 * green! + 0.0722 * blue!)
  return `#${light.toString(16).padStart(2, '0').repeat(3)}`
}
