import { canonicalJson } from '../../core/seed.js'
import { settingOf } from '../../core/setting.js'
import type { Standing } from '../../core/standing.js'
import type { Params, Trial, TrialId } from '../../core/trial.js'
import type { Experiment } from '../../experiments/experiment.js'
import type { JournalEvent } from '../journal/journal.js'
import type { SweepState } from '../journal/state.js'
import { makePlan, type ResolveData } from '../plan.js'
import type { SweepSpec } from '../spec/spec.js'
import type { Suggested } from './course.js'
import { suggestedBy } from './replay.js'
import type { SearchedValues } from './search-space.js'
import { settingPlanner } from './setting.js'

/** One of the best settings, with its trials on fresh seeds. */
export interface ConfirmedSetting {
  readonly standing: Standing
  readonly values: Params
  readonly trials: readonly Trial[]
}

/** Finds the trials by which settings of a sweep are run again on fresh seeds. */
export interface ConfirmedSettings {
  /** Whether settings come one by one, so that the best may be others than those that were confirmed. */
  readonly areSuggested: boolean
  /** Takes in one event; true where by it there are more settings, or none. */
  apply(event: JournalEvent): boolean
  plan(best: readonly Standing[], state: SweepState, seeds: number): ConfirmedSetting[]
}

type MadeOf = readonly [experiment: Experiment, spec: SweepSpec, resolveData: ResolveData, after: number]

const freshSeeds = (after: number, count: number): number[] => Array.from({ length: count }, (_, i) => after + 1 + i)

/** Those of a search that learns: each is planned by its searched values. */
export class SearchedSettings implements ConfirmedSettings {
  readonly areSuggested = true
  readonly #values = new Map<TrialId, SearchedValues>()
  readonly #madeOf: MadeOf

  constructor(
    private readonly planned: readonly Suggested[],
    ...madeOf: MadeOf
  ) {
    this.#madeOf = madeOf
    for (const one of planned) this.#note(one)
  }

  apply(event: JournalEvent): boolean {
    if (event.type === 'voided') {
      this.#values.clear()
      for (const one of this.planned) this.#note(one)
    }
    const suggested = suggestedBy(event)
    if (suggested !== undefined) this.#note(suggested)
    return event.type === 'voided' || suggested !== undefined
  }

  #note({ trials, values }: Suggested): void {
    for (const trial of trials) this.#values.set(trial, values)
  }

  plan(best: readonly Standing[], _state: SweepState, seeds: number): ConfirmedSetting[] {
    const [experiment, spec, resolveData, after] = this.#madeOf
    const planSetting = settingPlanner(experiment, { ...spec, seeds: freshSeeds(after, seeds) }, resolveData)
    return best.flatMap((standing) => {
      const values = this.#values.get(standing.trials[0]!)
      return values === undefined ? [] : [{ standing, values, trials: planSetting(values)?.trials ?? [] }]
    })
  }
}

/** Those of a sweep whose settings are all planned: the same plan on fresh seeds has them, with all that belongs to each. */
export class PlannedSettings implements ConfirmedSettings {
  readonly areSuggested = false
  readonly #madeOf: MadeOf

  constructor(...madeOf: MadeOf) {
    this.#madeOf = madeOf
  }

  apply(): boolean {
    return false
  }

  plan(best: readonly Standing[], state: SweepState, seeds: number): ConfirmedSetting[] {
    const [experiment, spec, resolveData, after] = this.#madeOf
    const { trials } = makePlan(experiment, { ...spec, seeds: freshSeeds(after, seeds) }, resolveData)
    const planned = [...state.trials.values()].map(({ trial }) => trial)
    const keys = keysOf(planned, spec)
    const freshKeys = keysOf(trials, spec)
    return best.map((standing) => {
      const key = keys.get(standing.trials[0]!)
      const own = trials.filter(({ id }) => freshKeys.get(id) === key)
      return { standing, values: standing.params, trials: withRelatives(own, trials) }
    })
  }
}

/** Of each trial its stage and setting, with those of all that it derives from: the same on any seeds. */
function keysOf(trials: readonly Trial[], spec: SweepSpec): Map<TrialId, string> {
  const keys = new Map<TrialId, string>()
  for (const { id, stage, params, parents } of trials)
    keys.set(id, canonicalJson([stage, settingOf(params, spec), parents.map((parent) => keys.get(parent) ?? parent)]))
  return keys
}

/** The trials with what they derive from, and what derives from none but these; in the plan's order, parents first. */
function withRelatives(own: readonly Trial[], all: readonly Trial[]): Trial[] {
  const kept = new Set(own.map(({ id }) => id))
  for (const { id, parents } of all.toReversed()) if (kept.has(id)) for (const parent of parents) kept.add(parent)
  for (const { id, parents } of all) if (parents.length > 0 && parents.every((parent) => kept.has(parent))) kept.add(id)
  return all.filter(({ id }) => kept.has(id))
}
