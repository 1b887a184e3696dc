import { bestOfFronts } from '../../analysis/pareto.js'
import { SpaceError } from '../../core/errors.js'
import { goalsOf, hasFront, lossOf } from '../../core/objective.js'
import { rankingOf, type Standing } from '../../core/ranking.js'
import { classes, classOf } from '../../core/standing.js'
import type { Confirmation, Objective, TrialId } from '../../core/trial.js'
import type { Experiment } from '../../experiments/experiment.js'
import type { JournalEvent } from '../journal/journal.js'
import type { SweepState } from '../journal/state.js'
import type { Plan, ResolveData } from '../plan.js'
import type { Addition, Growth } from '../scheduling/growth.js'
import { isTogether } from '../spec/seeds.js'
import type { SweepSpec } from '../spec/spec.js'
import { PlannedSettings, SearchedSettings, type ConfirmedSettings } from './confirmed-settings.js'
import type { SearchGrowth } from './search-growth.js'

/** The best settings that are run again; of several objectives so many of the front at most. */
const settingsConfirmed = 3
const frontConfirmed = 10

/** The seeds that confirm a sweep: those after the largest of its own. @throws SpaceError for a sweep that can't be confirmed. */
export function confirmationOf(seeds: number, spec: SweepSpec, { profiles }: Experiment): Confirmation {
  const own = spec.seeds ?? profiles[spec.profile ?? 'reduced']!.seeds
  if (!isTogether(own))
    throw new SpaceError('confirm: fresh seeds follow a list of seeds, which moves all four together (give one)')
  return { seeds, after: own.reduce((most, seed) => Math.max(most, seed), -1) }
}

/** Which of a sweep's settings are the best by what has ended, as they are to be run again; none where all were. */
export class Confirmer {
  /** On how many seeds the best have been run again, since anything was suggested. */
  #seeds = 0

  constructor(
    private readonly objective: Objective,
    private readonly seeds: number,
    private readonly settings: ConfirmedSettings,
  ) {}

  apply(event: JournalEvent): void {
    if (event.type === 'trials-added' && event.reason === 'confirmation') this.#seeds = seedsOf(event)
    if (this.settings.apply(event)) this.#seeds = 0
  }

  /** @param state of which every trial has ended. @param seeds how many are to be run. */
  next(state: SweepState, seeds = this.seeds): Addition | undefined {
    if (this.settings.areSuggested && this.#seeds >= seeds) return undefined
    const best = bestOf(rankingOf(state.trials.values(), this.objective).all(), this.objective)
    const found = this.settings.plan(best, state, seeds)
    const added = found.flatMap(({ trials }) => trials).filter(({ id }) => !state.trials.has(id))
    if (added.length === 0) return undefined
    const settings = found.map(({ values, standing: { mean, means } }) => ({ values, mean, ...(means && { means }) }))
    return { reason: 'confirmation', because: { seeds, settings }, trials: added }
  }
}

/**
 * The settings that are worth to be run again: the best three, or of several objectives the front; of a long one those ten
 * that together have much hypervolume.
 */
function bestOf(all: readonly Standing[], objective: Objective): readonly Standing[] {
  const kept = all.filter((one) => classOf(one) < classes.infeasible)
  if (!hasFront(objective)) return kept.slice(0, settingsConfirmed)
  const front = kept.filter((one) => one.rank === 0 && classOf(one) === classOf(kept[0]!))
  const losses = front.map(({ means }) => goalsOf(objective).map((goal, k) => lossOf(goal, means![k]!)))
  const chosen = new Set(bestOfFronts(losses, frontConfirmed))
  return front.filter((_, i) => chosen.has(i))
}

/** How many seeds the settings of a confirmation were run on. */
export const seedsOf = ({ because }: Addition): number => Number(because['seeds'])

/** A sweep that runs its best settings on fresh seeds once all of it has ended, of a search once it has suggested all that it will. */
export class ConfirmedGrowth implements Growth {
  constructor(
    private readonly search: SearchGrowth | undefined,
    private readonly confirmer: Confirmer,
  ) {}

  get working(): Promise<void> | undefined {
    return this.search?.working
  }

  async hasNext(state: SweepState): Promise<boolean> {
    return (await this.search?.hasNext()) === true || this.#confirm(state) !== undefined
  }

  apply(event: JournalEvent): void {
    this.confirmer.apply(event)
    this.search?.apply(event)
  }

  async next(state: SweepState): Promise<Addition | undefined> {
    const found = await this.search?.next()
    return found !== undefined || this.search?.working !== undefined ? found : this.#confirm(state)
  }

  async keep(addition: Addition): Promise<void> {
    await this.search?.keep(addition)
  }

  isTaughtBy(trial: TrialId): boolean {
    return this.search?.isTaughtBy(trial) === true
  }

  #confirm(state: SweepState): Addition | undefined {
    return state.ended < state.trials.size ? undefined : this.confirmer.next(state)
  }
}

/** What confirms a sweep, told of nothing yet; `undefined` of one that is not confirmed. */
export function confirmerOf(
  { suggested = [], spec }: Pick<Plan, 'suggested' | 'spec'>,
  objective: Objective,
  experiment: Experiment,
  resolveData: ResolveData,
): Confirmer | undefined {
  if (spec.confirm === undefined) return undefined
  const { seeds, after = -1 } = spec.confirm
  const made = [experiment, spec, resolveData, after] as const
  const settings =
    spec.search?.learning === undefined ? new PlannedSettings(...made) : new SearchedSettings(suggested, ...made)
  return new Confirmer(objective, seeds, settings)
}
