import { StoreError } from '../../core/errors.js'
import { withoutUnsaid } from '../../core/without-unsaid.js'
import type { SuggestionFacts } from '../../core/suggestion.js'
import type { Objective, Outcome, Trial, TrialId } from '../../core/trial.js'
import type { Observation } from '../../search/sampler.js'
import type { SearchPoint } from '../../search/space.js'
import type { JournalEvent } from '../journal/journal.js'
import type { Learning } from '../spec/learning.js'
import { hasFailed, observationOf, type TrialEnd } from './observe.js'
import type { SearchedValues, SearchSpace } from './search-space.js'

/** A setting that is to be tried, and why: plain data, in the plan or in the event by which the plan grew. */
export interface Suggested extends SuggestionFacts {
  readonly values: SearchedValues
  /** All trials of the setting, also those that were planned before. */
  readonly trials: readonly TrialId[]
}

/** A setting to try, with the trials that the plan lacks. */
export interface Suggestion {
  readonly suggested: Suggested
  readonly trials: readonly Trial[]
}

/** What the next suggestion is made from. */
export interface SuggestionRequest {
  readonly setting: number
  /** What the sampler has not been told yet, in the order in which it is to be told. */
  readonly observations: readonly Observation[]
  /** Points that were suggested and whose results it must not see. */
  readonly pending: readonly SearchPoint[]
  /** As `Suggested` has them. */
  readonly ended?: number
  readonly told?: readonly number[]
  readonly failed?: readonly TrialId[]
}

/** By what a journal, or a server, says what a setting was suggested from. */
type SuggestedFrom = Pick<Suggested, 'setting' | 'ended' | 'told' | 'failed'>
type MadeBy = Pick<Suggested, 'ended' | 'told' | 'failed'>

interface Setting {
  readonly index: number
  readonly point: SearchPoint
  readonly trials: readonly TrialId[]
  hasEnded: boolean
}

/** What is known of a trial of the search. */
interface Known extends TrialEnd {
  /** Of the settings that it is part of, those that wait for it. */
  readonly waiting: Set<Setting>
  outcome?: Outcome
  step?: number
}

/**
 * How a search stands, by the events of its journal: told the same events, it asks for the same suggestions from the same
 * results. It is told everything in the journal's order, while the sweep runs as well as when it is read again.
 */
export class SearchCourse {
  readonly #planned: { readonly trials: readonly Trial[]; readonly suggested: readonly Suggested[] }
  #settings: Setting[] = []
  #trials = new Map<TrialId, Known>()
  /** Settings that have ended and that the sampler was not told of, in the order in which they ended. */
  #arrived = new Set<Setting>()
  /** Settings whose results the sampler was not told. */
  #untold = new Set<Setting>()

  /** @param planned what was planned with the sweep. @param count how many settings there are to be in all. */
  constructor(
    private readonly space: SearchSpace,
    private readonly learning: Learning,
    private readonly objective: Objective,
    private readonly count: number,
    planned: { readonly trials: readonly Trial[]; readonly suggested: readonly Suggested[] },
  ) {
    this.#planned = planned
    this.#begin()
  }

  #begin(): void {
    this.#settings = []
    this.#trials = new Map()
    this.#arrived = new Set()
    this.#untold = new Set()
    this.#note(this.#planned.trials)
    for (const suggested of this.#planned.suggested) this.#add(suggested)
  }

  /** How many settings there are so far. */
  get size(): number {
    return this.#settings.length
  }

  /** Whether the trial is planned. */
  knows(trial: TrialId): boolean {
    return this.#trials.has(trial)
  }

  /** Takes in one event; true where it means that all before is void, which the sampler has to forget too. */
  apply(event: JournalEvent): boolean {
    if (event.type === 'voided') {
      this.#begin()
      return true
    }
    if (event.type === 'trials-added' && event.reason === 'suggestion')
      this.grow({ suggested: event.because as unknown as Suggested, trials: event.trials })
    if (!('trial' in event)) return false
    const known = this.#trials.get(event.trial)
    if (known === undefined) return false
    if (event.type === 'started') delete known.step
    else if (event.type === 'report') known.step = event.step
    // One that was cancelled is to run yet.
    else if (event.type === 'ended' && event.outcome.state !== 'cancelled') this.#end(known, event.outcome)
    return false
  }

  /**
   * Takes in the next setting, and the trials that the plan grew by for it.
   * @throws StoreError when a setting before it is missing: nothing that comes after can be made out then.
   */
  grow({ suggested, trials }: Suggestion): void {
    const due = this.#settings.length
    if (suggested.setting !== due)
      throw new StoreError(
        `the journal tells of setting ${suggested.setting}, and not of setting ${due}: its line is damaged`,
        {
          hint: 'with --fresh the search begins again; results that it has are void then',
        },
      )
    this.#note(trials)
    this.#add(suggested)
  }

  #note(trials: readonly Trial[]): void {
    for (const trial of trials)
      if (!this.#trials.has(trial.id)) this.#trials.set(trial.id, { trial, waiting: new Set() })
  }

  /** Takes in a setting whose trials are known. */
  #add({ setting: index, values, trials }: Suggested): void {
    const setting: Setting = { index, point: this.space.pointOf(values), trials, hasEnded: false }
    this.#settings.push(setting)
    this.#untold.add(setting)
    for (const known of this.#of(setting)) if (known.outcome === undefined) known.waiting.add(setting)
    this.#endIfDone(setting)
  }

