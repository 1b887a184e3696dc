import { rankStep } from '../../analysis/intervals.js'
import { mean, spearman } from '../../analysis/statistics.js'
import { minOf } from '../../core/extremes.js'
import { groupBy } from '../../core/group-by.js'
import type { TrialRecord } from '../../core/trial.js'
import { bySeed, type Effect } from './effects.js'
import type { Choose, Records } from './records.js'

/** Effects that are rank correlations over the settings of each seed. */

export interface Trend {
  readonly choose: Choose
  /** The setting. */
  readonly x: (record: TrialRecord) => number
  readonly y: (record: TrialRecord) => number
  /** Settings a seed must have; fewer have hardly a trend. */
  readonly least: number
}

/** Spearman's correlation of setting and value within one seed, trials of one setting taken together; NaN of too few settings. */
function trendOf(own: Records, { x, y, least }: Trend): number {
  const settings = [...groupBy(own, x)]
  if (settings.length < least) return NaN
  const values = settings.map(([, trials]) => (trials.length === 1 ? y(trials[0]!) : mean(trials.map(y))))
  return spearman(
    settings.map(([setting]) => setting),
    values,
  )
}

/** How a value goes with a setting within a seed, as an effect. */
export const trendEffect = (trend: Trend, tested: Omit<Effect, 'of' | 'scale' | 'step'>): Effect => ({
  ...tested,
  // Values that are all alike have no ranks.
  needs: `${tested.needs}, with values that differ`,
  scale: 'rank',
  of: (records) => bySeed(trend.choose(records), (own) => trendOf(own, trend)),
  step(records) {
    const seeds = groupBy(trend.choose(records), ({ trial }) => JSON.stringify(trial.seeds))
    const counts = [...seeds.values()].map((own) => new Set(own.map(trend.x)).size)
    return rankStep(minOf(counts.filter((count) => count >= trend.least)))
  },
})
