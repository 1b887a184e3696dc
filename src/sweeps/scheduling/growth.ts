import type { TrialId, TrialsAdded } from '../../core/trial.js'
import type { JournalEvent } from '../journal/journal.js'
import type { SweepState } from '../journal/state.js'

/** Trials that a plan is to grow by, why, and what decided it. */
export type Addition = Omit<TrialsAdded, 'type' | 'atMs'>

/** Decides from results whether a plan grows, and by what; the sweep writes that down before it starts any of it. */
export interface Growth {
  /** Told of every event after it was written down, before anything is asked. */
  apply?(event: JournalEvent): void
  /**
   * Resolves when `next` is worth asking, where an addition is worked out beside what runs: a sweep does not end before.
   * `undefined` where only an event can change what `next` answers.
   */
  readonly working?: Promise<void> | undefined
  /**
   * What the plan is to grow by now, at least one trial; `undefined` where nothing is, now or for ever. Asked whenever
   * nothing planned is left to start, at the sweep's beginning and after each event; the same state gives the same answer.
   */
  next(state: SweepState): Promise<Addition | undefined>
  /** Keeps an addition where other hosts find it; resolves before it is written down here. Default: it is kept nowhere else. */
  keep?(addition: Addition): Promise<void>
  /** Whether the plan has grown, on another host, by what this trial came to: however it ended, that end counts. */
  isTaughtBy?(trial: TrialId): boolean
}
