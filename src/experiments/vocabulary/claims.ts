import { seedCount } from '../../figures/select.js'
import type { TrialRecord } from '../../core/trial.js'
import type { Claim, Verdict } from '../experiment.js'
import type { Choose, Records } from './records.js'

/** What follows from some records' numbers, in a verdict's words. */

/** What can't be told from these records. */
export const inconclusive = (summary: string, records: Records = []): Verdict => ({
  state: 'inconclusive',
  summary,
  seeds: seedCount(records),
})

type Judge = (all: Records) => Verdict

/** A check that judges the trials it chooses, if there are any; `none` says that there are not. */
export const given =
  (choose: Choose, none: string, judge: Judge): Claim['check'] =>
  (records) => {
    const all = choose(records)
    return all.length === 0 ? inconclusive(none) : judge(all)
  }

/** A check that judges the trials it chooses, if they are of enough seeds: one seed's result says nothing of the next one's. */
export const overSeeds =
  (choose: Choose, what: string, judge: Judge, needed = 3): Claim['check'] =>
  (records) => {
    const all = choose(records)
    const seeds = seedCount(all)
    return seeds < needed ? inconclusive(`${what} of ${seeds} seeds (${needed} needed)`, all) : judge(all)
  }

/** A check that judges the trials it chooses, if they hold enough of what `of` names; counted are the trials unless told otherwise. */
export const withEnough =
  (
    choose: Choose,
    { needed, of: what, count = (all) => all.length }: { needed: number; of: string; count?: (all: Records) => number },
    judge: Judge,
  ): Claim['check'] =>
  (records) => {
    const all = choose(records)
    const found = count(all)
    return found < needed ? inconclusive(`only ${found} ${what} (${needed} needed)`, all) : judge(all)
  }

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
 * A check whether something holds of every one of the trials it chooses; `what` names one of them. `none` says that there
 * are none, `told` ends the sentence of how many.
 */
export const everyOne =
  (
    choose: Choose,
    what: string,
    holds: (record: TrialRecord, records: Records) => boolean,
    { none = `no finished ${what}`, told = '' } = {},
  ): Claim['check'] =>
  (records) =>
    given(choose, none, (all) => {
      const held = all.filter((record) => holds(record, records)).length
      return verdict(held === all.length, all, `${held} of ${all.length} ${what}s${told}`)
    })(records)
