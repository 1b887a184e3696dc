import { formatCount } from '../core/format.js'
import type { TrialRecord } from '../core/trial.js'
import type { FigureDefinition, VegaLiteSpec } from './figure.js'
import { describeSeedCount, withResult } from './select.js'
import { coloured, frame, inReadingOrder, numberLabels, size, spread } from './style.js'

export interface ScatterOptions {
  readonly name: string
  readonly caption: string
  title(records: readonly TrialRecord[]): string
  readonly select: (records: readonly TrialRecord[]) => readonly TrialRecord[]
  readonly x: {
    readonly title: string
    readonly scale?: 'linear' | 'log'
    readonly of: (record: TrialRecord) => number
  }
  readonly y: {
    readonly title: string
    readonly scale?: 'linear' | 'log'
    readonly of: (record: TrialRecord) => number
  }
  /** What a point's colour says. */
  readonly group?: (record: TrialRecord, all: readonly TrialRecord[]) => string
}

interface Point {
  readonly x: number
  readonly y: number
  readonly group: string
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
  return {
    ...frame(options.title(chosen), [`${formatCount(points.length, 'point')} · ${describeSeedCount(chosen)}`]),
    ...size,
    data: { values: points },
    mark: { type: 'point', filled: true, size: 46, opacity: 0.75 },
    encoding: {
      x: axisOf('x', options.x, points),
      y: axisOf('y', options.y, points),
      color: { ...coloured('group', null, groups), legend: groups.length > 1 ? {} : null },
    },
  }
}

/** The points that can be drawn. */
function pointsOf(options: ScatterOptions, chosen: readonly TrialRecord[], all: readonly TrialRecord[]): Point[] {
  const fits = (value: number, scale?: 'linear' | 'log'): boolean =>
    Number.isFinite(value) && (scale !== 'log' || value > 0)
  return chosen
    .map((record) => ({
      x: options.x.of(record),
      y: options.y.of(record),
      group: options.group?.(record, all) ?? 'trials',
    }))
    .filter(({ x, y }) => fits(x, options.x.scale) && fits(y, options.y.scale))
}

function axisOf(field: 'x' | 'y', { title, scale }: ScatterOptions['x'], points: readonly Point[]): object {
  return {
    field,
    type: 'quantitative',
    title,
    ...(scale === 'log'
      ? spread(points.map((point) => point[field]))
      : { scale: { zero: false, nice: false, padding: 12 }, axis: { labelExpr: numberLabels, tickCount: 8 } }),
  }
}
