import { mean, median } from '../../analysis/statistics.js'
import { minOf } from '../../core/extremes.js'
import { lookUp } from '../../core/names.js'
import type { TrialRecord } from '../../core/trial.js'
import type { Records } from './records.js'

/** The numbers of a record, and of several: what was measured, what was reported, what an axis was set to. */

/** A final metric; NaN when the trial has none of that name. */
export const metric = (record: TrialRecord, name: string): number => lookUp(record.metrics, name) ?? NaN

export const metricOf =
  (name: string) =>
  (record: TrialRecord): number =>
    metric(record, name)

/** A final metric of each. */
export const valuesOf = (records: Records, name: string): number[] => records.map((record) => metric(record, name))
export const meanOf = (records: Records, name: string): number => mean(valuesOf(records, name))
export const leastOf = (records: Records, name: string): number => minOf(valuesOf(records, name))

/** What was reported of a metric, in the order of the steps; `none` when the trial has none of that name. */
export const seriesOf = (record: TrialRecord, name: string, none: readonly number[] = []): readonly number[] =>
  lookUp(record.series, name)?.values ?? none

/** The value of an axis, as a number. */
export const axisOf =
  (name: string) =>
  ({ trial }: TrialRecord): number =>
    Number(lookUp(trial.params, name))

/** The median of a series over the `window` steps that end at `step`; NaN when it has none of them. */
export function medianUntil(record: TrialRecord, name: string, step: number, window: number): number {
  const series = lookUp(record.series, name)
  if (series === undefined) return NaN
  return median(series.values.filter((_, i) => series.steps[i]! > step - window && series.steps[i]! <= step))
}
