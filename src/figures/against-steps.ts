import { median, quantile } from '../analysis/statistics.js'
import { maxOf, minOf } from '../core/extremes.js'
import { groupBy } from '../core/group-by.js'
import { lookUp } from '../core/names.js'
import type { TrialRecord } from '../core/trial.js'
import type { FigureDefinition, VegaLiteSpec } from './figure.js'
import { describeSeedCount, evenly, listed, withCourse } from './select.js'
import { apart, coloured, frame, inReadingOrder, logarithmic, numberLabels, palette, size } from './style.js'

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
  readonly group?: {
    readonly title: string | null
    of(record: TrialRecord): string | number
    /** Of groups that are settings: the axes in which they differ. */
    readonly axes?: readonly string[]
  }
  /** Default `epoch`. */
  readonly x?: string
  readonly xScale?: 'linear' | 'log'
  /** One above the other, sharing the x axis. */
  readonly panels: readonly [Panel, ...Panel[]]
  /** A step to mark in every panel, such as a change of the objective; not finite for none. */
  readonly rule?: { readonly title: string; of(record: TrialRecord): number }
  readonly settings?: (records: readonly TrialRecord[]) => string
}

/** Points drawn along a line: more than a screen shows would only make the file large. */
const maxPoints = 250
/** Up to so many trials of a group each have a line of their own; more are shown as a band. */
const maxRuns = 10

/** More lines of a group each than this are a tangle to a reader: they are shown by quantiles and a few of them. */
const maxGroups = 12
const shownGroups = 6

interface Line {
  readonly group: string
  readonly metric: string
}
interface Point extends Line {
  readonly step: number
  readonly median: number
  readonly low: number
  readonly high: number
}
/** A point of a single trial's line. */
interface RunPoint extends Line {
  readonly step: number
  readonly run: string
  readonly value: number
}

/**
 * Reported metrics over a trial's course: the median over seeds, above each seed's own thin line, or above a band from the
 * least to the greatest when there are many.
 */
export function againstSteps(options: AgainstStepsOptions): FigureDefinition {
  return { name: options.name, caption: options.caption, draw: async (records) => drawAgainstSteps(options, records) }
}

function drawAgainstSteps(options: AgainstStepsOptions, all: readonly TrialRecord[]): VegaLiteSpec | undefined {
  const records = (options.select ?? ((r) => r))(withCourse(all))
  const byGroup = groupBy(records, (record) => String(options.group?.of(record) ?? ''))
  const groups = inReadingOrder(byGroup.keys())
  if (groups.length > maxGroups) return drawCrowd(options, byGroup, groups, records)
  const many = [...byGroup.values()].some((group) => group.length > maxRuns)
  const panels = options.panels.map((panel) => ({
    panel,
    medians: groups.flatMap((group) => mediansOf(group, byGroup.get(group)!, panel)),
    runs: many ? [] : groups.flatMap((group) => runsOf(group, byGroup.get(group)!, panel)),
  }))
  if (panels.every(({ medians }) => medians.length === 0)) return undefined
  const differ = panels.some(({ medians }) => medians.some(({ low, high }) => high > low))
  const each = records.some(({ averaged }) => averaged !== undefined) ? 'trial' : 'seed'
  const spreadWords = many ? 'line: median, band: least to greatest' : `thick: median, thin: each ${each}`
  const rules = rulesOf(options, byGroup)
  const subtitle = [
    describeSeedCount(records),
    differ ? spreadWords : undefined,
    rules.length === 0 ? undefined : `vertical: ${options.rule!.title}`,
    options.settings?.(records),
  ]
  const views = panels.map((drawn, i) => view(options, drawn, groups, rules, i === panels.length - 1))
  const head = frame(options.title, [subtitle.filter((part) => part !== undefined).join(' · ')])
  if (views.length === 1) return { ...head, ...views[0] }
  // Without groups a colour means another metric in each panel, so each has a legend of its own.
  const resolve =
    options.group === undefined ? { resolve: { scale: { color: 'independent', strokeDash: 'independent' } } } : {}
  return { ...head, vconcat: views, spacing: 18, ...resolve }
}

