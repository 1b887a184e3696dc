import { formatCount } from '../../core/format.js'
import { isDeepStrictEqual } from 'node:util'
import {
  skippedForGood,
  type Artifacts,
  type Metrics,
  type Outcome,
  type Trial,
  type TrialId,
  type TrialRecord,
} from '../../core/trial.js'
import { divergedSince, type JournalEvent } from './journal.js'
import { Untwine } from './untwine.js'

/** Where one trial stands. */
export interface TrialState {
  readonly trial: Trial
  state: TrialRecord['state']
  /** The number of the latest attempt; a copy of a running one counts once it is the one that goes on, or has ended. */
  attempts: number
  /** The highest number of any attempt, copies included: the next one's is above. */
  lastAttempt: number
  outcome?: Outcome
  startedAtMs?: number
  endedAtMs?: number
  worker?: string
  /** The last report of the current attempt, for live views. */
  step?: number
  latest?: Metrics
  /** How many reports the current attempt has made. */
  reports: number
  /** A rule decided to stop the trial after so many reports, and it has not ended with a result yet. */
  stopAfter?: number
  /** What it had at the rung where it waits for others, or has waited last; not once it has ended. */
  paused?: { readonly step: number; readonly metrics: Metrics; readonly artifacts: Artifacts }
  /** How many times a result was accepted: more than once would break the first promise. */
  accepted: number
}

/** The numbers that a sweep is judged by. */
export interface SweepCounts {
  readonly planned: number
  /** Accepted results, stopped ones included: a stop is an outcome. */
  readonly finished: number
  /** Different trials among them; equal to `finished` or something ran twice. */
  readonly unique: number
  readonly stopped: number
  /** Trials whose loss or objective was no finite number; among the finished, since that is an outcome too. */
  readonly diverged: number
  readonly failed: number
  readonly dead: number
  readonly skipped: number
  /** Those of the skipped that no resume can run: what they derive from diverged or was stopped. */
  readonly skippedForGood: number
  readonly cancelled: number
  readonly running: number
  /** Planned, not running, without an outcome. */
  readonly missing: number
}

const plannedState = (trial: Trial): TrialState => ({
  ...{ trial, state: 'planned', attempts: 0, lastAttempt: 0, reports: 0, accepted: 0 },
})

/** What is not known any more of a trial whose results are void. */
const voidable = ['outcome', 'startedAtMs', 'endedAtMs', 'worker', 'step', 'latest', 'stopAfter', 'paused'] as const

/** The journal folded into where every trial stands; feeding it the same events gives the same state. */
export class SweepState {
  readonly #trials: Map<TrialId, TrialState>
  /** Trials of the frozen plan; the others were added. */
  readonly #frozen: number
  /** Attempts of added trials that went with void results: one that is added again goes on counting. */
  readonly #former = new Map<TrialId, number>()
  /** Ends that stood twice in the journal: nothing ran twice. */
  repeatedEnds = 0
  /** Metrics that trials of the first stage have reported at a step: those that rules can judge by. */
  readonly reported = new Set<string>()
  /** Of the lines that are being read. */
  #format = Infinity
  #voids = 0
  #ended = 0
  readonly #untwine = new Untwine()

  constructor(trials: readonly Trial[]) {
    this.#trials = new Map(trials.map((trial) => [trial.id, plannedState(trial)]))
    this.#frozen = this.#trials.size
  }

  /** Every trial of the plan in its order, those last that it grew by. */
  get trials(): ReadonlyMap<TrialId, TrialState> {
    return this.#trials
  }

  /** Takes in one event; events of trials outside the plan (of an earlier extent) are passed over. */
  apply(event: JournalEvent): TrialState | undefined {
    this.#untwine.pass(event, (one) => this.#apply(one))
    return this.count(event)
  }

  /** Takes in only that there is an attempt of this number. @returns where its trial stands. */
  count(event: JournalEvent): TrialState | undefined {
    const state = 'trial' in event ? this.#trials.get(event.trial) : undefined
    if (state !== undefined && 'attempt' in event) state.lastAttempt = Math.max(state.lastAttempt, event.attempt)
    return state
  }

