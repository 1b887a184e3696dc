import { groupBy } from '../../core/group-by.js'
import { lookUp } from '../../core/names.js'
import type { TrialRecord } from '../../core/trial.js'

/** Choosing among a sweep's records, for claims and figures. */

export type Records = readonly TrialRecord[]

export const finished = (records: Records, stage = 'main'): TrialRecord[] =>
  records.filter((record) => record.state === 'finished' && record.trial.stage === stage)

/** Records whose parameters have these values. */
export function having(records: Records, params: Readonly<Record<string, string | number | boolean>>): TrialRecord[] {
  return records.filter(({ trial }) =>
    Object.entries(params).every(([name, value]) => lookUp(trial.params, name) === value),
  )
}

/** The largest set of trials that are alike in what `setting` tells: what it leaves out may then be compared. */
export function largestComparable(
  records: Records,
  setting: (record: TrialRecord) => Readonly<Record<string, unknown>>,
): Records {
  const settings = groupBy(records, (record) => JSON.stringify(setting(record)))
  return [...settings.values()].sort((a, b) => b.length - a.length)[0] ?? []
}

/** The first trial a derived one rests on, among these records. */
export const parentOf = (record: TrialRecord, all: Records): TrialRecord | undefined =>
  all.find(({ trial }) => trial.id === record.trial.parents[0])
