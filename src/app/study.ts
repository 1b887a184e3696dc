import { existsSync } from 'node:fs'
import { systemClock } from '../core/clock.js'
import { MldsError } from '../core/errors.js'
import { isMapping } from '../core/is-mapping.js'
import { lookUp } from '../core/names.js'
import { describeObjective, goalsOf, sweepObjective } from '../core/objective.js'
import { rankingOf, type Ranking, type Standing } from '../core/ranking.js'
import type { Metrics, Objective, Outcome, Params, Trial, TrialId } from '../core/trial.js'
import { codeVersion } from '../core/version.js'
import { studyExperiment } from '../experiments/custom/study.js'
import type { Experiment } from '../experiments/experiment.js'
import { Journal, plainFormat, mendTail, type JournalEvent } from '../sweeps/journal/journal.js'
import { SweepState, type TrialState } from '../sweeps/journal/state.js'
import type { SearchCourse } from '../sweeps/searching/course.js'
import { describeLearnt, type Learnt } from '../sweeps/searching/learnt.js'
import {
  courseOf,
  newBasis,
  planSearch,
  samplerOf,
  searchParts,
  type SearchParts,
} from '../sweeps/searching/plan-search.js'
import { replayCourse } from '../sweeps/searching/replay.js'
import { suggest, type PointSource } from '../sweeps/searching/suggester.js'
import type { Plan, ResolveData, SearchBasis } from '../sweeps/plan.js'
import type { SweepSpec } from '../sweeps/spec/spec.js'
import { SweepFolder } from '../sweeps/sweep-folder.js'
import { findStore } from '../system/find-store.js'
import { lockSweep, type SweepLock } from '../system/lock.js'
import { openStore, readStore } from '../system/store.js'
import { studySpec, type StudyDescription } from './study-description.js'
import { checkOptions } from './planning/check-options.js'
import { searchBasisFor } from './planning/search-basis-for.js'

/** A setting to try. */
export interface StudyTrial {
  /** From 0, in the order in which they are asked for. */
  readonly number: number
  readonly params: Params
}

/** A trial of a study, with what was told of it. */
export interface ToldTrial extends StudyTrial {
  /** `planned`: not asked for yet; `running`: asked for and not told. */
  readonly state: TrialState['state']
  readonly metrics: Metrics
}

/** What a trial came to: its objective, all of them in their order, metrics by name, or why it failed. */
export type Told = number | readonly number[] | Metrics | { readonly failed: string }

/**
 * A search whose trials the program runs itself: it asks for settings, and tells what each came to. The same description
 * and the same results give the same settings, whatever is told first.
 */
export class Study {
  readonly #parts: SearchParts
  readonly #course: SearchCourse
  readonly #source: PointSource
  readonly #state: SweepState
  readonly #keep: Keeping | undefined
  readonly #learnt: readonly Learnt[]
  /** Suggested, and not asked for since the study was opened. */
  readonly #ready: Trial[] = []
  /** By their numbers: a setting is one trial. */
  readonly #ids: TrialId[] = []
  #asking: Promise<unknown> = Promise.resolve()
  #wake = (): void => {}
  #isOver = false
  #isClosed = false

  /** @internal */
  constructor(parts: SearchParts, plan: Plan, keep: Keeping | undefined) {
    this.#parts = parts
    this.#keep = keep
    const { trials, suggested = [], learnt = [] } = plan
    this.#learnt = learnt
    this.#course = courseOf(parts, { trials, suggested })
    this.#source = samplerOf(parts)
    this.#state = new SweepState(trials)
    const events = keep?.events ?? []
    for (const event of events) this.#state.apply(event)
    this.#state.forgetRunning()
    this.#source.observe(replayCourse(this.#course, events).told)
    for (const { trial, outcome } of this.#state.trials.values()) {
      this.#ids.push(trial.id)
      if (outcome === undefined) this.#ready.push(trial)
    }
  }

  get objective(): Objective {
    return this.#parts.objective
  }

  /** What each study of `learnFrom` taught, as a sentence: how many settings, and which were left out and why. */
  get learnt(): string[] {
    return this.#learnt.map(describeLearnt)
  }

  /**
   * The next setting; `undefined` once there is no further one. Waits for the results that it is suggested from to be told.
   * What an earlier process asked for and did not tell comes first.
   * @throws MldsError after `close`.
   */
  ask(): Promise<StudyTrial | undefined> {
    // One after the other, so that their numbers are in order.
    const asked = this.#asking.then(() => this.#next())
    this.#asking = asked.catch(() => {})
    return asked
  }

