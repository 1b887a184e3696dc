import { lookUp } from './names.js'
import { describeConstraint, goalsOf, hasFront } from './objective.js'
import { formatNumber } from './format.js'
import { printableLine } from './printable.js'
import { settingOf, withInherited } from './setting.js'
import { byFronts, classes, classOf, compareStandings, indexOf, weigh } from './standing.js'
import type { Placed, Ranked, Standing } from './standing.js'
import {
  isTerminal,
  type Objective,
  type Outcome,
  type Params,
  type Trial,
  type TrialId,
  type TrialRecord,
} from './trial.js'

export type { Ranked, Standing } from './standing.js'

interface Group {
  readonly stage: string
  readonly members: Map<TrialId, Ranked>
  standing: Standing | undefined
}

/**
 * Points by the mean of their final metric over seeds, and over the axes that are averaged as seeds are: the one order for every line and table that names a best. A point
 * with a trial that was stopped early ranks behind those that ran to their end, since its last value is not its final one;
 * one with a trial that diverged behind those, then one that breaks a constraint, and one without any value last. Equal
 * points keep the plan's order. Of several stages only the first that has the metric is ranked; with several objectives, or
 * constraints, a point is one of the first stage with all that derives from it. Several objectives rank by fronts.
 */
export class Ranking {
  readonly #groups = new Map<string, Group>()
  /** What every trial that has ended came to: a state, and `valued` for one that counts. */
  readonly #ended = new Map<TrialId, 'diverged' | 'valued' | 'without value' | 'without result'>()
  /** Of each metric the first trial of the plan that has it. */
  readonly #first = new Map<string, Trial>()
  /** Whether trials of several stages make a point. */
  readonly #isJoint: boolean
  /** The point of each trial, where it may be one of an earlier stage. */
  readonly #origins = new Map<TrialId, string>()
  /** The parameters of each trial that has ended, with those of what it derives from. */
  readonly #params = new Map<TrialId, Params>()
  #sorted: readonly Placed[] | undefined

  /** Of the trials that tell what the best points are worth. */
  readonly confirmed: Ranking | undefined

  constructor(private readonly objective: Objective) {
    const { confirm, ...plain } = objective
    this.confirmed = confirm === undefined ? undefined : new Ranking(plain)
    this.#isJoint = hasFront(objective) || objective.constraints !== undefined
  }

