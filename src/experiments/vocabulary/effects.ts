import { bootstrapInterval, spearmanInterval } from '../../analysis/statistics.js'
import { groupBy } from '../../core/group-by.js'
import { Random } from '../../core/seed.js'
import type { Verdict } from '../experiment.js'
import type { Records } from './records.js'
import { round } from './wording.js'

/** Effects with their 95 % intervals, and what follows of them. */

export const tellInterval = ([low, high]: readonly [number, number], tell = round): string =>
  `95 % interval ${tell(low)} to ${tell(high)}`

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