function view(
  options: AgainstStepsOptions,
  { panel, medians, runs }: { panel: Panel; medians: readonly Point[]; runs: readonly RunPoint[] },
  groups: readonly string[],
  rules: readonly Rule[],
  last: boolean,
): Record<string, unknown> {
  const labels = panel.metrics.map(({ label }) => label)
  const byMetric = labels.length > 1 ? coloured('metric', null, labels) : { value: palette[0] }
  const color = options.group === undefined ? byMetric : coloured('group', options.group.title, groups)
  const isGrouped = options.group !== undefined
  const { line: dash } =
    labels.length > 1 || !isGrouped ? apart('metric', null, labels) : apart('group', options.group.title, groups)
  const x = {
    field: 'step',
    type: 'quantitative',
    title: last ? (options.x ?? 'epoch') : null,
    ...(options.xScale === 'log'
      ? { ...logarithmic(medians.map(({ step }) => step)), scale: { type: 'log', nice: false } }
      : {
          scale: { nice: false, zero: false },
          axis: { labelExpr: numberLabels(medians.map(({ step }) => step)), tickCount: 8 },
        }),
  }
  const fitted =
    panel.scale === 'log'
      ? logarithmic(medians.flatMap(({ low, high }) => [low, high]))
      : { scale: { zero: panel.zero ?? false, nice: true } }
  const y = (field: string) => ({ field, type: 'quantitative', title: panel.title, ...fitted })
  const band = {
    mark: { type: 'area', opacity: 0.14 },
    encoding: { x, y: y('low'), y2: { field: 'high' }, color, detail: { field: 'metric' } },
  }
  const thin = {
    data: { values: runs },
    mark: { type: 'line', strokeWidth: 0.8, opacity: 0.4 },
    encoding: { x, y: y('value'), color, detail: [{ field: 'metric' }, { field: 'run' }], ...dash },
  }
  const differ = medians.some(({ low, high }) => high > low)
  const lone = withoutLine(medians)
  return {
    ...size,
    ...(options.panels.length > 1 ? { height: Math.round(size.height * 0.6) } : {}),
    data: { values: medians },
    layer: [
      ...(differ ? [runs.length > 0 ? thin : band] : []),
      { mark: { type: 'line', strokeWidth: 1.8 }, encoding: { x, y: y('median'), color, ...dash } },
      ...(lone.length === 0 ? [] : [{ data: { values: lone }, mark: endMark, encoding: { x, y: y('median'), color } }]),
      ...(rules.length === 0
        ? []
        : [
            {
              data: { values: rules },
              mark: { type: 'rule', strokeDash: [4, 3], strokeWidth: 1.2 },
              encoding: {
                x: { ...x, field: 'at' },
                color: options.group === undefined ? { value: '#333' } : color,
              },
            },
          ]),
    ],
  }
}

const endMark = { type: 'point', filled: true, size: 30, opacity: 1 }

/** Points of lines that have no other: one that ended after a single report. */
function withoutLine(points: readonly Point[]): Point[] {
  const lines = groupBy(points, ({ group, metric }) => JSON.stringify([group, metric]))
  return [...lines.values()].flatMap((line) => (line.length === 1 ? line : []))
}

/** A step of all groups' medians. */
interface CrowdPoint {
  readonly step: number
  readonly least: number
  readonly lower: number
  readonly middle: number
  readonly upper: number
  readonly most: number
}

/** So many groups that each panel shows where all of them lie, and a few of them from the lowest end to the highest. */
function drawCrowd(
  options: AgainstStepsOptions,
  byGroup: ReadonlyMap<string, readonly TrialRecord[]>,
  groups: readonly string[],
  records: readonly TrialRecord[],
): VegaLiteSpec | undefined {
  const drawn = options.panels.map(({ metrics: [first], ...panel }) => {
    const own = { ...panel, metrics: [first!] }
    const lines = groups.map((group) => mediansOf(group, byGroup.get(group)!, own)).filter((line) => line.length > 0)
    return { panel: own, lines, crowd: crowdOf(lines) }
  })
  const leading = drawn.find(({ lines }) => lines.length > 0)
  if (leading === undefined) return undefined
  const byEnd = [...leading.lines].sort((a, b) => a.at(-1)!.median - b.at(-1)!.median)
  const shown = inReadingOrder(evenly(byEnd, shownGroups).map(([point]) => point!.group))
  const axes = options.group?.axes
  const subtitle = [
    `${groups.length} settings${axes === undefined ? '' : ` of ${listed(axes)}`}, ${describeSeedCount(records)}`,
    `bands: all of them and the middle half · black: their median · colour: ${shown.length} of them, from the lowest end to the highest`,
  ]
  const views = drawn.map(({ panel, lines, crowd }, i) => {
    const chosen = lines.filter(([point]) => shown.includes(point!.group)).flat()
    return crowdView(options, panel, crowd, chosen, shown, i === drawn.length - 1)
  })
  const head = frame(options.title, subtitle)
  return views.length === 1 ? { ...head, ...views[0] } : { ...head, vconcat: views, spacing: 18 }
}

