import { SpaceError } from '../../core/errors.js'
import { rankingOf } from '../../core/ranking.js'
import { classes, classOf } from '../../core/standing.js'
import type { Confirmation, Objective, Trial, TrialId } from '../../core/trial.js'
import type { Experiment } from '../../experiments/experiment.js'
import type { JournalEvent } from '../journal/journal.js'
import type { SweepState } from '../journal/state.js'
import type { Plan, ResolveData } from '../plan.js'
import type { Addition, Growth } from '../scheduling/growth.js'
import { isTogether } from '../spec/seeds.js'
import type { SweepSpec } from '../spec/spec.js'
import type { Suggested } from './course.js'
import { suggestedBy } from './replay.js'
import type { SearchGrowth } from './search-growth.js'
import type { SearchedValues } from './search-space.js'
import { settingPlanner, type PlanSetting } from './setting.js'

/** The best settings of a search that are run again. */
const settingsConfirmed = 3

/** The seeds that confirm a search: those after the largest of its own. @throws SpaceError for a sweep that can't be confirmed. */
export function confirmationOf(seeds: number, spec: SweepSpec, { profiles }: Experiment): Confirmation {
  const own = spec.seeds ?? profiles[spec.profile ?? 'reduced']!.seeds
  if (spec.search?.learning === undefined)
    throw new SpaceError('confirm: only a search that learns is confirmed on fresh seeds (search: {sampler: tpe, …})')
  if (spec.objective?.also !== undefined)
    throw new SpaceError('confirm: several objectives have no winner to confirm (leave it out, or name one objective)')
  if (!isTogether(own))
    throw new SpaceError('confirm: fresh seeds follow a list of seeds, which moves all four together (give one)')
  return { seeds, after: own.reduce((most, seed) => Math.max(most, seed), -1) }
}

/** Plans a setting with so many of the seeds that confirm it. */
type PlanConfirmed = (seeds: number) => PlanSetting

function confirmationPlanner(
  seeds: number,
  experiment: Experiment,
  spec: SweepSpec,
  resolveData: ResolveData,
): PlanSetting {
  const { after = -1 } = spec.confirm!
  const fresh = Array.from({ length: seeds }, (_, i) => after + 1 + i)
  return settingPlanner(experiment, { ...spec, seeds: fresh }, resolveData)
}

/** Which of a search's settings are the best by what has ended, as they are to be run again; none where all were. */
export class Confirmer {
  readonly #values = new Map<TrialId, SearchedValues>()
  /** On how many seeds the best have been run again, since anything was suggested. */
  #seeds = 0

  constructor(
    private readonly planned: readonly Suggested[],
    private readonly objective: Objective,
    private readonly seeds: number,
    private readonly planOn: PlanConfirmed,
  ) {
    for (const one of planned) this.#note(one)
  }

  apply(event: JournalEvent): void {
    if (event.type === 'voided') {
      this.#values.clear()
      for (const one of this.planned) this.#note(one)
    }
    if (event.type === 'trials-added' && event.reason === 'confirmation') this.#seeds = seedsOf(event)
    const suggested = suggestedBy(event)
    if (suggested !== undefined) this.#note(suggested)
  }

  #note({ trials, values }: Suggested): void {
    this.#seeds = 0
    for (const trial of trials) this.#values.set(trial, values)
  }

  /** @param state of which every trial has ended. @param seeds how many are to be run. */
  next(state: SweepState, seeds = this.seeds): Addition | undefined {
    if (this.#seeds >= seeds) return undefined
    const best = rankingOf(state.trials.values(), this.objective)
      .all()
      .filter((one) => classOf(one) < classes.infeasible)
      .slice(0, settingsConfirmed)
    const settings = best.flatMap(({ trials: [first], mean }) => {
      const values = this.#values.get(first!)
      return values === undefined ? [] : [{ values, mean }]
    })
    const planSetting = this.planOn(seeds)
    const trials = settings.flatMap(({ values }): readonly Trial[] => planSetting(values)?.trials ?? [])
    const added = trials.filter(({ id }) => !state.trials.has(id))
    return added.length === 0 ? undefined : { reason: 'confirmation', because: { seeds, settings }, trials: added }
  }
}

/** How many seeds the settings of a confirmation were run on. */
export const seedsOf = ({ because }: Addition): number => Number(because['seeds'])

/** A search that runs its best settings on fresh seeds once it has suggested all that it will. */
export class ConfirmedGrowth implements Growth {
  constructor(
    private readonly search: SearchGrowth,
    private readonly confirmer: Confirmer,
  ) {}

  get working(): Promise<void> | undefined {
    return this.search.working
  }

  async hasNext(state: SweepState): Promise<boolean> {
    return (await this.search.hasNext()) || this.#confirm(state) !== undefined
  }

  apply(event: JournalEvent): void {
    this.confirmer.apply(event)
    this.search.apply(event)
  }

  async next(state: SweepState): Promise<Addition | undefined> {
    const found = await this.search.next()
    return found !== undefined || this.search.working !== undefined ? found : this.#confirm(state)
  }

  #confirm(state: SweepState): Addition | undefined {
    return state.ended < state.trials.size ? undefined : this.confirmer.next(state)
  }
}

/** What confirms a search, told of nothing yet; `undefined` of a sweep that is not confirmed. */
export function confirmerOf(
  { suggested = [], spec }: Pick<Plan, 'suggested' | 'spec'>,
  objective: Objective,
  experiment: Experiment,
  resolveData: ResolveData,
): Confirmer | undefined {
  if (spec.confirm === undefined) return undefined
  const planOn: PlanConfirmed = (seeds) => confirmationPlanner(seeds, experiment, spec, resolveData)
  return new Confirmer(suggested, objective, spec.confirm.seeds, planOn)
}
