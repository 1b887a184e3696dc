import { groupBy } from '../../core/group-by.js'
import { lookUp } from '../../core/names.js'
import type { Params, TrialId, TrialRecord } from '../../core/trial.js'

/** Choosing among a sweep's records, for claims and figures. */

export type Records = readonly TrialRecord[]
/** Chooses among a sweep's records those that a claim or a figure is about. */
export type Choose = (records: Records) => TrialRecord[]

export const finished = (records: Records, stage = 'main'): TrialRecord[] =>
  records.filter((record) => record.state === 'finished' && record.trial.stage === stage)

/** Records whose parameters have these values. */
export function having(records: Records, params: Readonly<Record<string, string | number | boolean>>): TrialRecord[] {
  return records.filter(({ trial }) =>
    Object.entries(params).every(([name, value]) => lookUp(trial.params, name) === value),
  )
}

/** Chooses the finished trials with these parameters. */
export const finishedWith =
  (params: Readonly<Record<string, string | number | boolean>>, stage = 'main'): Choose =>
  (records) =>
    having(finished(records, stage), params)

/** The largest set of trials that are alike in what `setting` tells: what it leaves out may then be compared. */
export function largestComparable(
  records: Records,
  setting: (record: TrialRecord) => Readonly<Record<string, unknown>>,
): TrialRecord[] {
  const settings = groupBy(records, (record) => JSON.stringify(setting(record)))
  return [...settings.values()].sort((a, b) => b.length - a.length)[0] ?? []
}

/** Of each list of records, which is which: claims look up the parent of one after the other. */
const indexes = new WeakMap<Records, ReadonlyMap<TrialId, TrialRecord>>()

function indexOf(all: Records): ReadonlyMap<TrialId, TrialRecord> {
  const known = indexes.get(all) ?? new Map(all.map((record) => [record.trial.id, record]))
  indexes.set(all, known)
  return known
}

/** The first trial a derived one rests on, among these records. */
export const parentOf = (record: TrialRecord, all: Records): TrialRecord | undefined =>
  indexOf(all).get(record.trial.parents[0] ?? '')

/** What the net was trained with that a derived trial measured; nothing when it is not among these records. */
export const netParams = (record: TrialRecord, all: Records): Params => parentOf(record, all)?.trial.params ?? {}
