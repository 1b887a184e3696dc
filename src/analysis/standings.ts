import { groupBy } from '../core/group-by.js'
import { lookUp } from '../core/names.js'
import { rankRecords, type Standing } from '../core/ranking.js'
import { averagedOf, inheriting, type Averaging } from '../core/setting.js'
import type { Objective, Params, TrialRecord } from '../core/trial.js'
import { estimate, leastReplications, pValue } from './intervals.js'
import { mean } from './statistics.js'

export type { Standing }

/** Points by the mean of a final metric over their trials, the best first (`Ranking`). */
export function standings(records: readonly TrialRecord[], objective: Objective): Standing[] {
  return rankRecords(records, objective).all()
}

type Points = Map<string, TrialRecord[]>

/** Trials that came to a number, or to NaN or an infinity. */
const measured = (records: readonly TrialRecord[], metric: string): TrialRecord[] =>
  records.filter((record) => record.state !== 'diverged' && lookUp(record.metrics, metric) !== undefined)

const byPoint = (records: readonly TrialRecord[], axes: readonly string[]): Points =>
  groupBy(records, ({ trial: { params, stage } }) =>
    JSON.stringify([stage, axes.map((axis) => [axis, lookUp(params, axis) ?? null])]),
  )

/** What tells trials of one point apart: its seeds, and the values of axes that are averaged as seeds are. */
const partnerKey = ({ trial }: TrialRecord, averaging: Averaging): string =>
  JSON.stringify([trial.seeds, Object.entries(averagedOf(trial.params, averaging)).sort()])

/** What a point is worth in two sweeps. */
export interface Comparison {
  /** The point's values on the axes that vary, by name. */
  readonly point: Params
  /** The metric of the trials that are compared: those of the pairs when there are any, else all. */
  readonly first: readonly number[]
  readonly second: readonly number[]
  /** Trials of either sweep that have no partner, where others have. */
  readonly unpaired: number
  /** Mean of second − first: over pairs of equal seeds when there are any, else of the means; NaN where a sweep has no finite number. */
  readonly difference: number
  /** How many pairs of equal seeds it rests on; 0 when unpaired. */
  readonly pairs: number
  /** Trials that came to NaN or an infinity: without them the pairs would be chosen by what they show. */
  readonly notFinite: number
  /** Student's 95 % interval of the mean difference of the pairs; missing with fewer than 3, and where a trial came to no finite number. */
  readonly interval?: readonly [number, number]
  /** How often chance alone would show so large a difference; missing without an interval, and where all pairs differ by the same number. */
  readonly p?: number
}

/**
 * Two sweeps point by point on the axes that vary within either, which is where they can meet; trials with equal seeds are
 * compared in pairs, which takes the seeds' own spread out of the difference. Where axes are averaged as seeds are, trials with
 * equal values of those are, and the differences of one seed make one: folds share what they train on and are no replications.
 * A trial that derives from others is of their setting; each sweep's parents come before what derives from them.
 */
export function compareRecords(
  first: readonly TrialRecord[],
  second: readonly TrialRecord[],
  metric: string,
  axes: readonly string[],
  averaging: Averaging = {},
): Comparison[] {
  // What is measured on a checkpoint is of the setting that it was trained in.
  const all = [first, second].map((records) => measured(inheriting(records), metric))
  const isFit = (record: TrialRecord): boolean => Number.isFinite(lookUp(record.metrics, metric))
  const [a, b] = all.map((records) => byPoint(records, axes)) as [Points, Points]
  return [...a].flatMap(([key, measuredHere]) => {
    const measuredThere = b.get(key)
    if (measuredThere === undefined) return []
    const [own, other] = [measuredHere.filter(isFit), measuredThere.filter(isFit)]
    const notFinite = measuredHere.length + measuredThere.length - own.length - other.length
    const { params } = measuredHere[0]!.trial
    const pairs = pairsOf(own, other, averaging)
    const isPaired = pairs.length > 0
    const valueOf = (record: TrialRecord): number => lookUp(record.metrics, metric)!
    const from = (isPaired ? pairs.map(([partner]) => partner) : own).map(valueOf)
    const to = (isPaired ? pairs.map(([, record]) => record) : other).map(valueOf)
    const paired = differencesOf(pairs, valueOf, averaging)
    const differences = isPaired ? paired : [mean(to) - mean(from)]
    return [
      {
        point: Object.fromEntries(
          axes.flatMap((axis) => (Object.hasOwn(params, axis) ? [[axis, lookUp(params, axis)!]] : [])),
        ),
        first: from,
        second: to,
        unpaired: isPaired ? own.length + other.length - distinct(pairs, 0) - distinct(pairs, 1) : 0,
        difference: mean(differences),
        pairs: paired.length,
        notFinite,
        ...(notFinite > 0 ? {} : weighPairs(paired)),
      },
    ]
  })
}

/** What the differences of pairs show of their mean. */
export function weighPairs(differences: readonly number[]): Pick<Comparison, 'interval' | 'p'> {
  if (differences.length < leastReplications) return {}
  const { interval } = estimate(differences, 'linear')
  return { interval, ...(interval[0] === interval[1] ? {} : { p: pValue(differences, 'linear', 0) }) }
}

type Pair = readonly [TrialRecord, TrialRecord]

/** How many trials of one of the two sweeps have a partner: with an averaged axis one may have several. */
const distinct = (pairs: readonly Pair[], side: 0 | 1): number => new Set(pairs.map((pair) => pair[side])).size

function pairsOf(first: readonly TrialRecord[], second: readonly TrialRecord[], averaging: Averaging): Pair[] {
  const partners = new Map(first.map((record) => [partnerKey(record, averaging), record]))
  return second.flatMap((record): Pair[] => {
    const partner = partners.get(partnerKey(record, averaging))
    return partner === undefined ? [] : [[partner, record]]
  })
}

/** Second − first of each pair; where axes are averaged, one of each seed. */
function differencesOf(
  pairs: readonly Pair[],
  valueOf: (record: TrialRecord) => number,
  averaging: Averaging,
): number[] {
  const bySeeds = groupBy(pairs, ([, { trial }]) => JSON.stringify(trial.seeds))
  return [...bySeeds.values()].flatMap((own) => {
    const differences = own.map(([partner, record]) => valueOf(record) - valueOf(partner))
    return averaging.average === undefined ? differences : [mean(differences)]
  })
}
