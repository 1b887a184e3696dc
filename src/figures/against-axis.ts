import { mean } from '../analysis/statistics.js'
import { maxOf, minOf } from '../core/extremes.js'
import { varyingAxes } from '../core/varying-axes.js'
import { groupBy } from '../core/group-by.js'
import { lookUp } from '../core/names.js'
import type { TrialRecord } from '../core/trial.js'
import type { FigureDefinition, VegaLiteSpec } from './figure.js'
import { describeSeedCount, evenly, labelOf, withResult } from './select.js'
import { apart, coloured, frame, inReadingOrder, logarithmic, numberLabels, size, spread } from './style.js'

export interface AgainstAxisOptions {
  readonly name: string
  readonly caption: string
  readonly title: string
  readonly x: { readonly title: string; readonly scale: 'linear' | 'log'; of(record: TrialRecord): number }
  readonly y: {
    readonly title: string | ((records: readonly TrialRecord[]) => string)
    readonly scale?: 'linear' | 'log'
    readonly zero?: boolean
  }
  /** Final metrics to draw, each a line of its own. */
  readonly series: readonly { readonly metric: string; readonly label: string }[]
  /** Parameters whose values, where they vary, have lines of their own: one colour each, the series told apart by dashes. */
  readonly apart?: readonly string[]
  /** Every trial is a point of its own, as in a random search: marks alone, and no more than a page holds. Default false. */
  readonly scattered?: boolean
  /** A vertical line where it is finite, such as a threshold. */
  readonly rule?: { readonly title: string; of(record: TrialRecord): number }
  /** Settings worth stating, such as `20 epochs, batch 100`. */
  readonly settings?: (records: readonly TrialRecord[]) => string
}

/** More marks would only make the file large. */
const maxMarks = 1_000

interface Point {
  readonly x: number
  readonly series: string
  /** Left out where there is but one. */
  readonly group?: string
  readonly mean: number
  readonly low: number
  readonly high: number
}

/** Final metrics against a number: a line through the means over seeds, a band from the least to the greatest. */
export function againstAxis(options: AgainstAxisOptions): FigureDefinition {
  return { name: options.name, caption: options.caption, draw: async (records) => drawAgainstAxis(options, records) }
}

function drawAgainstAxis(options: AgainstAxisOptions, records: readonly TrialRecord[]): VegaLiteSpec | undefined {
  const results = withResult(records)
  const { points: all, groups, leftOut } = aggregate(options, results)
  if (all.length === 0) return undefined
  const points = evenly(all, maxMarks)
  const banded = options.scattered !== true && points.some((point) => point.high > point.low)
  const rules = rulesOf(options, results)
  const subtitle = [
    subtitleOf(options, results, { banded, drawn: points.length, all: all.length, ruled: rules.length > 0 }),
    ...(leftOut === 0 ? [] : [`${leftOut} values that are not finite, or not above 0 on a log axis, are left out`]),
  ]
  return {
    ...frame(options.title, subtitle),
    ...size,
    data: { values: points },
    layer: layersOf(options, { points, groups, banded, rules, results }),
  }
}

function subtitleOf(
  options: AgainstAxisOptions,
  results: readonly TrialRecord[],
  { banded, drawn, all, ruled }: { banded: boolean; drawn: number; all: number; ruled: boolean },
): string {
  return [
    describeSeedCount(results),
    options.scattered === true ? 'a mark for each point' : banded ? 'line: mean, band: least to greatest' : undefined,
    ...(drawn < all ? [`${drawn} of ${all}, evenly chosen`] : []),
    ...(ruled ? [`vertical: ${options.rule!.title}`] : []),
    options.settings?.(results),
  ]
    .filter((part) => part !== undefined)
    .join(' · ')
}

interface Drawn {
  readonly points: readonly Point[]
  readonly groups: readonly string[]
  /** Whether the points' least and greatest values are drawn. */
  readonly banded: boolean
  readonly rules: readonly { readonly at: number }[]
  readonly results: readonly TrialRecord[]
}

