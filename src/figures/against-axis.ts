import { mean } from '../analysis/statistics.js'
import { groupBy } from '../group-by.js'
import type { TrialRecord } from '../trial.js'
import type { FigureDefinition, VegaLiteSpec } from './figure.js'
import { describeSeedCount, withResult } from './select.js'
import { frame, logarithmic, numberLabels, palette, size, spread } from './style.js'

export interface AgainstAxisOptions {
  readonly name: string
  readonly caption: string
  readonly title: string
  readonly x: { readonly title: string; readonly scale: 'linear' | 'log'; of(record: TrialRecord): number }
  readonly y: { readonly title: string; readonly scale?: 'linear' | 'log'; readonly zero?: boolean }
  /** Final metrics to draw, each a line of its own. */
  readonly series: readonly { readonly metric: string; readonly label: string }[]
  /** Settings worth stating, such as `20 epochs, batch 100`. */
  readonly settings?: (records: readonly TrialRecord[]) => string
}

interface Point {
  readonly x: number
  readonly series: string
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
  const { points, leftOut } = aggregate(options, results)
  if (points.length === 0) return undefined
  const banded = points.some((point) => point.high > point.low)
  const subtitle = [
    [
      describeSeedCount(results),
      banded ? 'line: mean, band: least to greatest' : undefined,
      options.settings?.(results),
    ]
      .filter((part) => part !== undefined)
      .join(' · '),
    ...(leftOut === 0 ? [] : [`${leftOut} values that are not finite, or not above 0 on a log axis, are left out`]),
  ]
  const color = {
    field: 'series',
    type: 'nominal',
    title: null,
    scale: { domain: options.series.map((s) => s.label), range: palette.slice(0, options.series.length) },
  }
  const x = {
    field: 'x',
    type: 'quantitative',
    title: options.x.title,
    ...(options.x.scale === 'log'
      ? spread(points.map((point) => point.x))
      : { scale: { zero: false, nice: false, padding: 12 }, axis: { labelExpr: numberLabels, tickCount: 8 } }),
  }
  const yScale =
    options.y.scale === 'log'
      ? logarithmic(points.flatMap(({ low, high }) => [low, high]))
      : { scale: { zero: options.y.zero ?? false, nice: true } }
  const y = (field: string) => ({ field, type: 'quantitative', title: options.y.title, ...yScale })
  return {
    ...frame(options.title, subtitle),
    ...size,
    data: { values: points },
    layer: [
      ...(banded
        ? [{ mark: { type: 'area', opacity: 0.18 }, encoding: { x, y: y('low'), y2: { field: 'high' }, color } }]
        : []),
      { mark: { type: 'line', strokeWidth: 1.8 }, encoding: { x, y: y('mean'), color } },
      {
        mark: { type: 'point', filled: true, size: 42, opacity: 1 },
        encoding: { x, y: y('mean'), color, tooltip: tooltips(options) },
      },
    ],
  }
}

function tooltips(options: AgainstAxisOptions): object[] {
  return [
    { field: 'x', title: options.x.title },
    { field: 'series', title: 'series' },
    ...['mean', 'low', 'high'].map((field) => ({ field, title: field, format: '.4g' })),
  ]
}

function aggregate(
  { x, y, series }: AgainstAxisOptions,
  records: readonly TrialRecord[],
): { points: Point[]; leftOut: number } {
  let leftOut = 0
  const points: Point[] = []
  for (const [at, group] of [...groupBy(records, (record) => x.of(record))].sort(([a], [b]) => a - b)) {
    for (const { metric, label } of series) {
      const values = group.flatMap((record) => record.metrics[metric] ?? [])
      const drawable = values.filter((value) => Number.isFinite(value) && (y.scale !== 'log' || value > 0))
      leftOut += values.length - drawable.length
      if (drawable.length === 0 || !Number.isFinite(at)) continue
      points.push({
        x: at,
        series: label,
        mean: mean(drawable),
        low: Math.min(...drawable),
        high: Math.max(...drawable),
      })
    }
  }
  return { points, leftOut }
}
