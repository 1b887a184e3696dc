import { bootstrapInterval, spearmanInterval } from '../../analysis/statistics.js'
import { seedCount } from '../../figures/select.js'
import { groupBy } from '../../core/group-by.js'
import { Random } from '../../core/seed.js'
import type { TrialRecord } from '../../core/trial.js'
import type { Verdict } from '../experiment.js'
import type { Records } from './records.js'
import { round, tellInterval } from './wording.js'

/** What follows from some records' numbers, in a verdict's words. */

/** What can't be told from these records. */
export const inconclusive = (summary: string, records: Records = []): Verdict => ({
  state: 'inconclusive',
  summary,
  seeds: seedCount(records),
})

/** What is judged of some trials, if there are any; `none` says that there are not. */
export const given = (records: Records, none: string, judge: (all: Records) => Verdict): Verdict =>
  records.length === 0 ? inconclusive(none) : judge(records)

/** What is judged of some trials, if they hold enough of something: at least `needed` of the `count` that `what` names. */
export const withEnough = (
  records: Records,
  { count, needed, of: what }: { readonly count: number; readonly needed: number; readonly of: string },
  judge: (all: Records) => Verdict,
): Verdict => (count < needed ? inconclusive(`only ${count} ${what} (${needed} needed)`, records) : judge(records))

/** What is judged of some trials of enough seeds: one seed's result says nothing of the next one's. */
export const overSeeds = (records: Records, what: string, judge: (all: Records) => Verdict, needed = 3): Verdict =>
  seedCount(records) < needed
    ? inconclusive(`${what} of ${seedCount(records)} seeds (${needed} needed)`, records)
    : judge(records)

/** True or false as a verdict, with what it rests on. */
export function verdict(holds: boolean, records: Records, summary: string, effect?: number): Verdict {
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
  records: Records,
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
  records: Records,
  statistic: (drawn: Records) => number,
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
  const { unit, seeds } = what
  if (Number.isNaN(rho))
    return { state: 'inconclusive', summary: `Spearman is undefined over ${x.length} ${unit}`, seeds }
  const summary = `Spearman ${round(rho)} over ${x.length} ${unit}, ${tellInterval(interval)}`
  return { state: stateOf(rho, interval, bound), summary, seeds, effect: rho, interval }
}