  /**
   * What a trial came to; a number that is not finite counts as worse than every other, and so does one that failed.
   * @throws MldsError for a trial that was not asked for or was told already, and for what does not fit the objective.
   */
  tell(trial: StudyTrial | number, told: Told): void {
    this.#requireOpen()
    const number = numberOf(trial)
    const known = this.#state.trials.get(this.#ids[number] ?? '')
    if (known?.state !== 'running')
      refuse(
        `trial ${number} ${known?.outcome === undefined ? 'was not asked for' : `was told already: ${written(known.outcome)}`}`,
      )
    const outcome = outcomeOf(number, told, this.objective)
    this.#record({
      ...{ type: 'ended', trial: known.trial.id, attempt: known.attempts, atMs: systemClock.now(), outcome },
    })
    this.#wake()
  }

  /** The best point so far; `undefined` while there is none, and of several objectives. */
  best(): Standing | undefined {
    return this.#ranking().best()?.standing
  }

  /** Of several objectives the points that none beats in all of them; else none. */
  front(): Standing[] {
    return this.#ranking().front()
  }

  /** Every setting so far, in the order of their numbers. */
  trials(): ToldTrial[] {
    return [...this.#state.trials.values()].map(({ trial, state, outcome }, number) => ({
      ...{ number, params: trial.params, state },
      metrics: outcome !== undefined && 'metrics' in outcome ? outcome.metrics : {},
    }))
  }

  /** Lets another process go on with it; asks that wait are refused. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#wake()
    await this.#asking
    this.#keep?.journal.append({ type: 'closed', reason: 'done', atMs: systemClock.now() })
    this.#keep?.journal.close()
    this.#keep?.lock.release()
  }

  async #next(): Promise<StudyTrial | undefined> {
    for (;;) {
      this.#requireOpen()
      const ready = this.#ready.shift()
      if (ready !== undefined) return this.#begin(ready)
      if (this.#isOver || this.#course.size >= this.#parts.search.count) return undefined
      const request = this.#course.next()
      if (request === undefined) await new Promise<void>((resolve) => (this.#wake = resolve))
      else await this.#grow(request)
    }
  }

  async #grow(request: Parameters<typeof suggest>[0]): Promise<void> {
    const startedAtMs = systemClock.now()
    const { space, planSetting, search, learnt } = this.#parts
    const options = { space, planSetting, learning: search.learning, source: this.#source, learnt: learnt.length }
    const found = await suggest(request, this.#course, options)
    if ('exhausted' in found) {
      this.#isOver = true
      return
    }
    const { suggested, trials } = found
    const atMs = systemClock.now()
    const because = { ...suggested, tookMs: atMs - startedAtMs }
    this.#record({ type: 'trials-added', reason: 'suggestion', because, trials, atMs })
    for (const trial of trials) {
      this.#ids.push(trial.id)
      this.#ready.push(trial)
    }
  }

  #begin({ id, params }: Trial): StudyTrial {
    const { attempts, trial } = this.#state.trials.get(id)!
    this.#record({ type: 'started', trial: id, attempt: attempts + 1, atMs: systemClock.now(), worker: 'program' })
    return { number: trial.index, params }
  }

  #record(event: JournalEvent): void {
    this.#keep?.journal.append(event)
    this.#state.apply(event)
    this.#course.apply(event)
  }

  #ranking(): Ranking {
    return rankingOf(this.#state.trials.values(), this.objective)
  }

  #requireOpen(): void {
    if (this.#isClosed) refuse('it is closed (open it again: openStudy)')
  }
}

/** Where a study lies. */
interface Keeping {
  readonly journal: Journal
  readonly lock: SweepLock
  readonly events: readonly JournalEvent[]
}

/**
 * Opens a study. With a `name` it lies in the store, as a sweep that `mlds status`, `best`, `figure`, `export` and `verify` know, and
 * goes on where an earlier process stopped.
 * @throws SpecError, SpaceError, UnknownNameError naming what is not right; StoreError when another process has it open, or
 * when there is another sweep of that name.
 */
