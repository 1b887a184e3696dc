import { mean } from '../../analysis/statistics.js'
import { maxOf, minOf } from '../../core/extremes.js'
import { isLogarithmic } from '../../core/is-logarithmic.js'
import { lookUp } from '../../core/names.js'
import { inheriting } from '../../core/setting.js'
import type { TrialRecord } from '../../core/trial.js'
import { varyingAxes } from '../../core/varying-axes.js'
import type { FigureScale } from '../../core/written-figure.js'
import type { FigureDefinition, PlannedAxes, VegaLiteSpec } from '../figure.js'
import { describeSeedCount, evenly, listed, withResult } from '../select.js'
import { frame, inReadingOrder } from '../style.js'
import type { Results, ResultsOptions, Row } from './drawn.js'
import { drawnAxis, labelOfValue, layOut, type DrawnAxis, type Layout } from './lay-out.js'
import { toldOf } from './looks.js'
import { endsOf, settingsOf, spreadNames, spreadOf, type DrawnSetting, type Spread } from './settings.js'
import { viewsOf } from './views.js'

/** More marks would only make the file large, more lines would not be told apart, more categories not be read. */
const [maxMarks, maxLines, maxCategories] = [1_000, 40, 200]

/**
 * Final metrics against an axis or another metric: a mark for each setting, at the mean over its seeds. No mark, line or band
 * takes settings together: other axes that vary are told by colour, panels and shapes, and named.
 */
export function results(options: ResultsOptions): FigureDefinition {
  const { name, caption } = options
  return { name, caption, draw: async (records, _, planned) => drawResults(options, records, planned) }
}

function drawResults(
  options: ResultsOptions,
  all: readonly TrialRecord[],
  planned: PlannedAxes | undefined,
): VegaLiteSpec | undefined {
  const ended = withResult(inheriting(all))
  const metric = options.y ?? metricOf(ofStage(ended, options.stage), options.objective)
  if (metric === undefined) return undefined
  const isMetric = !ended.some(({ trial }) => Object.hasOwn(trial.params, options.x))
  const stage = options.stage ?? stageWith(ended, isMetric ? [metric, options.x] : [metric])
  const records = ofStage(ended, stage).filter(({ trial }) => isMetric || Object.hasOwn(trial.params, options.x))
  const axes = varyingAxes(records.map(({ trial }) => trial))
  const x = isMetric ? undefined : drawnAxis(options.x, records)
  if (options.mustVary === true && (x === undefined || x.labels.length < 2)) return undefined
  if (x !== undefined && x.numbers === undefined && x.labels.length > maxCategories) return undefined
  const measured = settingsOf(records, axes, metric, isMetric ? options.x : undefined)
  const scales = scalesOf(options, measured, x, planned)
  const settings = measured.filter((setting) => isDrawable(setting, options.x, x, scales))
  if (settings.length === 0) return undefined

  const others = axes.filter((axis) => axis !== options.x).map((axis) => drawnAxis(axis, records))
  const layout = layOut(others, { colour: options.colour, panel: options.panel })
  const spread = spreadOf(settings, scales.y === 'log')
  const rows = settings.map((setting) => rowOf(setting, { x, name: options.x, others, layout, spread }))
  const lines = new Set(rows.map(({ setting = '' }) => setting)).size
  const canJoin = x?.numbers !== undefined && lines <= maxLines
  const joined = canJoin && (options.joined ?? lines <= rows.length / 2)
  const drawn: Results = {
    ...{ options, metric, layout, spread, scales, joined },
    rows: joined ? rows : evenly(inOrder(rows), maxMarks),
    seeds: others.length > 0 || rows.length > 50 ? [] : settings.flatMap((setting) => seedsOf(setting, options.x, x)),
    ...(x === undefined || x.numbers !== undefined ? {} : { categories: x.labels }),
  }
  const leftOut = records.length - settings.reduce((sum, { values }) => sum + values.length, 0)
  const subtitle = subtitleOf(drawn, { records, settings: rows.length, leftOut })
  return { ...frame(`${metric} against ${options.x}`, subtitle), ...viewsOf(drawn) }
}

const ofStage = (records: readonly TrialRecord[], stage: string | undefined): TrialRecord[] =>
  records.filter(({ trial }) => stage === undefined || trial.stage === stage)