function crowdView(
  options: AgainstStepsOptions,
  panel: Panel,
  crowd: readonly CrowdPoint[],
  chosen: readonly Point[],
  shown: readonly string[],
  last: boolean,
): Record<string, unknown> {
  const x = {
    field: 'step',
    type: 'quantitative',
    title: last ? (options.x ?? 'epoch') : null,
    scale: { nice: false, zero: false },
    axis: { labelExpr: numberLabels(crowd.map(({ step }) => step)), tickCount: 8 },
  }
  const scale = { zero: panel.zero ?? false, nice: true }
  const y = (field: string) => ({ field, type: 'quantitative', title: panel.title, scale })
  const band = (low: string, high: string, opacity: number) => ({
    mark: { type: 'area', color: '#777', opacity },
    encoding: { x, y: y(low), y2: { field: high } },
  })
  const color = { ...coloured('group', options.group?.title ?? null, shown), legend: { columns: 1, labelLimit: 600 } }
  const ends = chosen.filter(({ group }, i) => chosen[i + 1]?.group !== group)
  return {
    ...size,
    ...(options.panels.length > 1 ? { height: Math.round(size.height * 0.6) } : {}),
    data: { values: crowd },
    layer: [
      band('least', 'most', 0.16),
      band('lower', 'upper', 0.28),
      { mark: { type: 'line', strokeWidth: 2, color: 'black' }, encoding: { x, y: y('middle') } },
      { data: { values: chosen }, mark: { type: 'line', strokeWidth: 1.4 }, encoding: { x, y: y('median'), color } },
      // One that ended after a single report has no line.
      {
        data: { values: ends },
        mark: endMark,
        encoding: { x, y: y('median'), color },
      },
    ],
  }
}

function crowdOf(lines: readonly (readonly Point[])[]): CrowdPoint[] {
  const byStep = new Map<number, number[]>()
  for (const line of lines)
    for (const { step, median } of line) {
      const values = byStep.get(step)
      if (values === undefined) byStep.set(step, [median])
      else values.push(median)
    }
  return thinned(byStep.keys()).map((step) => {
    const values = byStep.get(step)!
    const at = (share: number): number => Number(quantile(values, share).toPrecision(6))
    return { step, least: at(0), lower: at(0.25), middle: at(0.5), upper: at(0.75), most: at(1) }
  })
}

interface Rule {
  readonly group: string
  readonly at: number
}

function rulesOf({ rule }: AgainstStepsOptions, byGroup: ReadonlyMap<string, readonly TrialRecord[]>): Rule[] {
  if (rule === undefined) return []
  return [...byGroup].flatMap(([group, records]) =>
    [...new Set(records.map((record) => rule.of(record)))].filter(Number.isFinite).map((at) => ({ group, at })),
  )
}

/** A metric's steps and values that can be drawn. */
function courseOf({ series }: TrialRecord, metric: string, panel: Panel): Map<number, number> {
  const { steps = [], values = [] } = lookUp(series, metric) ?? {}
  const course = new Map<number, number>()
  for (const [i, step] of steps.entries()) {
    const value = values[i]!
    if (Number.isFinite(value) && (panel.scale !== 'log' || value > 0)) course.set(step, value)
  }
  return course
}

function mediansOf(group: string, records: readonly TrialRecord[], panel: Panel): Point[] {
  return panel.metrics.flatMap(({ metric, label }) => {
    const byStep = new Map<number, number[]>()
    for (const record of records)
      for (const [step, value] of courseOf(record, metric, panel)) {
        const values = byStep.get(step)
        if (values === undefined) byStep.set(step, [value])
        else values.push(value)
      }
    return thinned(byStep.keys()).map((step) => {
      const values = byStep.get(step)!
      const [low, high] = [minOf(values), maxOf(values)]
      return { step, group, metric: label, median: median(values), low, high }
    })
  })
}

function runsOf(group: string, records: readonly TrialRecord[], panel: Panel): RunPoint[] {
  return panel.metrics.flatMap(({ metric, label }) =>
    records.flatMap((record) => {
      const course = courseOf(record, metric, panel)
      // Six digits are more than a screen shows, and a third of the file.
      const point = (step: number): RunPoint => ({
        ...{ step, group, metric: label, run: record.trial.id },
        value: Number(course.get(step)!.toPrecision(6)),
      })
      return thinned(course.keys()).map(point)
    }),
  )
}

/** At most so many steps as are drawn, in order. */
function thinned(unordered: Iterable<number>): readonly number[] {
  return evenly(
    [...unordered].sort((a, b) => a - b),
    maxPoints,
  )
}
