import type { Trial, TrialId } from '../core/trial.js'

/** An attempt that was started; it has begun once its backend says so. */
export interface RunningAttempt {
  attempt: number
  /** By the monotonic clock, when it was heard to begin. */
  begunMs: number | undefined
}

/** A trial that runs: one attempt, and at most one copy of it, of which the first to finish counts. */
export interface RunningTrial extends RunningAttempt {
  readonly trial: Trial
  copy: RunningAttempt | undefined
  /** There is no second one; and its backend begins no further attempt by itself: their numbers are given here. */
  hasHadCopy: boolean
}

/** The trials that run now. */
export class RunningTrials {
  readonly #trials = new Map<TrialId, RunningTrial>()
  #copies = 0

  /** Attempts in flight, copies included. */
  get attempts(): number {
    return this.#trials.size + this.#copies
  }

  get copies(): number {
    return this.#copies
  }

  get size(): number {
    return this.#trials.size
  }

  get(trial: TrialId): RunningTrial | undefined {
    return this.#trials.get(trial)
  }

  all(): RunningTrial[] {
    return [...this.#trials.values()]
  }

  begin(trial: Trial, attempt: number): void {
    this.#trials.set(trial.id, { trial, attempt, begunMs: undefined, copy: undefined, hasHadCopy: false })
  }

  beginCopy(running: RunningTrial, attempt: number): void {
    running.copy = { attempt, begunMs: undefined }
    running.hasHadCopy = true
    this.#copies++
  }

  /** One of two attempts is over: the other goes on alone. */
  leave(running: RunningTrial, attempt: number): void {
    const { copy } = running
    if (copy === undefined) return
    if (attempt !== copy.attempt) Object.assign(running, copy)
    running.copy = undefined
    this.#copies--
  }

  delete(trial: TrialId): void {
    if (this.#trials.get(trial)?.copy !== undefined) this.#copies--
    this.#trials.delete(trial)
  }
}
