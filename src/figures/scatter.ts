import { formatCount } from '../core/format.js'
import type { TrialRecord } from '../core/trial.js'
import type { FigureDefinition, VegaLiteSpec } from './figure.js'
import { describeSeedCount, withResult } from './select.js'
import { apart, coloured, frame, inReadingOrder, numberLabels, size, spread } from './style.js'

export interface ScatterOptions {
  readonly name: string
  readonly caption: string
  title(records: readonly TrialRecord[]): string
  readonly select: (records: readonly TrialRecord[]) => readonly TrialRecord[]
  readonly x: {
    readonly title: string
    readonly scale?: 'linear' | 'log'
    readonly of: (record: TrialRecord) => number
    /** As of y. */
    readonly error?: (record: TrialRecord) => number
  }
  readonly y: {
    readonly title: string
    readonly scale?: 'linear' | 'log'
    readonly of: (record: TrialRecord) => number
    /** Drawn as a bar of so much on either side, where it is a number above 0. */
    readonly error?: (record: TrialRecord) => number
  }
  /** What a point's colour says. */
  readonly group?: (record: TrialRecord, all: readonly TrialRecord[]) => string
}

interface Point {
  readonly x: number
  readonly y: number
  readonly group: string
  /** Ends of the bars; missing where there is none. */
  readonly xLow?: number
  readonly xHigh?: number
  readonly yLow?: number
  readonly yHigh?: number
}

/** One point a trial. */
export function scatter(options: ScatterOptions): FigureDefinition {
  return { name: options.name, caption: options.caption, draw: async (all) => drawScatter(options, all) }
}

function drawScatter(options: ScatterOptions, all: readonly TrialRecord[]): VegaLiteSpec | undefined {
  const chosen = options.select(withResult(all))
  const points = pointsOf(options, chosen, all)
  if (points.length === 0) return undefined
  const groups = inReadingOrder(new Set(points.map(({ group }) => group)))
  const color = { ...coloured('group', null, groups), legend: groups.length > 1 ? {} : null }
  const [x, y] = [axisOf('x', options.x, points), axisOf('y', options.y, points)]
  const { mark: shapes } = apart('group', null, groups)
  const marks = { mark: { type: 'point', filled: true, size: 46, opacity: 0.75 }, encoding: { x, y, color, ...shapes } }
  const bars = (['x', 'y'] as const).flatMap((axis) => barsOf(axis, points, { x, y, color }))
  return {
    ...frame(options.title(chosen), [`${formatCount(points.length, 'point')} · ${describeSeedCount(chosen)}`]),
    ...size,
    data: { values: points },
    ...(bars.length === 0 ? marks : { layer: [...bars, marks] }),
  }
}

/** A layer of bars along an axis; none where no point has one. */
function barsOf(
  axis: 'x' | 'y',
  points: readonly Point[],
  encoding: { x: object; y: object; color: object },
): object[] {
  const [low, high] = [`${axis}Low`, `${axis}High`] as const
  if (!points.some((point) => point[low] !== undefined)) return []
  const along = { [axis]: { ...encoding[axis], field: low }, [`${axis}2`]: { field: high } }
  return [{ mark: { type: 'rule', opacity: 0.5 }, encoding: { ...encoding, ...along } }]
}

/** The points that can be drawn. */
function pointsOf(options: ScatterOptions, chosen: readonly TrialRecord[], all: readonly TrialRecord[]): Point[] {
  const fits = (value: number, scale?: 'linear' | 'log'): boolean =>
    Number.isFinite(value) && (scale !== 'log' || value > 0)
  return chosen
    .map((record): Point => ({
      x: options.x.of(record),
      y: options.y.of(record),
      group: options.group?.(record, all) ?? 'trials',
      ...bar('x', options.x, record),
      ...bar('y', options.y, record),
    }))
    .filter(({ x, y }) => fits(x, options.x.scale) && fits(y, options.y.scale))
}

/** A bar's ends; on a log axis the lower stays above 0. */
function bar(axis: 'x' | 'y', { of, error, scale }: ScatterOptions['x'], record: TrialRecord): Partial<Point> {
  const [value, half] = [of(record), error?.(record) ?? NaN]
  if (!(half > 0)) return {}
  const low = scale === 'log' ? Math.max(value - half, value / 100) : value - half
  return { [`${axis}Low`]: low, [`${axis}High`]: value + half }
}

function axisOf(field: 'x' | 'y', { title, scale }: ScatterOptions['x'], points: readonly Point[]): object {
  const values = points.map((point) => point[field])
  const linear = {
    scale: { zero: false, nice: false, padding: 12 },
    axis: { labelExpr: numberLabels(values), tickCount: 8 },
  }
  return { field, type: 'quantitative', title, ...(scale === 'log' ? spread(values) : linear) }
}
