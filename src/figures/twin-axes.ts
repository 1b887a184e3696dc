import { median } from '../analysis/statistics.js'
import { groupBy } from '../core/group-by.js'
import { lookUp } from '../core/names.js'
import type { TrialRecord } from '../core/trial.js'
import type { FigureDefinition, VegaLiteSpec } from './figure.js'
import { describeSeedCount, seedCount, withResult } from './select.js'
import { frame, logarithmic, numberLabels, palette, size, spread } from './style.js'

interface Side {
  readonly title: string
  readonly scale: 'linear' | 'log'
  readonly domain?: readonly [number, number]
  /** Drawn solid, dashed, dotted in this order. */
  readonly lines: readonly { readonly label: string; readonly metric: string }[]
}

export interface TwinAxesOptions {
  readonly name: string
  readonly caption: string
  readonly title: string
  readonly select?: (records: readonly TrialRecord[]) => readonly TrialRecord[]
  readonly x: { readonly title: string; readonly scale: 'linear' | 'log' }
  /** A record's points: x with the values of the metrics there. */
  points(record: TrialRecord): readonly { readonly x: number; readonly values: Readonly<Record<string, number>> }[]
  readonly left: Side
  /** Left out: a plain line figure. */
  readonly right?: Side
  /** What the records that are drawn have alike, for the subtitle. */
  readonly settings?: (records: readonly TrialRecord[], all: readonly TrialRecord[]) => string
}

/** Two measures over one x, each with its own axis in its own colour, or one alone; medians over seeds. */
export function twinAxes(options: TwinAxesOptions): FigureDefinition {
  return { name: options.name, caption: options.caption, draw: async (records) => drawTwinAxes(options, records) }
}

function drawTwinAxes(options: TwinAxesOptions, all: readonly TrialRecord[]): VegaLiteSpec | undefined {
  const records = (options.select ?? ((r) => r))(withResult(all))
  const sides = [options.left, ...(options.right === undefined ? [] : [options.right])]
  const points = sides.map((side) => pointsOf(options, side, records))
  if (points.every((values) => values.length === 0)) return undefined
  const medians = seedCount(records) > 1 ? 'medians' : undefined
  const subtitle = [describeSeedCount(records), medians, options.settings?.(records, all)]
  const x = {
    field: 'x',
    type: 'quantitative',
    title: options.x.title,
    ...(options.x.scale === 'log'
      ? spread(points.flat().map(({ x }) => x))
      : { scale: { nice: false, zero: false }, axis: { tickCount: 8 } }),
  }
  const labels = [...new Set(sides.flatMap((side) => side.lines.map(({ label }) => label)))]
  const strokeDash = dashesOf(labels, new Set(points.flat().map(({ line }) => line)))
  // Few values along a logarithmic axis are points; a mark of their own, or the legend would show them for lines.
  const dotted = options.x.scale === 'log'
  return {
    ...frame(options.title, [subtitle.filter((part) => part !== undefined).join(' · ')]),
    ...size,
    layer: sides.map((side, i) => {
      const values = points[i]!
      const y = yOf(side, i, values, sides.length > 1)
      const color = palette[i]!
      const line = { mark: { type: 'line', strokeWidth: 1.8, color }, encoding: { x, y, strokeDash } }
      const dots = { mark: { type: 'point', filled: true, opacity: 1, color }, encoding: { x, y } }
      return { data: { values }, layer: dotted ? [line, dots] : [line] }
    }),
    resolve: { scale: { y: 'independent' } },
  }
}

/** The axis of the side of this number, in the colour of its lines where there are two. */
function yOf({ title, scale, domain }: Side, side: number, points: readonly Point[], isOneOfTwo: boolean): object {
  const color = palette[side]!
  const values = points.map((point) => point.y)
  const fitted =
    scale === 'log'
      ? logarithmic(values)
      : { scale: domain === undefined ? { zero: false, nice: true } : { domain: [...domain] }, axis: linear(values) }
  return {
    field: 'y',
    type: 'quantitative',
    title,
    scale: fitted.scale,
    axis: {
      ...fitted.axis,
      orient: side === 0 ? 'left' : 'right',
      ...(isOneOfTwo ? { titleColor: color, labelColor: color } : {}),
      grid: side === 0,
    },
  }
}

/** How the lines that are drawn are told apart: a label keeps its dashes where others are missing. */
function dashesOf(labels: readonly string[], lines: ReadonlySet<string>): object {
  const drawn = labels.filter((label) => lines.has(label))
  return {
    field: 'line',
    type: 'nominal',
    title: null,
    scale: { domain: drawn, range: drawn.map((label) => dashes[labels.indexOf(label)]) },
    legend: drawn.length > 1 ? { symbolType: 'stroke', symbolStrokeColor: '#333', symbolSize: 400 } : null,
  }
}

/** Solid, dashed, dotted. */
const dashes = [
  [1, 0],
  [6, 4],
  [2, 3],
] as const

/** A linear axis says 1.2e-5, not 0.000012. */
const linear = (values: readonly number[]): object => ({
  tickCount: 8,
  ...(values.every((value) => Math.abs(value) < 0.01) ? { labelExpr: numberLabels(values) } : {}),
})

interface Point {
  readonly x: number
  readonly y: number
  readonly line: string
}

function pointsOf(options: TwinAxesOptions, side: Side, records: readonly TrialRecord[]): Point[] {
  const all = records.flatMap((record) => options.points(record))
  const byX = [...groupBy(all, ({ x }) => x)].sort(([a], [b]) => a - b)
  return byX.flatMap(([x, here]) =>
    side.lines.flatMap(({ label, metric }) => {
      const values = here.flatMap(({ values }) => lookUp(values, metric) ?? [])
      const y = median(values.filter((value) => Number.isFinite(value) && (side.scale === 'linear' || value > 0)))
      return Number.isNaN(y) ? [] : [{ x, y, line: label }]
    }),
  )
}

/** A trial's reports as points, x read from one of its metrics. */
export function reportsAgainst(record: TrialRecord, x: string): { x: number; values: Record<string, number> }[] {
  const xs = lookUp(record.series, x)?.values ?? []
  return xs.map((at, i) => ({
    x: at,
    values: Object.fromEntries(Object.entries(record.series).map(([name, { values }]) => [name, values[i] ?? NaN])),
  }))
}
