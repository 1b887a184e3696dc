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

  add(...added: Parameters<Scheduler['add']>): void {
    this.inner.add(...added)
  }

  forget(trial: TrialId): void {
    this.#best.delete(trial)
    this.inner.forget(trial)
  }

  restore(report: ScheduledReport): void {
    this.inner.restore(report)
    this.#take(report)
  }

  observe(report: ScheduledReport): 'continue' | 'stop' {
    if (this.inner.observe(report) === 'stop') return 'stop'
    const since = this.#take(report)
    return since !== undefined && since >= this.options.patience ? 'stop' : 'continue'
  }

  /** @returns how many reports ago the best was; `undefined` where this one says nothing. */
  #take({ trial, metrics }: ScheduledReport): number | undefined {
    const raw = lookUp(metrics, this.options.metric)
    if (raw === undefined || Number.isNaN(raw)) return undefined
    const value = this.#sign * raw
    const best = this.#best.get(trial)
    const improved = best === undefined || value < best.value - (this.options.minDelta ?? 0)
    const now = improved ? { value, since: 0 } : { value: best.value, since: best.since + 1 }
    this.#best.set(trial, now)
    return now.since
  }

  recordEnd(trial: Trial, outcome: Outcome): void {
    this.#best.delete(trial.id)
    this.inner.recordEnd(trial, outcome)
  }
}

export const plateau: Rule = {
  stops: 'that has not improved by `minDelta` for `patience` reports',
  goesBy: 'one',
  numbers: { patience: 'needed', minDelta: { default: '0' } },
  example: 'patience=5',
  wrap: (inner, judged, { patience, ...others }) =>
    new PlateauScheduler(inner, { ...judged, patience: patience!, ...others }),
}
