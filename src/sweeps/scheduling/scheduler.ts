import type { Metrics, Outcome, Trial, TrialId } from '../../core/trial.js'

/** The next trial to run, or the news that only a running trial's result can tell. */
export interface Suggestion {
  readonly trial: Trial
  /** Why this trial, which is paused, does not go on: it is recorded as stopped, with what it had when it was paused. */
  readonly stop?: string
  /** Why this trial can't run any more (a parent has no result): it is recorded as skipped, not started. */
  readonly skip?: string
}

export interface ScheduledReport {
  readonly trial: TrialId
  readonly step: number
  readonly metrics: Metrics
}

/**
 * What to try next, and what to give up. Plain synchronous decisions over what it was told, so that replaying the
 * journal's events gives the same decisions. Contract: test/conformance/scheduler.ts.
 */
export interface Scheduler {
  /** True when reports must wait for `observe`'s answer. */
  readonly interactive: boolean
  /** The next trial, or `undefined` when there is none now (more may come after a `conclude`). */
  suggest(): Suggestion | undefined
  /**
   * Called whenever an attempt begins, and when one is lost: whatever the trial reported before counts for nothing from
   * here on, and the next attempt is judged as if it were the first. A trial that never reported is passed over.
   */
  forget(trial: TrialId): void
  /**
   * Called, after `forget`, for each report that an attempt carries on from the checkpoint of an earlier one: it counts as
   * before, and is not judged again.
   */
  restore(report: ScheduledReport): void
  /** Called for each report in order. */
  observe(report: ScheduledReport): 'continue' | 'stop'
  /**
   * Asked after each report that `observe` or `restore` was told of: whether the trial is to pause there, and to run again
   * only when `suggest` says so. Default: never.
   */
  mustPause?(trial: TrialId): boolean
  /** Called once the trial is paused: what it has reported by then stands, whatever becomes of later attempts. */
  recordPause?(trial: TrialId): void
  /** The plan grew by these trials. `outcomeOf` tells how trials ended that they derive from. */
  add(trials: readonly Trial[], outcomeOf: (trial: TrialId) => Outcome | undefined): void
  /** Called once per trial, also for trials restored from the journal. */
  recordEnd(trial: Trial, outcome: Outcome): void
}
