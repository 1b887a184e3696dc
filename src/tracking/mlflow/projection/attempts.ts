import type { SweepSource } from '../../../core/sweep-source.js'
import type {
  Metrics,
  Outcome,
  ProcessUsage,
  SweepEvent,
  Trial,
  TrialEvent,
  TrialId,
  TrialPaused,
} from '../../../core/trial.js'

/** One attempt as the journal tells it: what becomes a child run. */
export interface Attempt {
  readonly trial: Trial
  readonly attempt: number
  readonly startedAtMs: number
  readonly worker: string | undefined
  /** What it ran; left out where nobody wrote that down. */
  readonly source?: SweepSource
  readonly reports: { readonly atMs: number; readonly step: number; readonly metrics: Metrics }[]
  /** Its run has the reports, and they were let go. */
  isBrought?: true
  /** Its program logged to its run too: what is there is not mlds' alone. */
  isShared?: boolean
  /** It waits at a rung since then: it ends as that unless more is told of it. */
  paused?: { readonly atMs: number; readonly reason: string }
  /** `lost` when the worker vanished; undefined while it runs. */
  end?: {
    readonly atMs: number
    readonly outcome: Outcome | { readonly state: 'lost'; readonly reason: string }
    readonly usage?: ProcessUsage
  }
}

/** What a tracker is told of a sweep's past. */
export type HistoryEvent =
  | SweepEvent
  | { readonly type: 'voided'; readonly atMs: number }
  | { readonly type: 'opened'; readonly source?: SweepSource; readonly atMs: number }

/** Folds a journal's events into attempts: per trial one that is current, and at most one copy that runs beside it. */
export class Attempts {
  readonly #trials: Map<TrialId, Trial>
  readonly #current = new Map<TrialId, Attempt>()
  readonly #copies = new Map<TrialId, Attempt>()
  #source: SweepSource | undefined

  constructor(trials: readonly Trial[]) {
    this.#trials = new Map(trials.map((trial) => [trial.id, trial]))
  }

  /**
   * The attempts that an event changes: none when its trial is not of the plan (of an earlier extent), several when it
   * begins an attempt after such that nobody lived to call lost.
   */
  apply(event: HistoryEvent): Attempt[] {
    // Runs of attempts whose results are void stay as they are.
    if (event.type === 'voided') return []
    if (event.type === 'opened') {
      this.#source = event.source ?? this.#source
      return []
    }
    if (event.type === 'trials-added') {
      for (const trial of event.trials) this.#trials.set(trial.id, trial)
      return []
    }
    const trial = this.#trials.get(event.trial)
    if (trial === undefined) return []
    const [before, copy] = [this.#current.get(trial.id), this.#copies.get(trial.id)]
    const attempt = copy?.attempt === event.attempt ? copy : this.#attemptOf(trial, before, event)
    if (event.type === 'report') attempt.reports.push(event)
    if (event.type === 'lost') attempt.end = { atMs: event.atMs, outcome: { state: 'lost', reason: event.reason } }
    if (event.type === 'paused') attempt.paused = { atMs: event.atMs, reason: `it paused at step ${event.step}` }
    if (event.type === 'ended') {
      const { atMs, outcome, usage } = event
      attempt.end = { atMs, outcome, ...(usage && { usage }) }
    }
    if (event.type === 'started' && event.copy === true) {
      this.#copies.set(trial.id, attempt)
      return [attempt]
    }
    if (event.type !== 'report') this.#copies.delete(trial.id)
    // A copy is the current one once the other is lost, or it has ended itself.
    if (attempt !== copy || event.type === 'ended')
      this.#current.set(trial.id, event.type === 'lost' ? (copy ?? attempt) : attempt)
    const left =
      event.type !== 'started' ? [] : [before, copy].filter((one) => one !== undefined && one.end === undefined)
    for (const one of left) {
      const { atMs, reason } = one!.paused ?? { atMs: event.atMs, reason: 'its process ended' }
      one!.end = { atMs, outcome: { state: 'lost', reason } }
    }
    return [...(left as Attempt[]), attempt]
  }

  /** The trial's newest attempt so far that is no copy of another. */
  newest(trial: TrialId): Attempt | undefined {
    return this.#current.get(trial)
  }

  /** The copy that runs beside the newest attempt, if it has this number; else the newest. */
  find(trial: TrialId, attempt: number): Attempt | undefined {
    const copy = this.#copies.get(trial)
    return copy?.attempt === attempt ? copy : this.newest(trial)
  }

  #attemptOf(trial: Trial, before: Attempt | undefined, event: TrialEvent | TrialPaused): Attempt {
    // Skipped trials and dead ones end without having started.
    if (event.type !== 'started' && before?.attempt === event.attempt) return before
    const worker = event.type === 'started' ? event.worker : undefined
    return {
      trial,
      attempt: event.attempt,
      startedAtMs: event.atMs,
      worker,
      ...(this.#source && { source: this.#source }),
      reports: [],
    }
  }
}

/** Every attempt in order of its start; those that nobody ended are lost. */
export function attemptsOf(trials: readonly Trial[], events: Iterable<HistoryEvent>): Attempt[] {
  const fold = new Attempts(trials)
  const attempts = new Set<Attempt>()
  for (const event of events) for (const attempt of fold.apply(event)) attempts.add(attempt)
  for (const attempt of attempts) endIfLost(attempt)
  return [...attempts]
}

/** An attempt that nobody runs any more ended with its last word. */
export function endIfLost(attempt: Attempt): void {
  attempt.end = endOf(attempt)
}

/** How an attempt ended that nobody runs any more. */
export function endOf({ end, paused, reports, startedAtMs }: Attempt): NonNullable<Attempt['end']> {
  const last = { atMs: reports.at(-1)?.atMs ?? startedAtMs, reason: 'the sweep ended before it did' }
  const { atMs, reason } = paused ?? last
  return end ?? { atMs, outcome: { state: 'lost', reason } }
}
