import { estimate, leastReplications } from '../../analysis/intervals.js'
import { mean } from '../../analysis/statistics.js'
import { maxOf, minOf } from '../../core/extremes.js'
import { groupBy } from '../../core/group-by.js'
import { lookUp } from '../../core/names.js'
import { valueKey } from '../../core/param-value.js'
import type { Params, TrialRecord } from '../../core/trial.js'

/** Trials that differ in their seeds alone, and what they came to. */
export interface DrawnSetting {
  readonly params: Params
  /** Finite ones, of each trial that has one. */
  readonly values: readonly number[]
  /** The mean of another metric; NaN where none is asked for, or none has it. */
  readonly across: number
}

/** The settings of `axes` that have a value of a metric. */
export function settingsOf(
  records: readonly TrialRecord[],
  axes: readonly string[],
  metric: string,
  across?: string,
): DrawnSetting[] {
  const keyOf = ({ trial }: TrialRecord): string =>
    JSON.stringify(axes.map((axis) => valueKey(lookUp(trial.params, axis))))
  const finite = (own: readonly TrialRecord[], name: string): number[] =>
    own.flatMap(({ metrics }) => lookUp(metrics, name) ?? []).filter(Number.isFinite)
  return [...groupBy(records, keyOf).values()].flatMap((own) => {
    const values = finite(own, metric)
    if (values.length === 0) return []
    return [{ params: own[0]!.trial.params, values, across: across === undefined ? NaN : mean(finite(own, across)) }]
  })
}

/** What bands and bars show of several seeds. */
export type Spread = 'interval' | 'range'
export const spreadNames: Readonly<Record<Spread, string>> = {
  interval: '95 % interval of the mean',
  range: 'least to greatest',
}

/**
 * Student's interval where every setting of several seeds has three, else, and on a logarithmic axis, which the interval of
 * a mean may leave, from the least to the greatest; `undefined` where no setting has two.
 */
export function spreadOf(settings: readonly DrawnSetting[], isLog: boolean): Spread | undefined {
  const counts = settings.map(({ values }) => values.length).filter((count) => count > 1)
  if (counts.length === 0) return undefined
  return !isLog && minOf(counts) >= leastReplications ? 'interval' : 'range'
}

/** The ends of a setting's band; `undefined` of a single seed. */
export function endsOf({ values }: DrawnSetting, spread: Spread): readonly [low: number, high: number] | undefined {
  if (values.length < 2) return undefined
  return spread === 'interval' ? estimate(values, 'linear').interval : [minOf(values), maxOf(values)]
}
