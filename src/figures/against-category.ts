import { mean } from '../analysis/statistics.js'
import { maxOf, minOf } from '../core/extremes.js'
import { groupBy } from '../core/group-by.js'
import { lookUp } from '../core/names.js'
import type { TrialRecord } from '../core/trial.js'
import { writeValue } from '../core/param-value.js'
import { varyingAxes } from '../core/varying-axes.js'
import type { FigureDefinition, VegaLiteSpec } from './figure.js'
import { describeSeedCount, labelOf, withResult } from './select.js'
import { coloured, frame, inReadingOrder, size } from './style.js'

export interface AgainstCategoryOptions {
  readonly name: string
  readonly caption: string
  /** The axis: its values are texts, choices, or yes and no. */
  readonly axis: string
  readonly metric: string
  /** Parameters whose values, where they vary, have marks of their own beside each other: one colour each. */
  readonly apart: readonly string[]
  /** What the marks are taken over besides seeds, such as `over all values of lr`. */
  readonly pooled?: string
}

/** More would not be read on a page. */
const maxCategories = 40

interface Mark {
  readonly category: string
  /** Left out where there is but one. */
  readonly group?: string
  readonly mean: number
  readonly low: number
  readonly high: number
}

/** A final metric against a category: a mark at the mean over seeds, a bar from the least to the greatest; no line joins them. */
export function againstCategory(options: AgainstCategoryOptions): FigureDefinition {
  const { name, caption } = options
  return { name, caption, draw: async (records) => drawAgainstCategory(options, withResult(records)) }
}

function drawAgainstCategory(
  { axis, metric, apart, pooled }: AgainstCategoryOptions,
  records: readonly TrialRecord[],
): VegaLiteSpec | undefined {
  const groupAxes = varyingAxes(records.map(({ trial }) => trial)).filter((name) => apart.includes(name))
  const groupOf = (record: TrialRecord): string => labelOf(record, groupAxes)
  const categoryOf = ({ trial }: TrialRecord): string => writeValue(lookUp(trial.params, axis))
  const groups = inReadingOrder(groupBy(records, groupOf).keys())
  const categories = inReadingOrder(groupBy(records, categoryOf).keys())
  if (categories.length < 2 || categories.length > maxCategories) return undefined
  const marks = [...groupBy(records, (record) => `${categoryOf(record)}\n${groupOf(record)}`)]
  const points = marks.flatMap(([, [first, ...rest]]): Mark[] => {
    const values = [first!, ...rest].flatMap((record) => lookUp(record.metrics, metric) ?? []).filter(Number.isFinite)
    if (values.length === 0) return []
    return [
      {
        category: categoryOf(first!),
        ...(groups.length > 1 ? { group: groupOf(first!) } : {}),
        ...{ mean: mean(values), low: minOf(values), high: maxOf(values) },
      },
    ]
  })
  if (points.length === 0) return undefined
  const barred = points.some(({ low, high }) => high > low)
  const subtitle = [
    describeSeedCount(records),
    barred ? 'mark: mean, bar: least to greatest' : 'a mark for each value',
    ...(pooled === undefined ? [] : [pooled]),
  ].join(' · ')
  const fitsAcross = categories.join('').length <= 60
  const x = {
    ...{ field: 'category', type: 'nominal', title: axis, sort: null, scale: { domain: categories } },
    axis: { labelAngle: fitsAcross ? 0 : -45, labelLimit: 200 },
  }
  const y = { type: 'quantitative', title: metric, scale: { zero: false, nice: true } }
  const beside =
    groups.length > 1
      ? { xOffset: { field: 'group', type: 'nominal', sort: null }, color: coloured('group', null, groups) }
      : {}
  const encoding = { x, ...beside }
  return {
    ...frame(`${metric} against ${axis}`, [subtitle]),
    ...size,
    data: { values: points },
    layer: [
      ...(barred
        ? [{ mark: { type: 'rule' }, encoding: { ...encoding, y: { ...y, field: 'low' }, y2: { field: 'high' } } }]
        : []),
      {
        mark: { type: 'point', filled: true, size: 60, opacity: 1 },
        encoding: { ...encoding, y: { ...y, field: 'mean' }, tooltip: tooltips(axis, groups) },
      },
    ],
  }
}

function tooltips(axis: string, groups: readonly string[]): object[] {
  return [
    { field: 'category', title: axis },
    ...(groups.length > 1 ? [{ field: 'group', title: 'group' }] : []),
    ...['mean', 'low', 'high'].map((field) => ({ field, title: field, format: '.4g' })),
  ]
}
