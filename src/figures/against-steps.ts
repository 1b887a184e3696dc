import { median } from '../analysis/statistics.js'
import { groupBy } from '../group-by.js'
import type { TrialRecord } from '../trial.js'
import type { FigureDefinition, VegaLiteSpec } from './figure.js'
import { describeSeedCount, withResult } from './select.js'
import { coloured, frame, palette, size } from './style.js'

export interface Panel {
  readonly title: string
  readonly scale?: 'linear' | 'log'
  readonly zero?: boolean
  /** Reported metrics to draw; told apart by dashes when there are several. */
  readonly metrics: readonly { readonly metric: string; readonly label: string }[]
}

export interface AgainstStepsOptions {
  readonly name: string
  readonly caption: string
  readonly title: string
  /** Which records it is about; all with a result by default. */
  readonly select?: (records: readonly TrialRecord[]) => readonly TrialRecord[]
  /** Lines of one colour: a model's name, a share. Default: all records are one line. */
  readonly group?: { readonly title: string; of(record: TrialRecord): string | number }
  /** Default `epoch`. */
  readonly x?: string
  readonly xScale?: 'linear' | 'log'
  /** One above the other, sharing the x axis. */
  readonly panels: readonly [Panel, ...Panel[]]
  readonly settings?: (records: readonly TrialRecord[]) => string
}

/** Points drawn along a line: more than a screen shows would only make the file large. */
const mostPoints = 250

interface Point {
  readonly step: number
  readonly group: string
  readonly metric: string
  readonly median: number
  readonly low: number
  readonly high: number
}

/** Reported metrics over a trial's course: the median over seeds, a band from the least to the greatest. */
export function againstSteps(options: AgainstStepsOptions): FigureDefinition {
  return { name: options.name, caption: options.caption, draw: async (records) => drawAgainstSteps(options, records) }
}

function drawAgainstSteps(options: AgainstStepsOptions, all: readonly TrialRecord[]): VegaLiteSpec | undefined {
  const records = (options.select ?? ((r) => r))(withResult(all))
  const byGroup = groupBy(records, (record) => String(options.group?.of(record) ?? ''))
  const groups = [...byGroup.keys()].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  const panels = options.panels.map((panel) => ({
    panel,
    points: groups.flatMap((group) => pointsOf(group, byGroup.get(group)!, panel)),
  }))
  if (panels.every(({ points }) => points.length === 0)) return undefined
  const banded = panels.some(({ points }) => points.some((point) => point.high > point.low))
  const subtitle = [
    describeSeedCount(records),
    banded ? 'line: median, band: least to greatest' : undefined,
    options.settings?.(records),
  ]
  const views = panels.map(({ panel, points }, i) => view(options, panel, points, groups, i === panels.length - 1))
  const head = frame(options.title, [subtitle.filter((part) => part !== undefined).join(' · ')])
  return views.length === 1 ? { ...head, ...views[0] } : { ...head, vconcat: views, spacing: 18 }
}

function view(
  options: AgainstStepsOptions,
  panel: Panel,
  points: readonly Point[],
  groups: readonly string[],
  last: boolean,
): Record<string, unknown> {
  const color =
    options.group === undefined
      ? panel.metrics.length > 1
        ? coloured(
            'metric',
            null,
            panel.metrics.map(({ label }) => label),
          )
        : { value: palette[0] }
      : coloured('group', options.group.title, groups)
  const strokeDash =
    options.group === undefined || panel.metrics.length === 1
      ? undefined
      : { field: 'metric', type: 'nominal', title: null, scale: { domain: panel.metrics.map(({ label }) => label) } }
  const x = {
    field: 'step',
    type: 'quantitative',
    title: last ? (options.x ?? 'epoch') : null,
    scale: options.xScale === 'log' ? { type: 'log', nice: false } : { nice: false, zero: false },
    axis: { format: '~s', tickCount: 8 },
  }
  const scale = panel.scale === 'log' ? { type: 'log', nice: true } : { zero: panel.zero ?? false, nice: true }
  const axis = panel.scale === 'log' ? { format: '.0e', tickCount: 6 } : {}
  const y = (field: string) => ({ field, type: 'quantitative', title: panel.title, scale, axis })
  const dash = strokeDash === undefined ? {} : { strokeDash }
  return {
    ...size,
    ...(options.panels.length > 1 ? { height: Math.round(size.height * 0.6) } : {}),
    data: { values: points },
    layer: [
      ...(points.some((point) => point.high > point.low)
        ? [
            {
              mark: { type: 'area', opacity: 0.14 },
              encoding: { x, y: y('low'), y2: { field: 'high' }, color, detail: { field: 'metric' } },
            },
          ]
        : []),
      { mark: { type: 'line', strokeWidth: 1.6 }, encoding: { x, y: y('median'), color, ...dash } },
    ],
  }
}

function pointsOf(group: string, records: readonly TrialRecord[], panel: Panel): Point[] {
  return panel.metrics.flatMap(({ metric, label }) => {
    const atStep = new Map<number, number[]>()
    for (const { series } of records) {
      const { steps = [], values = [] } = series[metric] ?? {}
      steps.forEach((step, i) => {
        const value = values[i]!
        if (!Number.isFinite(value) || (panel.scale === 'log' && value <= 0)) return
        const here = atStep.get(step)
        if (here === undefined) atStep.set(step, [value])
        else here.push(value)
      })
    }
    const steps = thin([...atStep.keys()].sort((a, b) => a - b))
    return steps.map((step) => {
      const values = atStep.get(step)!
      const [low, high] = [Math.min(...values), Math.max(...values)]
      return { step, group, metric: label, median: median(values), low, high }
    })
  })
}

/** At most so many steps, evenly chosen, the first and the last among them. */
function thin(steps: readonly number[]): number[] {
  if (steps.length <= mostPoints) return [...steps]
  return Array.from({ length: mostPoints }, (_, i) => steps[Math.round((i * (steps.length - 1)) / (mostPoints - 1))]!)
}
