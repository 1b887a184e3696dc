import { bootstrapInterval, median, spearmanInterval } from '../../analysis/statistics.js'
import { seedCount } from '../../figures/select.js'
import { groupBy } from '../../core/group-by.js'
import { lookUp } from '../../core/names.js'
import { Random } from '../../core/seed.js'
import type { TrialRecord } from '../../core/trial.js'
import type { Verdict } from '../experiment.js'

/** What claims are made of: choosing records, reading their numbers, and saying what follows. */

export const finished = (records: readonly TrialRecord[], stage = 'main'): TrialRecord[] =>
  records.filter((record) => record.state === 'finished' && record.trial.stage === stage)

/** Records whose parameters have these values. */
export function having(
  records: readonly TrialRecord[],
  params: Readonly<Record<string, string | number | boolean>>,
): TrialRecord[] {
  return records.filter(({ trial }) =>
    Object.entries(params).every(([name, value]) => lookUp(trial.params, name) === value),
  )
}

/** A final metric; NaN when the trial has none of that name. */
export const metric = (record: TrialRecord, name: string): number => lookUp(record.metrics, name) ?? NaN

/** The first trial a derived one rests on, among these records. */
export const parentOf = (record: TrialRecord, all: readonly TrialRecord[]): TrialRecord | undefined =>
  all.find(({ trial }) => trial.id === record.trial.parents[0])

export const inconclusive = (summary: string, seeds = 0): Verdict => ({ state: 'inconclusive', summary, seeds })

export const round = (value: number, digits = 3): string => value.toFixed(digits)
/** Two significant digits, for numbers of any size. */
export const brief = (value: number): string => value.toPrecision(2)

/** The median of a series over the `window` steps that end at `step`; NaN when it has none of them. */
export function medianUntil(record: TrialRecord, name: string, step: number, window: number): number {
  const series = lookUp(record.series, name)
  if (series === undefined) return NaN
  return median(series.values.filter((_, i) => series.steps[i]! > step - window && series.steps[i]! <= step))
}

/** True or false as a verdict, with what it rests on. */
export function verdict(holds: boolean, records: readonly TrialRecord[], summary: string, effect?: number): Verdict {
  return {
    state: holds ? 'reproduced' : 'not reproduced',
    summary,
    seeds: seedCount(records),
    ...(effect === undefined || Number.isNaN(effect) ? {} : { effect }),
  }
}

/** Whether something holds of every one of these trials; `what` names one of them, `none` says that there are none. */
export function everyOne(
  records: readonly TrialRecord[],
  what: string,
  holds: (record: TrialRecord) => boolean,
  none = `no finished ${what}`,
): Verdict {
  if (records.length === 0) return inconclusive(none)
  const held = records.filter(holds).length
  return verdict(held === records.length, records, `${held} of ${records.length} ${what}s`)
}

/**
 * An effect with its interval, held against a bound on one side of `nothing`: reproduced when it reaches the bound and the
 * interval excludes `nothing`, not reproduced when the interval's nearer end does not reach the bound either.
 */
export function stateOf(
  effect: number,
  interval: readonly [number, number],
  bound: number,
  nothing = 0,
): Verdict['state'] {
  const [reaches, excludesNothing, mightReach] =
    bound < nothing
      ? [effect <= bound, interval[1] < nothing, interval[0] <= bound]
      : [effect >= bound, interval[0] > nothing, interval[1] >= bound]
  return reaches && excludesNothing ? 'reproduced' : mightReach ? 'inconclusive' : 'not reproduced'
}

/** The 95 % interval of a statistic of trials when their seeds are drawn anew, each with all its trials. */
export function intervalOverSeeds(
  records: readonly TrialRecord[],
  statistic: (drawn: readonly TrialRecord[]) => number,
  claim: string,
): [number, number] {
  const bySeed = [...groupBy(records, ({ trial }) => JSON.stringify(trial.seeds)).values()]
  return bootstrapInterval(
    bySeed.length,
    (indexes) => statistic(Array.from(indexes, (i) => bySeed[i]!).flat()),
    new Random(0, 'claim', claim),
  )
}

/**
 * A rank correlation with its bootstrap interval, held against a bound on its side of zero (`stateOf`).
 * `clusters` names what each point belongs to (a seed): points of one are drawn together, being no independent evidence.
 */
export function rankVerdict(
  x: readonly number[],
  y: readonly number[],
  bound: number,
  what: {
    readonly claim: string
    readonly unit: string
    readonly seeds: number
    readonly clusters?: readonly (string | number)[]
  },
): Verdict {
  const { rho, interval } = spearmanInterval(x, y, new Random(0, 'claim', what.claim), what.clusters)
  if (Number.isNaN(rho)) return inconclusive(`Spearman is undefined over ${x.length} ${what.unit}`, what.seeds)
  const summary = `Spearman ${round(rho)} over ${x.length} ${what.unit}, 95 % interval ${round(interval[0])} to ${round(interval[1])}`
  return { state: stateOf(rho, interval, bound), summary, seeds: what.seeds, effect: rho, interval }
}
