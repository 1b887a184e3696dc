import type { Clock } from '../core/clock.js'
import { formatDuration } from '../core/format.js'
import type { SweepState, TrialState } from '../sweeps/journal/state.js'

/** Progress measured in work, not in trials, since the largest come first. */
export class Pace {
  readonly #costAtStart: number

  /** Counts from what is done now; `startedAtMs` when that was. */
  constructor(
    private readonly watched: { readonly state: SweepState; readonly clock: Clock },
    private readonly startedAtMs = watched.clock.now(),
  ) {
    this.#costAtStart = this.#done()
  }

  elapsedMs(): number {
    return this.watched.clock.now() - this.startedAtMs
  }

  /** Infinity until something has been done. */
  leftMs(): number {
    const done = this.#done()
    const since = done - this.#costAtStart
    return since <= 0 ? Infinity : ((this.#sum(() => 1) - done) * this.elapsedMs()) / since
  }

  /** `4.1 s left`; nothing where that is unknown, or too short to say. */
  describeLeft(): string | undefined {
    const leftMs = this.leftMs()
    return Number.isFinite(leftMs) && leftMs >= 0.5 ? `${formatDuration(leftMs)} left` : undefined
  }

  #done(): number {
    return this.#sum((state) => {
      if (state.state === 'planned') return 0
      if (state.state !== 'running') return 1
      const epochs = state.trial.params['epochs']
      return state.step === undefined || typeof epochs !== 'number' ? 0 : Math.min(1, state.step / epochs)
    })
  }

  #sum(share: (state: TrialState) => number): number {
    let sum = 0
    // A trial costs something even when its experiment says nothing of its work.
    for (const state of this.watched.state.trials.values()) sum += Math.max(state.trial.cost, 1) * share(state)
    return sum
  }
}