  /** Takes in a trial that has ended; one without the metric is not ranked. The same trial again replaces the one before. */
  add(given: Ranked): void {
    const ended = this.#withInherited(given)
    const { trial, state, metrics } = ended
    if (this.confirmed !== undefined && trial.seeds.init > this.objective.confirm!.after)
      return this.confirmed.add(given)
    for (const { metric } of [...goalsOf(this.objective), ...(this.objective.constraints ?? [])]) {
      const first = this.#first.get(metric)
      if (lookUp(metrics, metric) === undefined || (first !== undefined && first.index <= trial.index)) continue
      if (first?.stage !== trial.stage) for (const group of this.#groups.values()) group.standing = undefined
      this.#first.set(metric, trial)
    }
    const key = this.#keyOf(trial)
    if (!isTerminal(state)) return
    this.#sorted = undefined
    const hasResult = state === 'finished' || state === 'stopped'
    const isValued = goalsOf(this.objective).some(({ metric }) => Number.isFinite(lookUp(metrics, metric)))
    const valued = isValued ? 'valued' : 'without value'
    const came = state === 'diverged' ? state : hasResult ? valued : 'without result'
    this.#ended.set(trial.id, came)
    if (came === 'without result' || (came === 'without value' && !this.#isJoint)) return
    const group = this.#groups.get(key) ?? { stage: trial.stage, members: new Map(), standing: undefined }
    this.#groups.set(key, group)
    group.members.set(trial.id, ended)
    group.standing = undefined
  }

  /** Trials end after those that they derive from. */
  #withInherited(ended: Ranked): Ranked {
    const { trial } = ended
    const parents = trial.parents.map((parent) => this.#params.get(parent)).filter((params) => params !== undefined)
    const params = parents.length === 0 ? trial.params : withInherited(trial.params, parents)
    this.#params.set(trial.id, params)
    return params === trial.params ? ended : { ...ended, trial: { ...trial, params } }
  }

  #keyOf({ id, stage, params, parents: [parent] }: Trial): string {
    const own = (): string => JSON.stringify([stage, Object.entries(settingOf(params, this.objective))])
    if (!this.#isJoint) return own()
    const key = (parent === undefined ? undefined : this.#origins.get(parent)) ?? own()
    this.#origins.set(id, key)
    return key
  }

  /** The best first; empty while no trial has the metric. */
  all(): Standing[] {
    return this.#inOrder().map(({ standing }) => standing)
  }

  /** Of several objectives: the points of which no other is as good in all and better in one; else none. */
  front(): Standing[] {
    if (!hasFront(this.objective)) return []
    const [first] = this.#inOrder()
    if (first?.standing.rank === undefined) return []
    const kind = classOf(first.standing)
    return this.all().filter((one) => one.rank === 0 && classOf(one) === kind)
  }

  /**
   * The first of all, and how many others are exactly as good; `undefined` while no point has a value and keeps every
   * constraint, and of several objectives.
   */
  best(): { readonly standing: Standing; readonly tied: number } | undefined {
    if (hasFront(this.objective)) return undefined
    const ranked = this.#points()
    const [first, ...others] = ranked
    if (first === undefined) return undefined
    const best = others.reduce((a, b) => (this.#order(b, a) < 0 ? b : a), first)
    if (classOf(best.standing) >= classes.infeasible) return undefined
    const isTied = ({ standing }: Placed): boolean => compareStandings(standing, best.standing, this.objective) === 0
    return { standing: best.standing, tied: ranked.filter((one) => one !== best && isTied(one)).length }
  }

  /** Why there is no best, such as `all 9 trials diverged`; `undefined` where there is one, or nothing has ended. */
  whyNone(): string | undefined {
    if (this.#ended.size === 0 || this.best() !== undefined || this.front().length > 0) return undefined
    const all = [...this.#ended.values()]
    const diverged = all.filter((came) => came === 'diverged').length
    const withResult = all.filter((came) => came !== 'without result').length
    const trials = (count: number): string => (count === 1 ? 'the only trial' : `all ${count} trials`)
    if (withResult === 0) return `no trial has a result yet, ${all.length} ended without one`
    const [nearest] = this.all()
    if (nearest !== undefined && classOf(nearest) === classes.infeasible) return this.#whyInfeasible(nearest)
    const metrics = goalsOf(this.objective).map(({ metric }) => printableLine(metric))
    if (diverged < withResult)
      return metrics.length === 1
        ? `no result has a finite ${metrics[0]!}`
        : `no point has a finite value of each of ${metrics.join(', ')}`
    return `${trials(diverged)}${withResult === all.length ? '' : ' with a result'} diverged`
  }

  #whyInfeasible({ kept = [] }: Standing): string {
    const constraints = this.objective.constraints!.map(describeConstraint).join(' and ')
    const values = kept.map(({ metric, mean }) =>
      Number.isNaN(mean) ? `no ${printableLine(metric)}` : `${printableLine(metric)} ${formatNumber(mean)}`,
    )
    return `no point keeps ${constraints}; the nearest has ${values.join(', ')}`
  }

  #inOrder(): readonly Placed[] {
    this.#sorted ??= hasFront(this.objective)
      ? byFronts(this.#points(), this.objective)
      : this.#points().sort(this.#order)
    return this.#sorted
  }

  #points(): Placed[] {
    const stage = this.#first.get(this.objective.metric)?.stage
    return [...this.#groups.values()].flatMap((group) => {
      if (!this.#isJoint && group.stage !== stage) return []
      group.standing ??= weigh(group.members.values(), this.objective, (metric) => this.#first.get(metric)?.stage)
      // Of some objective it has no value yet.
      const isOpen = this.#isJoint && group.standing.values.length === 0 && group.standing.diverged === 0
      return isOpen ? [] : [{ standing: group.standing, index: indexOf(group.members) }]
    })
  }

  readonly #order = (a: Placed, b: Placed): number =>
    compareStandings(a.standing, b.standing, this.objective) || a.index - b.index
}

/** A trial's end as it is ranked. */
export function endOf(trial: Trial, outcome: Outcome): Ranked {
  return { trial, state: outcome.state, metrics: 'metrics' in outcome ? outcome.metrics : {} }
}

/** The ranking of trials as a sweep's state has them. */
export function rankingOf(
  states: Iterable<{ readonly trial: Trial; readonly outcome?: Outcome }>,
  objective: Objective,
): Ranking {
  const ranking = new Ranking(objective)
  for (const { trial, outcome } of states) if (outcome !== undefined) ranking.add(endOf(trial, outcome))
  return ranking
}

/** The ranking of trials as a journal's records have them. */
export function rankRecords(records: readonly TrialRecord[], objective: Objective): Ranking {
  const ranking = new Ranking(objective)
  for (const record of records) ranking.add(record)
  return ranking
}
