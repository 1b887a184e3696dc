import { lookUp } from '../../core/names.js'
import type { Objective, Outcome, Trial, TrialId } from '../../core/trial.js'
import type { Rule } from './rule.js'
import type { ScheduledReport, Scheduler, Suggestion } from './scheduler.js'
import { SortedNumbers } from './sorted-numbers.js'

export interface MedianOptions extends Objective {
  /** No trial is stopped before this step. Default 1. */
  readonly graceSteps?: number
  /** No trial is stopped before so many others have reached its step. Default 5. */
  readonly minTrials?: number
}

/** What a trial has reported so far. */
interface Run {
  best: number
  sum: number
  count: number
  /** Its running average by step: it counts once a step. */
  readonly averages: Map<number, number>
}

/**
 * The median stopping rule (Golovin et al. 2017, Google Vizier, section 3.2.1): a trial stops at step s when its best
 * value so far is worse than the median, over the trials that reached s, of their running averages up to s.
 */
export class MedianScheduler implements Scheduler {
  readonly interactive = true
  readonly #sign: 1 | -1
  readonly #runs = new Map<TrialId, Run>()
  /** Running averages of all trials at each step. */
  readonly #averages = new Map<number, SortedNumbers>()

  constructor(
    private readonly inner: Scheduler,
    private readonly options: MedianOptions,
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
    for (const [step, average] of this.#runs.get(trial)?.averages ?? []) this.#averages.get(step)!.remove(average)
    this.#runs.delete(trial)
    this.inner.forget(trial)
  }

  restore(report: ScheduledReport): void {
    this.inner.restore(report)
    this.#take(report)
  }

  observe(report: ScheduledReport): 'continue' | 'stop' {
    return this.inner.observe(report) === 'stop' ? 'stop' : this.#take(report)
  }

  /** @returns what follows for the trial from its report. */
  #take(report: ScheduledReport): 'continue' | 'stop' {
    const raw = lookUp(report.metrics, this.options.metric)
    if (raw === undefined) return 'continue'
    const value = Number.isNaN(raw) ? Infinity : this.#sign * raw
    const run = this.#runs.get(report.trial) ?? {
      best: Infinity,
      sum: 0,
      count: 0,
      averages: new Map<number, number>(),
    }
    this.#runs.set(report.trial, run)
    run.best = Math.min(run.best, value)
    run.sum += value
    run.count++

    const others = this.#averages.get(report.step) ?? new SortedNumbers()
    this.#averages.set(report.step, others)
    const earlier = run.averages.get(report.step)
    if (earlier !== undefined) others.remove(earlier)
    const judged = report.step > (this.options.graceSteps ?? 1) && others.size >= (this.options.minTrials ?? 5)
    const decision = judged && run.best > others.median() ? 'stop' : 'continue'

    // Infinities of both signs have no mean.
    const average = Number.isNaN(run.sum) ? Infinity : run.sum / run.count
    run.averages.set(report.step, average)
    others.add(average)
    return decision
  }

  recordEnd(trial: Trial, outcome: Outcome): void {
    this.inner.recordEnd(trial, outcome)
  }
}

export const median: Rule = {
  stops: "whose best is worse than the median of the others' running averages (Golovin et al. 2017)",
  numbers: { graceSteps: { default: '1' }, minTrials: { default: '5' } },
  wrap: (inner, judged, given) => new MedianScheduler(inner, { ...judged, ...given }),
}
