import { seedCount } from '../../figures/select.js'
import type { TrialRecord } from '../../core/trial.js'
import type { Claim, Verdict } from '../experiment.js'
import type { Records } from './records.js'

/** What follows from some records' numbers, in a verdict's words. */

/** What can't be told from these records. */
export const inconclusive = (summary: string, records: Records = []): Verdict => ({
  state: 'inconclusive',
  summary,
  seeds: seedCount(records),
})

type Choose = (records: Records) => Records
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

/** What is judged of some trials, if they hold enough of something: at least `needed` of the `count` that `what` names. */
export const withEnough = (
  records: Records,
  { count, needed, of: what }: { readonly count: number; readonly needed: number; readonly of: string },
  judge: Judge,
): Verdict => (count < needed ? inconclusive(`only ${count} ${what} (${needed} needed)`, records) : judge(records))

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
