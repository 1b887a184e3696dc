import { formatCount, formatNumber, formatSetting } from './format.js'
import { mean, standardDeviation } from './mean.js'
import { lookUp } from './names.js'
import { printableLine } from './printable.js'
import {
  isTerminal,
  type Metrics,
  type Objective,
  type Outcome,
  type Params,
  type Trial,
  type TrialId,
  type TrialRecord,
} from './trial.js'

/** One point of a sweep with the values its seeds gave. */
export interface Standing {
  readonly params: Params
  readonly trials: readonly string[]
  /** Of the trials that did not diverge. */
  readonly values: readonly number[]
  /** NaN where every trial diverged. */
  readonly mean: number
  /** Sample standard deviation over the seeds; 0 of one. */
  readonly deviation: number
  /** How many of its trials were stopped before their end. */
  readonly stopped: number
  /** How many of its trials diverged. */
  readonly diverged: number
}

/** What is known of a trial that has ended. */
export interface Ranked {
  readonly trial: Trial
  readonly state: TrialRecord['state']
  readonly metrics: Metrics
}

interface Group {
  readonly stage: string
  readonly members: Map<TrialId, Ranked>
  standing: Standing | undefined
}

/**
 * Points by the mean of their final metric over seeds: the one order for every line and table that names a best. A point
 * with a trial that was stopped early ranks behind those that ran to their end, since its last value is not its final one;
 * one with a trial that diverged behind those, and one without any value last. Equal points keep the plan's order. Of
 * several stages only the first that has the metric is ranked.
 */
export class Ranking {
  readonly #groups = new Map<string, Group>()
  readonly #sign: 1 | -1
  /** What every trial that has ended came to: a state, and `valued` for one that counts. */
  readonly #ended = new Map<TrialId, 'diverged' | 'valued' | 'without value' | 'without result'>()
  /** The first trial of the plan that has the metric. */
  #first: Trial | undefined

  constructor(private readonly objective: Objective) {
    this.#sign = objective.direction === 'minimize' ? 1 : -1
  }

  /** Takes in a trial that has ended; one without the metric is not ranked. The same trial again replaces the one before. */
  add(ended: Ranked): void {
    const { trial, state, metrics } = ended
    const value = lookUp(metrics, this.objective.metric)
    if (value !== undefined && (this.#first === undefined || trial.index < this.#first.index)) this.#first = trial
    if (!isTerminal(state)) return
    const hasResult = state === 'finished' || state === 'stopped'
    const valued = Number.isFinite(value) ? 'valued' : 'without value'
    const came = state === 'diverged' ? state : hasResult ? valued : 'without result'
    this.#ended.set(trial.id, came)
    if (came !== 'diverged' && came !== 'valued') return
    const key = JSON.stringify([trial.stage, Object.entries(trial.params)])
    const group = this.#groups.get(key) ?? { stage: trial.stage, members: new Map(), standing: undefined }
    this.#groups.set(key, group)
    group.members.set(trial.id, ended)
    group.standing = undefined
  }

  /** The best first; empty while no trial has the metric. */
  all(): Standing[] {
    const ranked = this.#ofStage().sort(this.#order)
    return ranked.map(({ standing }) => standing)
  }

  /** The first of all, and how many others are exactly as good; `undefined` while no point has a value. */
  best(): { readonly standing: Standing; readonly tied: number } | undefined {
    const ranked = this.#ofStage()
    const [first, ...others] = ranked
    if (first === undefined) return undefined
    const best = others.reduce((a, b) => (this.#order(b, a) < 0 ? b : a), first)
    if (best.standing.values.length === 0) return undefined
    const tied = ranked.filter((one) => one !== best && this.#compare(one.standing, best.standing) === 0).length
    return { standing: best.standing, tied }
  }

  /** Why there is no best, such as `all 9 trials diverged`; `undefined` where there is one, or nothing has ended. */
  whyNone(): string | undefined {
    if (this.#ended.size === 0 || this.best() !== undefined) return undefined
    const all = [...this.#ended.values()]
    const diverged = all.filter((came) => came === 'diverged').length
    const withResult = all.filter((came) => came !== 'without result').length
    const trials = (count: number): string => (count === 1 ? 'the only trial' : `all ${count} trials`)
    if (withResult === 0) return `no trial has a result yet, ${all.length} ended without one`
    if (diverged < withResult) return `no result has a finite ${printableLine(this.objective.metric)}`
    return `${trials(diverged)}${withResult === all.length ? '' : ' with a result'} diverged`
  }

  #ofStage(): { standing: Standing; index: number }[] {
    const { stage } = this.#first ?? {}
    return [...this.#groups.values()].flatMap((group) => {
      if (group.stage !== stage) return []
      group.standing ??= this.#weigh(group)
      return { standing: group.standing, index: indexOf(group) }
    })
  }

  #weigh({ members }: Group): Standing {
    // Sums depend on their order, and trials end in any.
    const own = [...members.values()].sort((a, b) => a.trial.index - b.trial.index)
    const values = own.flatMap(({ state, metrics }) =>
      state === 'diverged' ? [] : [lookUp(metrics, this.objective.metric)!],
    )
    return {
      params: own[0]!.trial.params,
      trials: own.map(({ trial }) => trial.id),
      values,
      mean: mean(values),
      deviation: standardDeviation(values),
      stopped: own.filter(({ state }) => state === 'stopped').length,
      diverged: own.filter(({ state }) => state === 'diverged').length,
    }
  }

  readonly #order = (a: { standing: Standing; index: number }, b: { standing: Standing; index: number }): number =>
    this.#compare(a.standing, b.standing) || a.index - b.index

  #compare(a: Standing, b: Standing): number {
    return classOf(a) - classOf(b) || (classOf(a) === 3 ? 0 : this.#sign * (a.mean - b.mean))
  }
}

function indexOf({ members }: Group): number {
  let least = Infinity
  for (const { trial } of members.values()) least = Math.min(least, trial.index)
  return least
}

function classOf({ values, stopped, diverged }: Standing): 0 | 1 | 2 | 3 {
  return values.length === 0 ? 3 : diverged > 0 ? 2 : stopped > 0 ? 1 : 0
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

/** The best point in one line: `best by the mean over 8 seeds: x=1, loss 4.01, standard deviation 0.1`. */
export function describeBest(ranking: Ranking, { metric }: Objective, axes: readonly string[]): string {
  const best = ranking.best()
  if (best === undefined)
    return `best so far: ${ranking.whyNone() === undefined ? 'none yet' : `none: ${ranking.whyNone()}`}`
  const { standing, tied } = best
  const { values, params, deviation, stopped, diverged } = standing
  const seeds = values.length === 1 ? 'best, of one seed' : `best by the mean over ${values.length} seeds`
  const point = axes
    .filter((axis) => Object.hasOwn(params, axis))
    .map((axis) => `${axis}=${printableLine(formatSetting(lookUp(params, axis)))}`)
    .join(' ')
  const spread = values.length === 1 ? '' : `, standard deviation ${formatNumber(Number(deviation.toPrecision(2)))}`
  const notes = [
    ...(tied === 0 ? [] : [`tied with ${formatCount(tied, 'other point')}`]),
    ...(stopped === 0 ? [] : [`${stopped} stopped early`]),
    ...(diverged === 0 ? [] : [`${diverged} more diverged`]),
  ]
  return `${seeds}: ${point === '' ? '' : `${point}, `}${metric} ${formatNumber(standing.mean)}${spread}${notes.length === 0 ? '' : ` (${notes.join(', ')})`}`
}