  #apply(event: JournalEvent): void {
    if (event.type === 'opened') this.#format = event.format
    if (event.type === 'voided') this.#voidAll()
    if (event.type === 'trials-added') this.#add(event.trials)
    if (!('trial' in event)) return
    const state = this.#trials.get(event.trial)
    if (state === undefined) return
    const wasEnded = isEnded(state)
    switch (event.type) {
      case 'started':
        // A trial that diverged was a failed one then, which a resume ran again: that end was not accepted.
        if (this.#format < divergedSince && state.outcome?.state === 'diverged') state.accepted--
        Object.assign(state, {
          state: 'running',
          attempts: event.attempt,
          startedAtMs: event.atMs,
          worker: event.worker,
          reports: 0,
        })
        delete state.step
        delete state.latest
        break
      case 'report':
        Object.assign(state, { step: event.step, latest: event.metrics, reports: state.reports + 1 })
        if (state.trial.parents.length === 0) for (const name in event.metrics) this.reported.add(name)
        break
      case 'lost':
        Object.assign(state, { state: 'planned', attempts: Math.max(state.attempts, event.attempt) })
        break
      case 'ended':
        if (isRepeatedEnd(state, event)) {
          this.repeatedEnds++
          break
        }
        Object.assign(state, { state: event.outcome.state, outcome: event.outcome, endedAtMs: event.atMs })
        state.attempts = Math.max(state.attempts, event.attempt)
        if (!isResult(event.outcome)) break
        state.accepted++
        delete state.stopAfter
        delete state.paused
        break
      case 'paused': {
        const { step, metrics, artifacts } = event
        Object.assign(state, { state: 'planned', paused: { step, metrics, artifacts } })
        break
      }
      case 'stopping':
        state.stopAfter = event.reports
        break
      case 'reused':
        break
    }
    this.#ended += Number(isEnded(state)) - Number(wasEnded)
  }

  /** How many times all results before were declared void. */
  get voids(): number {
    return this.#voids
  }

  /** A trial that is planned already stays as it is. */
  #add(trials: readonly Trial[]): void {
    for (const trial of trials)
      if (!this.#trials.has(trial.id))
        this.#trials.set(trial.id, {
          ...plannedState({ ...trial, index: this.#trials.size }),
          attempts: this.#former.get(trial.id) ?? 0,
          lastAttempt: this.#former.get(trial.id) ?? 0,
        })
  }

  /**
   * Attempts go on being counted: an attempt's number names its log and its run in MLflow. What the plan grew by rested on
   * results that are void, and goes with them.
   */
  #voidAll(): void {
    this.#voids++
    this.#ended = 0
    this.reported.clear()
    for (const [id, { lastAttempt }] of [...this.#trials].slice(this.#frozen)) {
      this.#former.set(id, lastAttempt)
      this.#trials.delete(id)
    }
    for (const state of this.#trials.values()) {
      Object.assign(state, { state: 'planned', reports: 0, accepted: 0 })
      for (const key of voidable) delete state[key]
    }
  }