  #end(known: Known, outcome: Outcome): void {
    known.outcome = outcome
    const waiting = [...known.waiting]
    known.waiting.clear()
    for (const setting of waiting) this.#endIfDone(setting)
  }

  #endIfDone(setting: Setting): void {
    if (this.#of(setting).some(({ waiting }) => waiting.has(setting))) return
    setting.hasEnded = true
    // A damaged journal may lack an end of which the sampler was told.
    if (this.#untold.has(setting)) this.#arrived.add(setting)
  }

  #of({ trials }: Setting): Known[] {
    return trials.map((id) => this.#trials.get(id)!)
  }

  /** What the next setting can be suggested from; `undefined` while results are awaited, and when there are all. */
  next(): SuggestionRequest | undefined {
    const setting = this.#settings.length
    if (setting >= this.count) return undefined
    if (!this.#isByArrival) return this.#whereEnded(setting, this.#madeFrom({ setting }))
    const fresh = [...this.#arrived]
    const ended = this.#told + fresh.length
    return ended < this.#neededFor(setting)
      ? undefined
      : this.#request(setting, fresh, { ended, told: placesOf(fresh) })
  }

  /** What a setting was suggested from that the journal tells of, and the course does not know yet. */
  requestFor(suggested: SuggestedFrom): SuggestionRequest {
    const { setting, ended = this.#neededFor(setting), told, failed } = suggested
    return this.#request(setting, this.#madeFrom(suggested), withoutUnsaid({ ended, told, failed }))
  }

  /**
   * What the next setting was suggested from on another host; `undefined` while results of it are awaited.
   * @throws StoreError where that is nothing that a sampler can have been told of.
   */
  requestOf(suggested: SuggestedFrom): SuggestionRequest | undefined {
    const { setting, told, failed } = suggested
    if (setting >= this.count) return undefined
    const fresh = this.#madeFrom(suggested)
    if (!this.#isByArrival) return this.#whereEnded(setting, fresh, withoutUnsaid({ failed }))
    if (told?.length !== fresh.length)
      throw new StoreError(
        `setting ${setting} can't have been suggested from these settings: ${told?.join(', ') ?? 'it does not say which'}`,
        { hint: 'with --fresh the search begins again; results that it has are void then' },
      )
    return this.#whereEnded(setting, fresh, { ended: this.#told + fresh.length, told, ...withoutUnsaid({ failed }) })
  }

  /** The settings that these were suggested from, by their places. */
  taughtBy(suggested: readonly SuggestedFrom[]): Set<number> {
    if (this.#isByArrival) return new Set(suggested.flatMap(({ told = [] }) => told))
    const last = suggested.at(-1)
    return new Set(Array.from({ length: last === undefined ? 0 : this.#neededFor(last.setting) }, (_, i) => i))
  }

  /** The settings that wait for the trial's end, by their places. */
  waitingFor(trial: TrialId): number[] {
    return placesOf([...(this.#trials.get(trial)?.waiting ?? [])])
  }

  get #isByArrival(): boolean {
    return this.learning.order === 'arrival'
  }

  /** How many settings the sampler was told of. */
  get #told(): number {
    return this.#settings.length - this.#untold.size
  }

  /** How many settings must have ended before this one can be suggested. */
  #neededFor(setting: number): number {
    return Math.max(0, setting - this.learning.parallel + 1)
  }

  /**
   * The settings that the sampler is told of for this one: the next by their places, or in `order: arrival` those that it
   * names. Journals of earlier versions say only how many ended first.
   */
  #madeFrom({ setting, ended = this.#neededFor(setting), told }: SuggestedFrom): Setting[] {
    if (!this.#isByArrival) return this.#settings.slice(this.#told, this.#neededFor(setting))
    if (told === undefined) return [...this.#arrived].slice(0, Math.max(0, ended - this.#told))
    const named = told.flatMap((place) => this.#settings[place] ?? [])
    return [...new Set(named)].filter((one) => this.#untold.has(one))
  }

  #whereEnded(setting: number, fresh: readonly Setting[], by?: MadeBy): SuggestionRequest | undefined {
    return fresh.every(({ hasEnded }) => hasEnded) ? this.#request(setting, fresh, by) : undefined
  }

  /** The request of a setting for which the sampler is told of these, which count as told. */
  #request(setting: number, fresh: readonly Setting[], { failed, ...byArrival }: MadeBy = {}): SuggestionRequest {
    for (const one of fresh) {
      this.#untold.delete(one)
      this.#arrived.delete(one)
    }
    const hadFailed = failed ?? fresh.flatMap((one) => this.#of(one)).flatMap(failureOf)
    return {
      setting,
      observations: fresh.map((one) => this.#observe(one, new Set(hadFailed))),
      pending: [...this.#untold].map(({ point }) => point),
      ...(this.#isByArrival ? byArrival : {}),
      ...(hadFailed.length === 0 ? {} : { failed: hadFailed }),
    }
  }

  /** What every setting came to that has ended, in their order. */
  observations(): Observation[] {
    return this.#settings.filter(({ hasEnded }) => hasEnded).map((one) => this.#observe(one))
  }

  /** @param hadFailed trials that have run again since. */
  #observe(setting: Setting, hadFailed: ReadonlySet<TrialId> = new Set()): Observation {
    const { index, point } = setting
    const ends = this.#of(setting).map((known) =>
      hadFailed.has(known.trial.id) ? { ...known, outcome: failure } : known,
    )
    return { index, point, ...observationOf(ends, this.objective, this.learning.failed) }
  }
}

/** All that a search learns of a failure is that it was one. */
const failure: Outcome = { state: 'failed', error: { name: 'Error', message: 'failed before it ran again' } }

const failureOf = ({ trial, outcome }: TrialEnd): TrialId[] =>
  outcome !== undefined && hasFailed(outcome) ? [trial.id] : []

const placesOf = (settings: readonly Setting[]): number[] => settings.map(({ index }) => index)