export async function openStudy(
  description: StudyDescription,
  options: { /** Default `.mlds` in the working folder or in one above it. */ readonly store?: string } = {},
): Promise<Study> {
  checkOptions('openStudy', options)
  if (!isMapping(description))
    refuse(`its description is not an object: ${JSON.stringify(description) ?? typeof description}`)
  const spec = studySpec(description)
  const experiment = studyExperiment(spec.own?.kind === 'study' ? spec.own.axes : {})
  const noData = (name: string): never => refuse(`it reads no data: ${name}`)
  const basis = await basisOf(spec, experiment, noData, options.store)
  const planned = await planSearch(experiment, spec, noData, basis)
  if (spec.name === undefined) return new Study(searchParts(experiment, spec, noData, basis), planned, undefined)
  const store = openStore(findStore(options.store).folder)
  const facts = { codeVersion, createdAtMs: systemClock.now() }
  const sweep = await SweepFolder.create(store, planned, facts)
  const { frozen, id } = sweep
  const [before, after] = [frozen.spec, spec].map((one) => describeObjective(sweepObjective(one, experiment)))
  if (before !== after)
    refuse(`${id} exists with another objective: ${before} (now ${after}; give this one another name)`)
  const lock = lockSweep(sweep.lockFile, id)
  try {
    if (existsSync(sweep.journalFile)) await mendTail(sweep.journalFile)
    const events = [...sweep.events()]
    const journal = Journal.open(sweep.journalFile, () => lock.assertHeld())
    journal.append({
      ...{ type: 'opened', format: plainFormat, sweep: id, planHash: frozen.hash, codeVersion },
      atMs: systemClock.now(),
    })
    return new Study(searchParts(experiment, frozen.spec, noData, frozen), frozen, { journal, lock, events })
  } catch (error) {
    lock.release()
    throw error
  }
}

/** A study in memory that learns from nothing has no store. */
const basisOf = async (
  spec: SweepSpec,
  experiment: Experiment,
  noData: ResolveData,
  store: string | undefined,
): Promise<SearchBasis> =>
  spec.name === undefined && spec.search?.learning?.learnFrom === undefined
    ? newBasis(spec)
    : searchBasisFor(readStore(findStore(store).folder), experiment, spec, noData, spec.name)

function numberOf(trial: unknown): number {
  const number = isMapping(trial) ? trial['number'] : trial
  if (typeof number === 'number') return number
  return refuse(`${JSON.stringify(trial) ?? typeof trial} is no trial (what ask gave, or its number)`)
}

function outcomeOf(number: number, told: Told, { metric, constraints = [], ...rest }: Objective): Outcome {
  const goals = goalsOf({ metric, ...rest }).map((goal) => goal.metric)
  if (isMapping(told) && typeof told['failed'] === 'string')
    return { state: 'failed', error: { name: 'Error', message: told['failed'] } }
  const metrics = metricsOf(number, told, goals)
  const needed = [...goals, ...constraints.map((one) => one.metric)]
  const missing = needed.find((name) => !Object.hasOwn(metrics, name))
  if (missing !== undefined)
    refuse(`trial ${number}: ${missing} is missing (tell ${needed.join(' and ')}: {${needed.join(': …, ')}: …})`)
  const diverged = goals.find((name) => !Number.isFinite(lookUp(metrics, name)))
  if (diverged !== undefined) return { state: 'diverged', metric: diverged, metrics, artifacts: {} }
  return { state: 'finished', metrics, artifacts: {} }
}

function metricsOf(number: number, told: Told, goals: readonly string[]): Metrics {
  const values: unknown = typeof told === 'number' ? [told] : told
  const named = Array.isArray(values)
    ? (values as unknown[]).map((value, i) => [goals[i], value] as const)
    : isMapping(values)
      ? Object.entries(values)
      : undefined
  if (named?.some(([, value]) => typeof value !== 'number') !== false || named.length === 0)
    refuse(
      `trial ${number}: ${JSON.stringify(told)} is no result (a number, a list of them, metrics by name, or {failed: 'why'})`,
    )
  if (Array.isArray(values) && values.length !== goals.length)
    refuse(`trial ${number}: ${values.length} values, of the objectives ${goals.join(', ')}`)
  return Object.fromEntries(named as [string, number][])
}

const written = (outcome: Outcome): string =>
  outcome.state === 'failed' ? outcome.error.message : JSON.stringify('metrics' in outcome ? outcome.metrics : outcome)

function refuse(problem: string): never {
  throw new MldsError('STUDY', `the study: ${problem}`)
}
