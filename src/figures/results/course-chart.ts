import { median } from '../../analysis/statistics.js'
import { maxOf, minOf } from '../../core/extremes.js'
import { groupBy } from '../../core/group-by.js'
import { lookUp } from '../../core/names.js'
import { valueKey } from '../../core/param-value.js'
import { inheriting } from '../../core/setting.js'
import type { TrialRecord } from '../../core/trial.js'
import { varyingAxes } from '../../core/varying-axes.js'
import type { FigureScale } from '../../core/written-figure.js'
import type { FigureDefinition, VegaLiteSpec } from '../figure.js'
import { describeSeedCount, evenly, listed, withCourse } from '../select.js'
import { frame, logarithmic, numberLabels, size } from '../style.js'
import { drawnAxis, layOut, type Layout } from './lay-out.js'
import { colourOf, detailOf, looksOf, panelGrid, panelTitle, toldOf, type Told } from './looks.js'

export interface CourseChartOptions {
  readonly name: string
  readonly caption: string
  /** Reported metrics, one above the other. */
  readonly metrics: readonly string[]
  /** Axes told by colour and by panels. Default: as `layOut` chooses. */
  readonly colour?: string
  readonly panel?: string
  /** Default: linear. */
  readonly scale?: { readonly x?: FigureScale; readonly y?: FigureScale }
}

/** More lines are a tangle; more points a line would only make the file large. */
const [maxLines, maxPoints] = [40, 250]

interface Point extends Told {
  readonly step: number
  readonly median: number
  readonly metric: string
}

/** Reported metrics over the steps: a line for each setting, the median over its seeds. */
export function courseChart(options: CourseChartOptions): FigureDefinition {
  const { name, caption } = options
  return { name, caption, draw: async (records) => drawCourses(options, records) }
}

function drawCourses(options: CourseChartOptions, all: readonly TrialRecord[]): VegaLiteSpec | undefined {
  const { metrics, colour, panel } = options
  const ended = withCourse(inheriting(all))
  const stage = ended.find(({ series }) => metrics.some((metric) => Object.hasOwn(series, metric)))?.trial.stage
  const records = ended.filter(({ trial }) => trial.stage === stage)
  if (records.length === 0) return undefined
  const axes = varyingAxes(records.map(({ trial }) => trial)).map((axis) => drawnAxis(axis, records))
  const layout = layOut(axes, { colour, panel })
  const settings = [
    ...groupBy(records, ({ trial }) =>
      JSON.stringify(axes.map(({ name }) => valueKey(lookUp(trial.params, name)))),
    ).values(),
  ]
  const chosen = evenly(settings, maxLines)
  const points = metrics.flatMap((metric) =>
    chosen.flatMap((own) => pointsOf(own, metric, toldOf(own[0]!.trial.params, layout, axes), options.scale ?? {})),
  )
  if (points.length === 0) return undefined
  const rest = layout.rest.map(({ name }) => name)
  const subtitle = [
    `${describeSeedCount(records)} · line: median`,
    ...(chosen.length < settings.length ? [`${chosen.length} of ${settings.length} settings, evenly chosen`] : []),
    ...(rest.length > 0 ? [`lines of one look differ in ${listed(rest)}`] : []),
  ]
  return { ...frame('The course of the metrics', [subtitle.join(' · ')]), ...viewsOf(options, layout, points) }
}

interface Scales {
  readonly x?: FigureScale
  readonly y?: FigureScale
}

function pointsOf(own: readonly TrialRecord[], metric: string, told: Told, scale: Scales): Point[] {
  const isDrawable = (step: number, value: number): boolean =>
    Number.isFinite(value) && (scale.y !== 'log' || value > 0) && (scale.x !== 'log' || step > 0)
  const pairs = own.flatMap(({ series }) => {
    const { steps = [], values = [] } = lookUp(series, metric) ?? {}
    return steps.map((step, i) => ({ step, value: values[i]! }))
  })
  const byStep = groupBy(
    pairs.filter(({ step, value }) => isDrawable(step, value)),
    ({ step }) => step,
  )
  const steps = [...byStep.keys()].sort((a, b) => a - b)
  return evenly(steps, maxPoints).map((step) => ({
    ...{ step, median: median(byStep.get(step)!.map(({ value }) => value)), metric },
    ...told,
  }))
}

function viewsOf(options: CourseChartOptions, layout: Layout, points: readonly Point[]): Record<string, unknown> {
  const { panel } = layout
  const labels = panel?.labels.filter((label) => points.some((point) => point.panel === label)) ?? []
  const { columns, width } = labels.length < 2 ? { columns: 1, width: size.width } : panelGrid(labels.length)
  const views = options.metrics.flatMap((metric) => {
    const all = points.filter((point) => point.metric === metric)
    if (all.length === 0) return []
    const drawn = (own: readonly Point[]): object => view(options, layout, own, { metric, all })
    if (panel === undefined) return [drawn(all)]
    return labels.map((label) => ({
      ...panelTitle(panel, label),
      ...drawn(all.filter((point) => point.panel === label)),
    }))
  })
  const [only] = views
  if (views.length === 1) return { ...size, ...only }
  const height = columns === 1 ? 230 : 190
  return { concat: views.map((one) => ({ ...one, width, height })), columns, spacing: 16 }
}

/** Lines of one metric, on the scale that all its panels share. */
function view(
  { scale = {} }: CourseChartOptions,
  layout: Layout,
  points: readonly Point[],
  { metric, all }: { metric: string; all: readonly Point[] },
): Record<string, unknown> {
  const x = { field: 'step', type: 'quantitative', title: 'step', ...stepScale(all, scale.x) }
  const y = { field: 'median', type: 'quantitative', title: metric, ...valueScale(all, scale.y) }
  const color = colourOf(layout)
  const alone = points.filter(
    ({ setting }, i) => points[i - 1]?.setting !== setting && points[i + 1]?.setting !== setting,
  )
  const dots = {
    data: { values: alone },
    mark: { type: 'point', filled: true, size: 30, opacity: 1 },
    encoding: { x, y, color },
  }
  return {
    data: { values: points },
    layer: [
      {
        mark: { type: 'line', strokeWidth: 1.6 },
        encoding: { x, y, color, ...looksOf(layout).line, ...detailOf(layout) },
      },
      // A single report has no line.
      ...(alone.length === 0 ? [] : [dots]),
    ],
  }
}

function stepScale(points: readonly Point[], scale: FigureScale | undefined): object {
  const steps = points.map(({ step }) => step)
  if (scale === 'log') return { ...logarithmic(steps), scale: { type: 'log', nice: false } }
  return { scale: { zero: false, nice: false }, axis: { labelExpr: numberLabels(steps), tickCount: 6 } }
}

function valueScale(points: readonly Point[], scale: FigureScale | undefined): object {
  const values = points.map((point) => point.median)
  if (scale === 'log') return logarithmic(values)
  const [least, most] = [minOf(values), maxOf(values)]
  return {
    scale: { domain: least === most ? [least - 1, most + 1] : [least, most], nice: true, zero: false },
    axis: { labelExpr: numberLabels(values), tickCount: 6 },
  }
}
