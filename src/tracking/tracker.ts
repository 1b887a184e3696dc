import type { Objective, SweepId, Trial, TrialEvent } from '../trial.js'

/** What a tracker is told of a sweep when it opens; `spec` and `plan` are plain data for the record. */
export interface SweepInfo {
  readonly sweep: SweepId
  readonly name: string
  readonly experiment: string
  readonly question: string
  readonly objective: Objective
  readonly spec: unknown
  readonly planHash: string
  readonly codeVersion: string
  readonly openedAtMs: number
  readonly trials: readonly Trial[]
}

/**
 * Who is told. A tracker projects the journal elsewhere; it must never slow, fail or change a sweep:
 * `record` returns at once in practice, and a tracker that cannot deliver warns and catches up later.
 */
export interface Tracker {
  open(sweep: SweepInfo): Promise<void>
  /** `offset` is the event's byte position in the journal: the same event always comes with the same offset. */
  record(event: TrialEvent, offset: number): Promise<void>
  /** Flushes what can be flushed within the tracker's own time limit. */
  close(): Promise<void>
}

export const noTracker: Tracker = {
  open: async () => {},
  record: async () => {},
  close: async () => {},
}
