import { lookUp } from '../../core/names.js'
import type { Objective, Outcome, Trial, TrialId } from '../../core/trial.js'
import type { Rule } from './rule.js'
import type { ScheduledReport, Scheduler, Suggestion } from './scheduler.js'

export interface PlateauOptions extends Objective {
  /** Stop when the best value has not improved by `minDelta` for so many reports. */
  readonly patience: number
  /** Default 0. */
  readonly minDelta?: number
}

/** Stops a trial that is getting nowhere; each trial by itself alone. */
export class PlateauScheduler implements Scheduler {
  readonly interactive = true
  readonly #sign: 1 | -1
  readonly #best = new Map<TrialId, { value: number; since: number }>()

  constructor(
    private readonly inner: Scheduler,
    private readonly options: PlateauOptions,
  ) {
    this.#sign = options.direction === 'minimize' ? 1 : -1
  }

  suggest(): Suggestion | undefined {
    return this.inner.suggest()
  }

  forget(trial: TrialId): void {
    this.#best.delete(trial)
    this.inner.forget(trial)
  }

  observe(report: ScheduledReport): 'continue' | 'stop' {
    if (this.inner.observe(report) === 'stop') return 'stop'
    const raw = lookUp(report.metrics, this.options.metric)
    if (raw === undefined || Number.isNaN(raw)) return 'continue'
    const value = this.#sign * raw
    const { patience, minDelta = 0 } = this.options
    const best = this.#best.get(report.trial)
    const improved = best === undefined || value < best.value - minDelta
    const now = improved ? { value, since: 0 } : { value: best.value, since: best.since + 1 }
    this.#best.set(report.trial, now)
    return now.since >= patience ? 'stop' : 'continue'
  }

  recordEnd(trial: Trial, outcome: Outcome): void {
    this.#best.delete(trial.id)
    this.inner.recordEnd(trial, outcome)
  }
}

export const plateau: Rule = {
  stops: 'that has not improved by `minDelta` for `patience` reports',
  numbers: { patience: 'needed', minDelta: { default: '0' } },
  example: 'patience=5',
  wrap: (inner, judged, { patience, ...others }) =>
    new PlateauScheduler(inner, { ...judged, patience: patience!, ...others }),
}
