import { formatCount } from '../core/format.js'
import { maxOf, minOf } from '../core/extremes.js'
import { varyingAxes } from '../core/varying-axes.js'
import { lookUp } from '../core/names.js'
import { writeValue } from '../core/param-value.js'
import type { TrialRecord } from '../core/trial.js'
import { readJson, type FigureDefinition, type VegaLiteSpec } from './figure.js'
import { labelSize, withRoom } from './labels.js'
import { boxLabels, boxLines, boxOf, pageOf, seen, type BoxAxis } from './orthographic.js'
import { withResult } from './select.js'
import { apart, coloured, frame, size } from './style.js'

export interface PathsOptions {
  readonly name: string
  readonly caption: string
  readonly title: string
  readonly select: (records: readonly TrialRecord[]) => readonly TrialRecord[]
  /** Holds the points as JSON. */
  readonly artifact: string
  /** What the axes are called, before their number. */
  readonly axis: string
  /** 3 draws them in a box (default 2). */
  readonly dimensions?: 2 | 3
}

/** One point of the figure, as a trial saves them (a JSON list). */
export interface PathPoint {
  readonly run: string
  readonly epoch: number
  readonly accuracy: number
  readonly x: number
  readonly y: number
  readonly z: number
}

/** Points of several runs joined in their order, one colour a run, labelled with the accuracy where there is room. */
export function paths(options: PathsOptions): FigureDefinition {
  return {
    name: options.name,
    caption: options.caption,
    async draw(all, read): Promise<VegaLiteSpec | undefined> {
      const records = options
        .select(withResult(all))
        .filter(({ artifacts }) => Object.hasOwn(artifacts, options.artifact))
      const settings = settingsOf(records, all)
      const pictures = await Promise.all(
        records.map(async (record, i) =>
          picture(options, record, await readJson(read, record, options.artifact), settings[i]!),
        ),
      )
      if (pictures.length === 0) return undefined
      const [{ subtitle, view }] = pictures as [Picture]
      if (pictures.length === 1) return { ...frame(options.title, [subtitle]), ...view }
      return {
        ...frame(options.title, ['one picture for each setting']),
        vconcat: pictures.map((each) => ({ title: { text: each.subtitle, fontSize: 12, offset: 6 }, ...each.view })),
        spacing: 28,
        resolve: { scale: { color: 'independent', shape: 'independent' } },
      }
    },
  }
}

interface Picture {
  readonly subtitle: string
  readonly view: object
}

/** What tells the trainings of each record from those of the others, such as `optimizer adam`. */
function settingsOf(records: readonly TrialRecord[], all: readonly TrialRecord[]): string[] {
  const trained = records.map(({ trial }) => all.find((record) => record.trial.id === trial.parents[0]))
  const axes = varyingAxes(trained.flatMap((record) => record?.trial ?? []))
  return trained.map((record) =>
    axes.map((axis) => `${axis} ${writeValue(lookUp(record?.trial.params, axis))}`).join(', '),
  )
}

function picture(options: PathsOptions, record: TrialRecord, points: readonly PathPoint[], setting: string): Picture {
  const { dimensions = 2, axis } = options
  const runs = [...new Set(points.map(({ run }) => run))]
  const share = lookUp(record.metrics, `explained/${dimensions}`)
  const subtitle = [
    ...(setting === '' ? [] : [setting]),
    `${formatCount(runs.length, 'run')}, ${formatCount(points.length, 'snapshot')}`,
    ...(share === undefined ? [] : [`the axes explain ${(share * 100).toFixed(0)} % of the variance`]),
    'labels: test accuracy (%)',
  ]
  const view = dimensions === 3 ? inSpace(points, runs, axis) : inPlane(points, runs, axis)
  return { subtitle: subtitle.join(' · '), view }
}

const viewSize = { ...size, height: 460 }

function inPlane(points: readonly PathPoint[], runs: readonly string[], axis: string): object {
  const domains = { x: padded(points.map(({ x }) => x)), y: padded(points.map(({ y }) => y)) }
  const at = (field: 'x' | 'y', number: number): object => ({
    field,
    type: 'quantitative',
    title: `${axis} ${number}`,
    scale: { domain: domains[field], nice: false, zero: false },
    axis: { tickCount: 8 },
  })
  const encoding = { x: at('x', 1), y: at('y', 2), color: coloured('run', null, runs) }
  return { ...viewSize, layer: pathLayers(points, withRoom(points, { ...domains, ...viewSize }), encoding, runs) }
}

/** The ends of an axis that leaves room for labels about its outermost values. */
function padded(values: readonly number[]): [number, number] {
  const [low, high] = [minOf(values), maxOf(values)]
  const room = (high - low || 1) * 0.06
  return [low - room, high + room]
}

/** In a box whose third axis is its height, each path with its shadow on the floor. */
function inSpace(points: readonly PathPoint[], runs: readonly string[], axis: string): object {
  const axisOf = (field: 'x' | 'y' | 'z', number: number): BoxAxis => ({
    title: `${axis} ${number}`,
    ends: padded(points.map((point) => point[field])),
  })
  const axes = [axisOf('x', 1), axisOf('y', 2), axisOf('z', 3)] as const
  const inCube = (value: number, { ends: [low, high] }: BoxAxis): number => (2 * (value - low)) / (high - low) - 1
  const onPage = (point: PathPoint, up = inCube(point.z, axes[2])) => {
    const { x, y } = seen(inCube(point.x, axes[0]), inCube(point.y, axes[1]), up)
    return { ...point, x, y }
  }
  const drawn = points.map((point) => onPage(point))
  const shadows = points.map((point) => onPage(point, -1))
  const box = boxOf(axes)
  const { x, y, frame } = pageOf([...box.lines, ...box.labels])
  const encoding = { x, y, color: coloured('run', null, runs) }
  return {
    ...viewSize,
    view: { stroke: null },
    layer: [
      boxLines(box, { x, y }),
      line(shadows, { x, y, detail: { field: 'run' }, color: { value: '#888' } }),
      ...pathLayers(drawn, withRoom(drawn, { ...frame, ...viewSize }), encoding, runs),
      boxLabels(box, { x, y }),
    ],
  }
}

/** Lines, points and labels of paths. */
function pathLayers(
  points: readonly object[],
  labels: readonly object[],
  encoding: object,
  runs: readonly string[],
): object[] {
  const { markedLine, mark } = apart('run', null, runs)
  return [
    line(points, { ...encoding, ...markedLine }),
    {
      data: { values: points },
      mark: { type: 'point', filled: true, size: 26, opacity: 0.9 },
      encoding: { ...encoding, ...mark },
    },
    {
      data: { values: labels },
      mark: { type: 'text', fontSize: labelSize.font, baseline: 'middle' },
      encoding: { ...encoding, text: { field: 'label', type: 'nominal' } },
    },
  ]
}

const line = (points: readonly object[], encoding: object): object => ({
  data: { values: points },
  mark: { type: 'line', strokeWidth: 1, opacity: 0.6 },
  encoding: { ...encoding, order: { field: 'epoch', type: 'quantitative' } },
})
