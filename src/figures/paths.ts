import type { TrialRecord } from '../trial.js'
import { readJson, type FigureDefinition, type VegaLiteSpec } from './figure.js'
import { withResult } from './select.js'
import { coloured, frame, size } from './style.js'

export interface PathsOptions {
  readonly name: string
  readonly caption: string
  readonly title: string
  readonly select: (records: readonly TrialRecord[]) => readonly TrialRecord[]
  /** Holds the points as JSON: run, epoch, accuracy, x and y of each. */
  readonly artifact: string
  /** What the axes are called, before their number. */
  readonly axis: string
}

interface Point {
  readonly run: string
  readonly epoch: number
  readonly accuracy: number
  readonly x: number
  readonly y: number
}

/** Points of several runs joined in their order, one colour a run, labelled with the accuracy where there is room. */
export function paths(options: PathsOptions): FigureDefinition {
  return {
    name: options.name,
    caption: options.caption,
    async draw(all, read): Promise<VegaLiteSpec | undefined> {
      const [record] = options.select(withResult(all))
      if (record === undefined || !(options.artifact in record.artifacts)) return undefined
      const points = await readJson<Point[]>(read, record, options.artifact)
      const runs = [...new Set(points.map(({ run }) => run))]
      const labelled = withRoom(points)
      const encoding = {
        x: { field: 'x', type: 'quantitative', title: `${options.axis} 1`, scale: { zero: false, padding: 24 } },
        y: { field: 'y', type: 'quantitative', title: `${options.axis} 2`, scale: { zero: false, padding: 16 } },
        color: coloured('run', null, runs),
      }
      const share = record.metrics['explained/2']
      const subtitle = [
        `${runs.length} runs, ${points.length} snapshots`,
        ...(share === undefined ? [] : [`the axes explain ${(share * 100).toFixed(0)} % of the variance`]),
        'labels: test accuracy (%)',
      ]
      return {
        ...frame(options.title, [subtitle.join(' · ')]),
        ...size,
        height: 460,
        layer: [
          {
            data: { values: points },
            mark: { type: 'line', strokeWidth: 1, opacity: 0.6 },
            encoding: { ...encoding, order: { field: 'epoch', type: 'quantitative' } },
          },
          { data: { values: points }, mark: { type: 'point', filled: true, size: 26, opacity: 0.9 }, encoding },
          {
            data: { values: labelled },
            mark: { type: 'text', fontSize: 10, dy: -8 },
            encoding: { ...encoding, text: { field: 'label', type: 'nominal' } },
          },
        ],
      }
    },
  }
}

/** Points whose label would lie on no other label, first and last points of runs before others. */
function withRoom(points: readonly Point[]): (Point & { label: string })[] {
  const span = (values: readonly number[]): number => Math.max(...values) - Math.min(...values) || 1
  const [width, height] = [span(points.map(({ x }) => x)), span(points.map(({ y }) => y))]
  const isEnd = (point: Point, i: number): boolean =>
    points[i - 1]?.run !== point.run || points[i + 1]?.run !== point.run
  const inTurn = points.map((point, i) => ({ point, first: isEnd(point, i) })).sort((a, b) => +b.first - +a.first)
  const placed: Point[] = []
  for (const { point } of inTurn) {
    // A label takes about a twentieth of the width and a twenty-fifth of the height.
    const free = placed.every((p) => Math.abs(p.x - point.x) > width / 18 || Math.abs(p.y - point.y) > height / 24)
    if (free) placed.push(point)
  }
  return placed.map((point) => ({ ...point, label: (point.accuracy * 100).toFixed(1) }))
}