  /** What was running when a process died is running no longer: call once after a replay. */
  forgetRunning(): void {
    for (const state of this.#trials.values()) if (state.state === 'running') state.state = 'planned'
  }

  /** A trial that has ended is to run once more. */
  planAgain(state: TrialState): void {
    this.#ended -= Number(isEnded(state))
    state.state = 'planned'
  }

  /** A trial that was to run once more, and was not begun, stands as it did before. */
  putBack(state: TrialState, earlier: Partial<TrialState>): void {
    const wasEnded = isEnded(state)
    Object.assign(state, earlier)
    this.#ended += Number(isEnded(state)) - Number(wasEnded)
  }

  /** How many trials have ended, however they did; known at once, where `counts` looks at every trial. */
  get ended(): number {
    return this.#ended
  }

  /** Trials that were skipped and that no resume can run. */
  skippedForGood(): Set<TrialId> {
    const trials = [...this.#trials.values()].map(({ trial }) => trial)
    return skippedForGood(trials, (id) => this.#trials.get(id)?.state)
  }

  counts(): SweepCounts {
    const tally: Record<TrialRecord['state'], number> = {
      finished: 0,
      stopped: 0,
      diverged: 0,
      failed: 0,
      dead: 0,
      skipped: 0,
      cancelled: 0,
      running: 0,
      planned: 0,
    }
    let accepted = 0
    for (const state of this.#trials.values()) {
      tally[state.state]++
      accepted += state.accepted
    }
    const unique = tally.finished + tally.stopped + tally.diverged
    return {
      planned: this.#trials.size,
      finished: Math.max(accepted, unique),
      unique,
      stopped: tally.stopped,
      diverged: tally.diverged,
      failed: tally.failed,
      dead: tally.dead,
      skipped: tally.skipped,
      skippedForGood: tally.skipped === 0 ? 0 : this.skippedForGood().size,
      cancelled: tally.cancelled,
      running: tally.running,
      missing: tally.planned,
    }
  }
}

const isEnded = ({ state }: TrialState): boolean => state !== 'planned' && state !== 'running'

const inWords: readonly (readonly [keyof SweepCounts, string])[] = [
  ['stopped', 'stopped early'],
  ['diverged', 'diverged'],
  ['failed', 'failed'],
  ['dead', 'dead'],
  ['skipped', 'skipped'],
  ['cancelled', 'cancelled'],
  ['running', 'running'],
  ['missing', 'missing'],
]

/** `7 of 9 trials finished, 2 diverged, 2 missing`: what was stopped or diverged is among the finished. */
export function describeCounts(counts: Partial<SweepCounts> & Pick<SweepCounts, 'planned' | 'finished'>): string {
  const apart = inWords.flatMap(([key, word]) => ((counts[key] ?? 0) > 0 ? [`${counts[key]} ${word}`] : []))
  return [`${counts.finished} of ${formatCount(counts.planned, 'trial')} finished`, ...apart].join(', ')
}

/** `2 of 3 finished, 0 running, 1 failed, 0 missing`: how a sweep stands while it may still run. */
export function describeStanding(counts: SweepCounts): string {
  const { planned, finished, running, failed, dead, diverged, skipped, missing } = counts
  const apart = diverged === 0 ? '' : `${diverged} diverged, `
  return `${finished} of ${planned} finished, ${running} running, ${failed + dead} failed, ${apart}${skipped} skipped, ${missing} missing`
}

/** Whether the very same end was taken in already: the line stands twice, as after a copy that was put together by hand. */
export function isRepeatedEnd(
  state: TrialState,
  { attempt, atMs, outcome }: Extract<JournalEvent, { type: 'ended' }>,
): boolean {
  return (
    state.outcome !== undefined &&
    state.state === outcome.state &&
    state.endedAtMs === atMs &&
    state.attempts === attempt &&
    isDeepStrictEqual(state.outcome, outcome)
  )
}

type Result = Extract<Outcome, { metrics: Metrics }>

/** True for outcomes that carry a result: finished, stopped on purpose, or diverged. */
export function isResult(outcome: Outcome | undefined): outcome is Result {
  return outcome?.state === 'finished' || outcome?.state === 'stopped' || outcome?.state === 'diverged'
}

/** True for outcomes of trials that never came to an end of their own. */
export function isLoss(outcome: Outcome): boolean {
  return outcome.state === 'dead' || outcome.state === 'cancelled'
}

/** True when every trial has ended, none twice, and no resume would have anything to run. */
export function isComplete({
  planned,
  finished,
  unique,
  skippedForGood,
}: Pick<SweepCounts, 'planned' | 'finished' | 'unique' | 'skippedForGood'>): boolean {
  return finished === unique && unique + skippedForGood === planned
}
