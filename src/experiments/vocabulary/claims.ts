import { bootstrapInterval, mean, median, spearmanInterval } from '../../analysis/statistics.js'
import { seedCount } from '../../figures/select.js'
import { minOf } from '../../core/extremes.js'
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

/** A final metric of each. */
export const valuesOf = (records: readonly TrialRecord[], name: string): number[] =>
  records.map((record) => metric(record, name))
export const meanOf = (records: readonly TrialRecord[], name: string): number => mean(valuesOf(records, name))
export const leastOf = (records: readonly TrialRecord[], name: string): number => minOf(valuesOf(records, name))

/** The value of an axis, as a number. */
export const axisOf =
  (name: string) =>
  ({ trial }: TrialRecord): number =>
    Number(lookUp(trial.params, name))

/** The largest set of trials that are alike in what `setting` tells: what it leaves out may then be compared. */
export function largestComparable(
  records: readonly TrialRecord[],
  setting: (record: TrialRecord) => Readonly<Record<string, unknown>>,
): readonly TrialRecord[] {
  const settings = groupBy(records, (record) => JSON.stringify(setting(record)))
  return [...settings.values()].sort((a, b) => b.length - a.length)[0] ?? []
}

/** The first trial a derived one rests on, among these records. */
export const parentOf = (record: TrialRecord, all: readonly TrialRecord[]): TrialRecord | undefined =>
  all.find(({ trial }) => trial.id === record.trial.parents[0])

export const inconclusive = (summary: string, seeds = 0): Verdict => ({ state: 'inconclusive', summary, seeds })

/** What is judged of some trials, if there are any; `none` says that there are not. */
export const given = (
  records: readonly TrialRecord[],
  none: string,
  judge: (all: readonly TrialRecord[]) => Verdict,
): Verdict => (records.length === 0 ? inconclusive(none) : judge(records))

/** What is judged of some trials, if they hold enough of something: at least `needed` of the `count` that `what` names. */
export const withEnough = (
  records: readonly TrialRecord[],
  { count, needed, of: what }: { readonly count: number; readonly needed: number; readonly of: string },
  judge: (all: readonly TrialRecord[]) => Verdict,
): Verdict =>
  count < needed ? inconclusive(`only ${count} ${what} (${needed} needed)`, seedCount(records)) : judge(records)

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

/**
 * Whether something holds of every one of these trials; `what` names one of them. `none` says that there are none, `told`
 * ends the sentence of how many.
 */
export const everyOne = (
  records: readonly TrialRecord[],
  what: string,
  holds: (record: TrialRecord) => boolean,
  { none = `no finished ${what}`, told = '' } = {},
): Verdict =>
  given(records, none, (all) => {
    const held = all.filter(holds).length
    return verdict(held === all.length, all, `${held} of ${all.length} ${what}s${told}`)
  })

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
