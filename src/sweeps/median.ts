import { lookUp } from '../names.js'
import type { Objective, Outcome, Trial, TrialId } from '../trial.js'
import type { ScheduledReport, Scheduler, Suggestion } from './scheduler.js'

export interface MedianOptions extends Objective {
  /** No trial is stopped before this step. Default 1. */
  readonly graceSteps?: number
  /** No trial is stopped before so many others have reached its step. Default 5. */
  readonly minTrials?: number
}

/**
 * The median stopping rule (Golovin et al. 2017, Google Vizier, section 3.2.1): a trial stops at step s when its best
 * value so far is worse than the median, over the trials that reached s, of their running averages up to s.
 */
export class MedianScheduler implements Scheduler {
  readonly interactive = true
  readonly #sign: 1 | -1
  readonly #runs = new Map<TrialId, { best: number; sum: number; count: number }>()
  /** Running averages of all trials at each step, by trial: a trial counts once a step. */
  readonly #averages = new Map<number, Map<TrialId, number>>()

  constructor(
    private readonly inner: Scheduler,
    private readonly options: MedianOptions,
  ) {
    this.#sign = options.direction === 'minimize' ? 1 : -1
  }

  suggest(): Suggestion | undefined {
    return this.inner.suggest()
  }

  forget(trial: TrialId): void {
    if (this.#runs.delete(trial)) for (const atStep of this.#averages.values()) atStep.delete(trial)
    this.inner.forget(trial)
  }

  observe(report: ScheduledReport): 'continue' | 'stop' {
    if (this.inner.observe(report) === 'stop') return 'stop'
    const raw = lookUp(report.metrics, this.options.metric)
    if (raw === undefined) return 'continue'
    const value = Number.isNaN(raw) ? Infinity : this.#sign * raw
    const run = this.#runs.get(report.trial) ?? { best: Infinity, sum: 0, count: 0 }
    run.best = Math.min(run.best, value)
    run.sum += value
    run.count++
    this.#runs.set(report.trial, run)

    const atStep = this.#averages.get(report.step) ?? new Map<TrialId, number>()
    this.#averages.set(report.step, atStep)
    const others = [...atStep].filter(([trial]) => trial !== report.trial).map(([, average]) => average)
    atStep.set(report.trial, run.sum / run.count)
    if (report.step <= (this.options.graceSteps ?? 1) || others.length < (this.options.minTrials ?? 5))
      return 'continue'
    return run.best > median(others) ? 'stop' : 'continue'
  }

  conclude(trial: Trial, outcome: Outcome): void {
    this.inner.conclude(trial, outcome)
  }
}

function median(values: number[]): number {
  values.sort((a, b) => a - b)
  const middle = values.length >> 1
  return values.length % 2 === 1 ? values[middle]! : (values[middle - 1]! + values[middle]!) / 2
}