/** The first stage of which a trial has all these metrics. */
function stageWith(records: readonly TrialRecord[], metrics: readonly string[]): string | undefined {
  return records.find((record) => metrics.every((metric) => Object.hasOwn(record.metrics, metric)))?.trial.stage
}

function metricOf(records: readonly TrialRecord[], objective: string): string | undefined {
  const names = new Set(records.flatMap(({ metrics }) => Object.keys(metrics)))
  return names.has(objective) ? objective : [...names][0]
}

function scalesOf(
  { x: name, scale = {} }: ResultsOptions,
  settings: readonly DrawnSetting[],
  x: DrawnAxis | undefined,
  planned: PlannedAxes | undefined,
): { x: FigureScale; y: FigureScale } {
  const across = x === undefined ? settings.map((one) => one.across).filter(Number.isFinite) : (x.numbers ?? [])
  const isWide = (values: readonly number[]): boolean => minOf(values) > 0 && maxOf(values) / minOf(values) >= 20
  const isLogX =
    x === undefined
      ? isWide(across)
      : isLogarithmic(across) || (planned?.logarithmic.has(name) === true && minOf(across) > 0)
  const isLogY = isWide(settings.flatMap(({ values }) => values))
  return { x: scale.x ?? (isLogX ? 'log' : 'linear'), y: scale.y ?? (isLogY ? 'log' : 'linear') }
}

/** Where a setting stands on the x axis: a number, or a label. */
function placeOf({ params, across }: DrawnSetting, name: string, x: DrawnAxis | undefined): number | string {
  if (x === undefined) return across
  const value = lookUp(params, name)
  return x.numbers === undefined ? labelOfValue(value) : (value as number)
}

function isDrawable(
  setting: DrawnSetting,
  name: string,
  x: DrawnAxis | undefined,
  scales: { readonly x: FigureScale; readonly y: FigureScale },
): boolean {
  const at = placeOf(setting, name, x)
  const fitsX = typeof at === 'string' || (Number.isFinite(at) && (scales.x === 'linear' || at > 0))
  return fitsX && (scales.y === 'linear' || minOf(setting.values) > 0)
}

interface Rowed {
  readonly x: DrawnAxis | undefined
  readonly name: string
  readonly others: readonly DrawnAxis[]
  readonly layout: Layout
  readonly spread: Spread | undefined
}

function rowOf(setting: DrawnSetting, { x, name, others, layout, spread }: Rowed): Row {
  const { params, values } = setting
  const ends = spread === undefined ? undefined : endsOf(setting, spread)
  return {
    x: placeOf(setting, name, x),
    mean: mean(values),
    ...(ends === undefined ? {} : { low: ends[0], high: ends[1] }),
    seeds: values.length,
    ...toldOf(params, layout, others),
  }
}

/** Along the x axis, so that what is chosen evenly spans it. */
function inOrder(rows: readonly Row[]): Row[] {
  const places = new Map(inReadingOrder(new Set(rows.map(({ x }) => String(x)))).map((x, i) => [x, i]))
  return rows.toSorted((a, b) => places.get(String(a.x))! - places.get(String(b.x))!)
}

function seedsOf(
  setting: DrawnSetting,
  name: string,
  x: DrawnAxis | undefined,
): { x: number | string; value: number }[] {
  const { values } = setting
  return values.length < 2 ? [] : values.map((value) => ({ x: placeOf(setting, name, x), value }))
}

function subtitleOf(
  { joined, spread, rows, seeds, layout }: Results,
  { records, settings, leftOut }: { records: readonly TrialRecord[]; settings: number; leftOut: number },
): string[] {
  const isBanded = spread !== undefined
  const how = [
    describeSeedCount(records),
    joined ? 'line: mean' : isBanded ? 'mark: mean' : 'a mark for each setting',
    ...(isBanded ? [`${joined ? 'band' : 'bar'}: ${spreadNames[spread]}`] : []),
    ...(seeds.length > 0 ? ['dots: seeds'] : []),
  ]
  const rest = layout.rest.map(({ name }) => name)
  const about = [
    ...(rows.length < settings ? [`${rows.length} of ${settings} settings, evenly chosen`] : []),
    ...(rest.length > 0 ? [`${joined ? 'lines' : 'marks'} of one look differ in ${listed(rest)}`] : []),
    ...(leftOut > 0 ? [`${leftOut} trials without a value that can be drawn are left out`] : []),
  ]
  return [how, about].filter((parts) => parts.length > 0).map((parts) => parts.join(' · '))
}
