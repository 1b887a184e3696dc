import { SpaceError } from '../../core/errors.js'
import { lookUp } from '../../core/names.js'
import type { Objective, Outcome, Trial, TrialId } from '../../core/trial.js'
import type { Rule } from './rule.js'
import type { ScheduledReport, Scheduler, Suggestion } from './scheduler.js'
import { SortedNumbers } from './sorted-numbers.js'

export interface AshaOptions extends Objective {
  /** Step of the first rung, r in the paper. Default 1. */
  readonly minSteps?: number
  /** Step at which a trial is done anyway, R in the paper; no rung lies there or beyond. */
  readonly maxSteps: number
  /** Of so many that reach a rung one goes on, η in the paper. Default 3. */
  readonly reduction?: number
}

/**
 * Asynchronous successive halving in its stopping variant, that of Ray Tune and Syne Tune: a trial that reaches a rung goes
 * on when it is among the best 1/η of all that have reached it so far, ties included. (Li et al. 2020, A System for
 * Massively Parallel Hyperparameter Tuning, section 3.2, pause trials at a rung and promote them later.) A decision depends
 * on the order in which reports came, so it is journalled and obeyed, never made again.
 */
export class AshaScheduler implements Scheduler {
  readonly interactive = true
  /** Rungs by step, rising: r·η^k below R. */
  readonly rungs: readonly number[]
  /** Signed values seen at each rung, best first; lower is better whatever the direction. */
  readonly #seen: readonly SortedNumbers[]
  /** What each trial had at the rungs it has reached: a repeated or late report decides nothing twice. */
  readonly #reached = new Map<TrialId, number[]>()
  readonly #sign: 1 | -1
  readonly #reduction: number

  constructor(
    private readonly inner: Scheduler,
    private readonly options: AshaOptions,
  ) {
    const { minSteps = 1, maxSteps, reduction = 3 } = options
    if (!(minSteps >= 1) || !(maxSteps >= minSteps))
      throw new SpaceError(`asha: minSteps ${minSteps} and maxSteps ${maxSteps} (1 ≤ minSteps ≤ maxSteps)`)
    if (!(reduction > 1)) throw new SpaceError(`asha: reduction ${reduction} (a number above 1, such as 3)`)
    const rungs: number[] = []
    for (let step = minSteps; step < maxSteps; step *= reduction) rungs.push(Math.round(step))
    this.rungs = [...new Set(rungs)]
    this.#seen = this.rungs.map(() => new SortedNumbers())
    this.#sign = options.direction === 'minimize' ? 1 : -1
    this.#reduction = reduction
  }

  suggest(): Suggestion | undefined {
    return this.inner.suggest()
  }

  forget(trial: TrialId): void {
    for (const [rung, value] of (this.#reached.get(trial) ?? []).entries()) this.#seen[rung]!.remove(value)
    this.#reached.delete(trial)
    this.inner.forget(trial)
  }

  observe(report: ScheduledReport): 'continue' | 'stop' {
    if (this.inner.observe(report) === 'stop') return 'stop'
    const raw = lookUp(report.metrics, this.options.metric)
    if (raw === undefined) return 'continue'
    // Reports may skip steps: every rung at or below this step that has not been judged is judged now, with this value.
    const reached = this.#reached.get(report.trial) ?? []
    this.#reached.set(report.trial, reached)
    const value = Number.isNaN(raw) ? Infinity : this.#sign * raw
    while (reached.length < this.rungs.length && report.step >= this.rungs[reached.length]!) {
      reached.push(value)
      if (!this.#mayGoOn(reached.length - 1, value)) return 'stop'
    }
    return 'continue'
  }

  recordEnd(trial: Trial, outcome: Outcome): void {
    this.inner.recordEnd(trial, outcome)
  }

  #mayGoOn(rung: number, value: number): boolean {
    const seen = this.#seen[rung]!
    const better = seen.countBelow(value)
    seen.add(value)
    // The best ⌊n/η⌋ go on; the first arrivals, with no one to be compared with, always do.
    const places = Math.floor(seen.size / this.#reduction)
    return places === 0 || better < places
  }
}

export const asha: Rule = {
  stops: 'that reaches a rung outside the best 1/`reduction` of all that have reached it so far',
  numbers: { minSteps: { default: '1' }, maxSteps: { default: '(the largest `epochs`)' }, reduction: { default: '3' } },
  wrap(inner, judged, { maxSteps, ...others }, trials) {
    return new AshaScheduler(inner, { ...judged, maxSteps: maxSteps ?? longest(trials), ...others })
  },
}

/** How many steps a trial takes at most, where its parameters tell. */
function longest(trials: readonly Trial[]): number {
  const epochs = trials.flatMap(({ params }) => (typeof params['epochs'] === 'number' ? [params['epochs']] : []))
  if (epochs.length === 0)
    throw new SpaceError(
      'scheduler: asha needs maxSteps here, since no axis is called epochs (such as {asha: {maxSteps: 81}})',
    )
  return epochs.reduce((a, b) => Math.max(a, b))
}
