import type { TrialRecord } from '../trial.js'
import { readJson, type FigureDefinition, type VegaLiteSpec } from './figure.js'
import { varyingAxes, withResult } from './select.js'
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
      const records = options.select(withResult(all)).filter(({ artifacts }) => options.artifact in artifacts)
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
        resolve: { scale: { color: 'independent' } },
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
  const axes = varyingAxes(trained.filter((record) => record !== undefined))
  return trained.map((record) => axes.map((axis) => `${axis} ${String(record?.trial.params[axis])}`).join(', '))
}

function picture(options: PathsOptions, record: TrialRecord, points: readonly Point[], setting: string): Picture {
  const runs = [...new Set(points.map(({ run }) => run))]
  const frameOf = { x: padded(points.map(({ x }) => x)), y: padded(points.map(({ y }) => y)) }
  const labelled = withRoom(points, frameOf)
  const at = (field: 'x' | 'y', number: number): object => ({
    field,
    type: 'quantitative',
    title: `${options.axis} ${number}`,
    scale: { domain: frameOf[field], nice: false, zero: false },
    axis: { tickCount: 8 },
  })
  const encoding = { x: at('x', 1), y: at('y', 2), color: coloured('run', null, runs) }
  const share = record.metrics['explained/2']
  const subtitle = [
    ...(setting === '' ? [] : [setting]),
    `${runs.length} runs, ${points.length} snapshots`,
    ...(share === undefined ? [] : [`the axes explain ${(share * 100).toFixed(0)} % of the variance`]),
    'labels: test accuracy (%)',
  ]
  const view = {
    ...size,
    height,
    layer: [
      {
        data: { values: points },
        mark: { type: 'line', strokeWidth: 1, opacity: 0.6 },
        encoding: { ...encoding, order: { field: 'epoch', type: 'quantitative' } },
      },
      { data: { values: points }, mark: { type: 'point', filled: true, size: 26, opacity: 0.9 }, encoding },
      {
        data: { values: labelled },
        mark: { type: 'text', fontSize: labelSize.font, baseline: 'middle' },
        encoding: { ...encoding, text: { field: 'label', type: 'nominal' } },
      },
    ],
  }
  return { subtitle: subtitle.join(' · '), view }
}

const height = 460
/** Pixels that a label such as `95.3` takes, with a little air. */
const labelSize = { font: 10, width: 28, height: 12 }
/** Where a label may stand about its point, in pixels from one centre to the other, the best place first. */
const places = [
  [0, -11],
  [20, 0],
  [-20, 0],
  [0, 11],
  [19, -9],
  [-19, -9],
  [19, 9],
  [-19, 9],
] as const

interface Frame {
  readonly x: readonly [number, number]
  readonly y: readonly [number, number]
}

/** The ends of an axis that leaves room for labels about its outermost values. */
function padded(values: readonly number[]): [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const room = (high - low || 1) * 0.06
  return [low - room, high + room]
}

interface Label extends Point {
  readonly label: string
}

/**
 * Labels that lie on no point, path or other label and inside the frame, at the place where they stand; the first and
 * last points of runs choose before others, and a point without room has none.
 */
function withRoom(points: readonly Point[], frame: Frame): Label[] {
  const [perX, perY] = [size.width / (frame.x[1] - frame.x[0]), height / (frame.y[1] - frame.y[0])]
  const inPixels = points.map(({ x, y }) => [(x - frame.x[0]) * perX, (frame.y[1] - y) * perY] as const)
  const joined = (i: number): boolean => points[i - 1]?.run === points[i]!.run
  const taken = inPixels.flatMap((here, i) => (joined(i) ? alongLine(inPixels[i - 1]!, here) : [here]))
  const isEnd = points.map((_, i) => !joined(i) || points[i + 1]?.run !== points[i]!.run)
  const inTurn = [...points.keys()].sort((i, j) => Number(isEnd[j]) - Number(isEnd[i]))

  const { width: wide, height: high } = labelSize
  const placed: { readonly at: readonly [number, number]; readonly label: Label }[] = []
  const free = ([x, y]: readonly [number, number]): boolean =>
    x > wide / 2 &&
    x < size.width - wide / 2 &&
    y > high / 2 &&
    y < height - high / 2 &&
    taken.every(([px, py]) => Math.abs(px - x) > wide / 2 || Math.abs(py - y) > high / 2) &&
    placed.every(({ at: [px, py] }) => Math.abs(px - x) > wide || Math.abs(py - y) > high)
  for (const i of inTurn) {
    const [x, y] = inPixels[i]!
    const at = places.map(([dx, dy]) => [x + dx, y + dy] as const).find(free)
    if (at === undefined) continue
    const place = { x: frame.x[0] + at[0] / perX, y: frame.y[1] - at[1] / perY }
    placed.push({ at, label: { ...points[i]!, ...place, label: (points[i]!.accuracy * 100).toFixed(1) } })
  }
  return placed.map(({ label }) => label)
}

/** Points at most four pixels apart on the way from one to the other, the latter among them. */
function alongLine([x0, y0]: readonly [number, number], [x1, y1]: readonly [number, number]): [number, number][] {
  const count = Math.max(1, Math.ceil(Math.hypot(x1 - x0, y1 - y0) / 4))
  return Array.from({ length: count }, (_, k) => {
    const share = (k + 1) / count
    return [x0 + (x1 - x0) * share, y0 + (y1 - y0) * share]
  })
}
