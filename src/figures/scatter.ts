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

/** One point a trial. */
export function scatter(options: ScatterOptions): FigureDefinition {
  return {
    name: options.name,
    caption: options.caption,
    async draw(all): Promise<VegaLiteSpec | undefined> {
      const chosen = options.select(withResult(all))
      const points = chosen
        .map((record) => ({
          x: options.x.of(record),
          y: options.y.of(record),
          group: options.group?.(record, all) ?? 'trials',
        }))
        .filter(
          ({ x, y }) =>
            Number.isFinite(x) &&
            Number.isFinite(y) &&
            (options.y.scale !== 'log' || y > 0) &&
            (options.x.scale !== 'log' || x > 0),
        )
      if (points.length === 0) return undefined
      const groups = inReadingOrder(new Set(points.map(({ group }) => group)))
      const encoding = {
        x: {
          field: 'x',
          type: 'quantitative',
          title: options.x.title,
          ...axisOf(
            options.x.scale,
            points.map(({ x }) => x),
          ),
        },
        y: {
          field: 'y',
          type: 'quantitative',
          title: options.y.title,
          ...axisOf(
            options.y.scale,
            points.map(({ y }) => y),
          ),
        },
        color: { ...coloured('group', null, groups), legend: groups.length > 1 ? {} : null },
      }
      return {
        ...frame(options.title(chosen), [`${formatCount(points.length, 'point')} · ${describeSeedCount(chosen)}`]),
        ...size,
        data: { values: points },
        mark: { type: 'point', filled: true, size: 46, opacity: 0.75 },
        encoding,
      }
    },
  }
}

const axisOf = (scale: 'linear' | 'log' = 'linear', values: readonly number[]): object =>
  scale === 'log'
    ? spread(values)
    : { scale: { zero: false, nice: false, padding: 12 }, axis: { labelExpr: numberLabels, tickCount: 8 } }
