import { rankStep } from '../../analysis/intervals.js'
import { mean, spearman } from '../../analysis/statistics.js'
import { minOf } from '../../core/extremes.js'
import { groupBy } from '../../core/group-by.js'
import type { TrialRecord } from '../../core/trial.js'
import type { Counted, Effect, Settings } from './effects.js'
import type { Records } from './records.js'

/** Effects that are rank correlations over the settings of each seed. */

export interface Trend {
  /** What is varied; a seed of fewer settings than it needs has hardly a trend. */
  readonly settings: Omit<Settings, 'of' | 'needed'> & {
    readonly of: (record: TrialRecord, records: Records) => number
    readonly needed: number
  }
  /** The setting as it came about, where that is not what was asked for, such as a loss. Default: the setting. */
  readonly x?: (record: TrialRecord) => number
  readonly y: (record: TrialRecord) => number
  /** Which trials count; default all. */
  readonly counted?: Counted
}

const all = (own: Records): Records => own

/** Spearman's correlation of setting and value within one seed, trials of one setting taken together; NaN of too few settings. */
function trendOf(own: Records, records: Records, { settings, x, y, counted = all }: Trend): number {
  const trials = counted(own, records)
  const settingOf = x ?? ((record: TrialRecord): number => settings.of(record, records))
  const groups = [...groupBy(trials, settingOf)]
  if (groups.length < settings.needed) return NaN
  return spearman(
    groups.map(([setting]) => setting),
    groups.map(([, alike]) => (alike.length === 1 ? y(alike[0]!) : mean(alike.map(y)))),
  )
}

/** How a value goes with a setting within a seed, as an effect. */
export const trendEffect = (trend: Trend, tested: Omit<Effect, 'of' | 'scale' | 'step' | 'settings'>): Effect => ({
  ...tested,
  // Values that are all alike have no ranks.
  needs: `${tested.needs}, with values that differ`,
  scale: 'rank',
  settings: trend.settings,
  of: (own, records) => trendOf(own, records, trend),
  step(records) {
    const { settings, x, counted = all } = trend
    const seeds = groupBy(tested.trials(records), ({ trial }) => JSON.stringify(trial.seeds))
    const settingOf = x ?? ((record: TrialRecord) => settings.of(record, records))
    const counts = [...seeds.values()].map((own) => new Set(counted(own, records).map(settingOf)).size)
    return rankStep(minOf(counts.filter((count) => count >= settings.needed)))
  },
})
