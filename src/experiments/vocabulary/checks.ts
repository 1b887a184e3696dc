import { seedCount } from '../../figures/select.js'
import type { TrialRecord } from '../../core/trial.js'
import type { Claim, Verdict } from '../experiment.js'
import type { Choose, Records } from './records.js'

/** Checks: what is so of every trial unless the software errs. */

/** What can't be told from these records. */
const inconclusive = (summary: string, records: Records = []): Verdict => ({
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