/** The band, the rules, the lines and the marks, from the back to the front. */
function layersOf(options: AgainstAxisOptions, { points, groups, banded, rules, results }: Drawn): object[] {
  const labels = options.series.map((s) => s.label)
  const color = groups.length > 1 ? coloured('group', null, groups) : coloured('series', null, labels)
  const isGrouped = groups.length > 1
  const differing = isGrouped ? apart('group', null, groups) : apart('series', null, labels)
  const dash = isGrouped && labels.length > 1 ? apart('series', null, labels).line : differing.markedLine
  // Points of one line lie together: colour alone does not tell series of one group apart.
  const detail = groups.length > 1 ? { detail: { field: 'series' } } : {}
  const x = xOf(options, points)
  const y = yOf(options, points, results)
  const band = {
    mark: { type: 'area', opacity: 0.18 },
    encoding: { x, y: y('low'), y2: { field: 'high' }, color, ...detail },
  }
  const verticals = {
    data: { values: rules },
    mark: { type: 'rule', strokeDash: [3, 3], color: '#666' },
    encoding: { x: { ...x, field: 'at' } },
  }
  const line = { mark: { type: 'line', strokeWidth: 1.8 }, encoding: { x, y: y('mean'), color, ...dash, ...detail } }
  const marks = {
    mark: { type: 'point', filled: true, size: 42, opacity: 1 },
    encoding: { x, y: y('mean'), color, ...differing.mark, tooltip: tooltips(options, groups) },
  }
  return [
    ...(banded ? [band] : []),
    ...(rules.length > 0 ? [verticals] : []),
    ...(options.scattered === true ? [] : [line]),
    marks,
  ]
}

function xOf({ x }: AgainstAxisOptions, points: readonly Point[]): object {
  return {
    field: 'x',
    type: 'quantitative',
    title: x.title,
    ...(x.scale === 'log'
      ? spread(points.map((point) => point.x))
      : {
          scale: { zero: false, nice: false, padding: 12 },
          axis: { labelExpr: numberLabels(points.map((point) => point.x)), tickCount: 8 },
        }),
  }
}

function yOf(
  { y }: AgainstAxisOptions,
  points: readonly Point[],
  results: readonly TrialRecord[],
): (field: string) => object {
  const scale =
    y.scale === 'log'
      ? logarithmic(points.flatMap(({ low, high }) => [low, high]))
      : { scale: { zero: y.zero ?? false, nice: true } }
  const title = typeof y.title === 'string' ? y.title : y.title(results)
  return (field) => ({ field, type: 'quantitative', title, ...scale })
}

function rulesOf({ rule }: AgainstAxisOptions, records: readonly TrialRecord[]): { at: number }[] {
  if (rule === undefined) return []
  return [...new Set(records.map((record) => rule.of(record)))].filter(Number.isFinite).map((at) => ({ at }))
}

function tooltips(options: AgainstAxisOptions, groups: readonly string[]): object[] {
  return [
    { field: 'x', title: options.x.title },
    ...(groups.length > 1 ? [{ field: 'group', title: 'group' }] : []),
    { field: 'series', title: 'series' },
    ...['mean', 'low', 'high'].map((field) => ({ field, title: field, format: '.4g' })),
  ]
}

function aggregate(
  { x, y, series, apart = [] }: AgainstAxisOptions,
  records: readonly TrialRecord[],
): { points: Point[]; groups: string[]; leftOut: number } {
  let leftOut = 0
  const points: Point[] = []
  const axes = varyingAxes(records.map(({ trial }) => trial)).filter((axis) => apart.includes(axis))
  const byGroup = groupBy(records, (record) => labelOf(record, axes))
  const groups = inReadingOrder(byGroup.keys())
  for (const group of groups) {
    const bySize = [...groupBy(byGroup.get(group)!, (record) => x.of(record))].sort(([a], [b]) => a - b)
    for (const [at, own] of bySize) {
      for (const { metric, label } of series) {
        const values = own.flatMap((record) => lookUp(record.metrics, metric) ?? [])
        const drawable = values.filter((value) => Number.isFinite(value) && (y.scale !== 'log' || value > 0))
        leftOut += values.length - drawable.length
        if (drawable.length === 0 || !Number.isFinite(at)) continue
        points.push({
          x: at,
          series: label,
          ...(groups.length > 1 ? { group } : {}),
          mean: mean(drawable),
          low: minOf(drawable),
          high: maxOf(drawable),
        })
      }
    }
  }
  return { points, groups, leftOut }
}
