import type { TrialRecord } from '../trial.js'
import type { FigureDefinition, VegaLiteSpec } from './figure.js'
import { describeSeedCount, withResult } from './select.js'
import { coloured, frame, size } from './style.js'

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
        .filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y) && (options.y.scale !== 'log' || y > 0))
      if (points.length === 0) return undefined
      const groups = [...new Set(points.map(({ group }) => group))].sort()
      const encoding = {
        x: {
          field: 'x',
          type: 'quantitative',
          title: options.x.title,
          scale: options.x.scale === 'log' ? { type: 'log', nice: false, padding: 12 } : { zero: false, padding: 12 },
        },
        y: {
          field: 'y',
          type: 'quantitative',
          title: options.y.title,
          scale: options.y.scale === 'log' ? { type: 'log' } : { zero: false, padding: 12 },
        },
        color: { ...coloured('group', null, groups), legend: groups.length > 1 ? {} : null },
      }
      return {
        ...frame(options.title(chosen), [`${points.length} points · ${describeSeedCount(chosen)}`]),
        ...size,
        data: { values: points },
        mark: { type: 'point', filled: true, size: 46, opacity: 0.75 },
        encoding,
      }
    },
  }
}
