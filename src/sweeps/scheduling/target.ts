import { lookUp } from '../../core/names.js'
import type { Objective, Outcome, Trial, TrialId } from '../../core/trial.js'
import type { Rule } from './rule.js'
import type { ScheduledReport, Scheduler, Suggestion } from './scheduler.js'

export interface TargetOptions extends Objective {
  /** Stop once the metric is this good. */
  readonly value: number
}

/** Stops a trial that has got where it should; each trial by itself alone, whatever it reported before. */
export class TargetScheduler implements Scheduler {
  readonly interactive = true

  constructor(
    private readonly inner: Scheduler,
    private readonly options: TargetOptions,
  ) {}

  suggest(): Suggestion | undefined {
    return this.inner.suggest()
  }

  add(...added: Parameters<Scheduler['add']>): void {
    this.inner.add(...added)
  }

  forget(trial: TrialId): void {
    this.inner.forget(trial)
  }

  restore(report: ScheduledReport): void {
    this.inner.restore(report)
  }

  observe(report: ScheduledReport): 'continue' | 'stop' {
    if (this.inner.observe(report) === 'stop') return 'stop'
    const { metric, direction, value } = this.options
    // NaN is not as good as anything.
    const reported = lookUp(report.metrics, metric) ?? NaN
    return (direction === 'minimize' ? reported <= value : reported >= value) ? 'stop' : 'continue'
  }

  recordEnd(trial: Trial, outcome: Outcome): void {
    this.inner.recordEnd(trial, outcome)
  }
}

export const target: Rule = {
  stops: 'that has reached `value`',
  goesBy: 'one',
  numbers: { value: 'needed' },
  example: 'value=0.99',
  wrap: (inner, judged, { value }) => new TargetScheduler(inner, { ...judged, value: value! }),
}
