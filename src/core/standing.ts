import { mean, standardDeviation } from './mean.js'
import { lookUp } from './names.js'
import { goalsOf, lossOf, violationOf } from './objective.js'
import { paretoRanks } from './pareto-ranks.js'
import { settingOf } from './setting.js'
import type { Metrics, Objective, Params, Trial, TrialId, TrialRecord } from './trial.js'

/** One point of a sweep with the values its seeds gave. */
export interface Standing {
  readonly params: Params
  readonly trials: readonly string[]
  /** Of the trials that did not diverge; of several objectives those of the first. */
  readonly values: readonly number[]
  /** Where axes are averaged as seeds are: of how many seeds the values are. Elsewhere each is of one. */
  readonly seeds?: number
  /** NaN where every trial diverged. */
  readonly mean: number
  /** Sample standard deviation of the values; 0 of one. */
  readonly deviation: number
  /** How many of its trials were stopped before their end. */
  readonly stopped: number
  /** How many of its trials diverged. */
  readonly diverged: number
  /** Of several objectives the mean of each. */
  readonly means?: readonly number[]
  /** Of several objectives: 0 on the front, 1 where only points of the front are better, and so on. */
  readonly rank?: number
  /** Of each constraint, in their order: what its metric came to (NaN of none), and how far that is beyond the bound. */
  readonly kept?: readonly { readonly metric: string; readonly mean: number; readonly violation: number }[]
}

/** What is known of a trial that has ended. */
export interface Ranked {
  readonly trial: Trial
  readonly state: TrialRecord['state']
  readonly metrics: Metrics
}

/** A standing, and the place of its first trial in the plan. */
export interface Placed {
  readonly standing: Standing
  readonly index: number
}

/** Each class is behind the one before, whatever its values. */
export const classes = { finished: 0, stopped: 1, diverged: 2, infeasible: 3, none: 4 } as const

/**
 * A point by its trials. Each metric is taken of the stage that has it first.
 * @param members in any order. @param stageOf the first stage that has a metric.
 */
export function weigh(
  members: Iterable<Ranked>,
  objective: Objective,
  stageOf: (metric: string) => string | undefined,
): Standing {
  // Sums depend on their order, and trials end in any.
  const own = [...members].sort((a, b) => a.trial.index - b.trial.index)
  const valueOf = ({ trial, state, metrics }: Ranked, metric: string): number | undefined =>
    state === 'diverged' || trial.stage !== stageOf(metric) ? undefined : lookUp(metrics, metric)
  const valuesOf = (metric: string): number[] => own.flatMap((one) => valueOf(one, metric) ?? [])
  const { also, constraints, average } = objective
  const finite = (metric: string): number[] => valuesOf(metric).filter(Number.isFinite)
  const means = goalsOf(objective).map(({ metric }) => mean(finite(metric)))
  const values = means.some(Number.isNaN) ? [] : finite(objective.metric)
  return {
    params: settingOf(own[0]!.trial.params, objective),
    trials: own.map(({ trial }) => trial.id),
    values,
    ...(average && { seeds: seedsAmong(own.filter((one) => Number.isFinite(valueOf(one, objective.metric)))) }),
    mean: mean(values),
    deviation: standardDeviation(values),
    stopped: own.filter(({ state }) => state === 'stopped').length,
    diverged: own.filter(({ state }) => state === 'diverged').length,
    ...(also && { means }),
    ...(constraints && {
      kept: constraints.map((one) => {
        const value = mean(valuesOf(one.metric))
        return { metric: one.metric, mean: value, violation: violationOf(one, value) }
      }),
    }),
  }
}

const seedsAmong = (own: readonly Ranked[]): number => new Set(own.map(({ trial }) => JSON.stringify(trial.seeds))).size

/** Σ of what is beyond the bounds of constraints: infinite where a metric is missing. */
export const violationIn = ({ kept = [] }: Standing): number =>
  kept.reduce((sum, { violation }) => sum + (violation <= 0 ? 0 : violation || Infinity), 0)

export function classOf(standing: Standing): (typeof classes)[keyof typeof classes] {
  const { values, stopped, diverged } = standing
  if (values.length === 0) return classes.none
  if (violationIn(standing) > 0) return classes.infeasible
  return diverged > 0 ? classes.diverged : stopped > 0 ? classes.stopped : classes.finished
}

/** Negative where a is better: by its class, by how little it is beyond the bounds, by the objective. */
export function compareStandings(a: Standing, b: Standing, objective: Objective): number {
  const [first, second] = [classOf(a), classOf(b)]
  if (first !== second) return first - second
  if (first === classes.none) return 0
  const [more, less] = [violationIn(a), violationIn(b)]
  if (more !== less) return more - less
  return lossOf(objective, a.mean) - lossOf(objective, b.mean)
}

/** Points with their ranks within their class, the front first; those of a rank by the first objective. */
export function byFronts(points: readonly Placed[], objective: Objective): Placed[] {
  const goals = goalsOf(objective)
  const ranked = Object.values(classes).flatMap((kind) => {
    const own = points.filter(({ standing }) => classOf(standing) === kind)
    if (kind >= classes.infeasible) return own
    const ranks = paretoRanks(own.map(({ standing }) => standing.means!.map((value, k) => lossOf(goals[k]!, value))))
    return own.map(({ standing, index }, i) => ({ standing: { ...standing, rank: ranks[i]! }, index }))
  })
  return ranked.sort(
    (a, b) =>
      classOf(a.standing) - classOf(b.standing) ||
      (a.standing.rank ?? 0) - (b.standing.rank ?? 0) ||
      compareStandings(a.standing, b.standing, objective) ||
      a.index - b.index,
  )
}

/** The place of a point's first trial in the plan. */
export function indexOf(members: ReadonlyMap<TrialId, Ranked>): number {
  let least = Infinity
  for (const { trial } of members.values()) least = Math.min(least, trial.index)
  return least
}
