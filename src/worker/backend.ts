import type { SuggestionFacts } from '../core/suggestion.js'
import type { Assignment, Params, TrialEvent, TrialId } from '../core/trial.js'

/**
 * Where trials run: inline, on threads, on remote hosts, or on a simulated clock.
 *
 * Promises, kept by the suite in test/conformance/backend.ts: every started attempt ends with exactly one `ended` or
 * `lost` event; reports come in step order between `started` and the end; a stop is honoured by the next report;
 * the same assignment gives the same numbers on every backend; after `close` no thread, timer or consumer is left.
 */
export interface Backend {
  /** How many attempts may be in flight; `start` beyond it is a programming error. May grow or shrink while running. */
  readonly capacity: number
  /**
   * True when the backend itself tries again after a loss (remote); then `lost` is news, not a question, unless there has been
   * a copy: what is lost of such a trial is not tried again here.
   */
  readonly retries: boolean
  /** What is kept beside the results of the settings that a search suggests. Only backends have it whose results are kept far away. */
  readonly suggestions?: SuggestionKeeper
  /** Resolves once the attempt is accepted, not when it ends. */
  start(assignment: Assignment): Promise<void>
  /**
   * Whether a copy of this running trial would begin at once, beside its attempt: `start` with `copy`. Only backends that can
   * run two attempts at a trial at once have it, and `giveUp`.
   */
  mayCopy?(trial: TrialId): boolean
  /** Ends one of two attempts at a trial without an outcome; nothing more is told of it. */
  giveUp?(trial: TrialId, attempt: number): Promise<void>
  /**
   * Asks a running attempt to end: it ends as `stopped` with `reason`, with its metrics so far. Unknown ids are ignored.
   * With `keep` it is to be gone on from: where it keeps checkpoints it keeps one first, and tells of nothing beyond the report
   * at which it was asked.
   */
  stop(trial: TrialId, reason: string, how?: { readonly keep?: boolean }): Promise<void>
  /** Answers an interactive attempt's latest report: go on. */
  proceed(trial: TrialId): void
  /**
   * Takes back attempts that were accepted and have not begun; resolves with their trials, of which nothing more is told.
   * Only backends with a queue of their own have it.
   */
  recall?(): Promise<readonly TrialId[]>
  /**
   * Tells what runs to keep a checkpoint as soon as it can, and to end there as `lost`, handed back. What keeps none goes on.
   * Only backends whose trials run in this process have it.
   */
  leave?(): void
  /** One consumer. Ends after `close`; rejects when the far side is gone for good, with what a person can do about it. */
  events(): AsyncIterable<TrialEvent>
  /**
   * Ends every attempt in flight without an outcome and frees everything; resolves when nothing is left.
   * @param isOver every trial has ended, so that no checkpoint is gone on from. Default false: those stay that are kept far away.
   */
  close(isOver?: boolean): Promise<void>
}

/** A setting that a search has suggested, for any host that resumes the search; its form is checked, its values are not. */
export interface KeptSuggestion extends SuggestionFacts {
  readonly values: Params
  /** Of the ids of all its trials, which follow from the values. */
  readonly trialsHash: string
}

/** Keeps what a search suggests where the results of its trials are, so that both outlive the journal together. */
export interface SuggestionKeeper {
  /** Those that are kept since results were last declared void, one after the other from this setting on. */
  read(from: number): Promise<readonly KeptSuggestion[]>
  /**
   * Keeps one, before it is written down here and before any of its trials begins: a suggestion that was lost in between is
   * made by nobody else. @throws StoreError when another is kept for this setting.
   */
  keep(suggestion: KeptSuggestion): Promise<void>
}
