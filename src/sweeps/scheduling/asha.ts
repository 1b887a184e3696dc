import { SpaceError } from '../../core/errors.js'
import { goalsOf } from '../../core/objective.js'
import type { Outcome, Trial, TrialId } from '../../core/trial.js'
import type { Rule } from './rule.js'
import type { ScheduledReport, Scheduler, Suggestion } from './scheduler.js'
import { createRung, lossesAt, rungSteps, type Rung, type RungOptions } from './rung.js'

/**
 * Asynchronous successive halving in its stopping variant, that of Ray Tune and Syne Tune: a trial that reaches a rung goes
 * on when it is among the best 1/η of all that have reached it so far, ties included. (Li et al. 2020, A System for
 * Massively Parallel Hyperparameter Tuning, section 3.2, pause trials at a rung and promote them later.) A decision depends
 * on the order in which reports came, so it is journalled and obeyed, never made again.
 *
 * With several objectives those are better that are of a lower front among all that have reached the rung (after MOASHA,
 * Schmucker et al. 2021, arXiv 2106.12639); a front goes on as a whole, since ties do.
 */
export class AshaScheduler implements Scheduler {
  readonly interactive = true
  /** Rungs by step, rising: r·η^k below R. */
  readonly rungs: readonly number[]
  /** What was seen at each rung; lower is better whatever the direction. */
  readonly #seen: readonly Rung[]
  /** What each trial had at the rungs it has reached: a repeated or late report decides nothing twice. */
  readonly #reached = new Map<TrialId, (readonly number[])[]>()
  readonly #reduction: number

  constructor(
    private readonly inner: Scheduler,
    private readonly options: RungOptions,
  ) {
    this.rungs = rungSteps('asha', options)
    this.#seen = this.rungs.map(() => createRung(goalsOf(options).length))
    this.#reduction = options.reduction ?? 3
  }

  suggest(): Suggestion | undefined {
    return this.inner.suggest()
  }

  add(...added: Parameters<Scheduler['add']>): void {
    this.inner.add(...added)
  }

  forget(trial: TrialId): void {
    for (const [rung, losses] of (this.#reached.get(trial) ?? []).entries()) this.#seen[rung]!.remove(losses)
    this.#reached.delete(trial)
    this.inner.forget(trial)
  }

  restore(report: ScheduledReport): void {
    this.inner.restore(report)
    this.#take(report, () => true)
  }

  observe(report: ScheduledReport): 'continue' | 'stop' {
    if (this.inner.observe(report) === 'stop') return 'stop'
    return this.#take(report, (rung, losses) => this.#mayGoOn(rung, losses)) ? 'continue' : 'stop'
  }

  /** @returns whether `mayGoOn` lets it, at each rung that it reaches with this report. */
  #take(report: ScheduledReport, mayGoOn: (rung: number, losses: readonly number[]) => boolean): boolean {
    const losses = lossesAt(this.options, report.metrics)
    if (losses === undefined) return true
    // Reports may skip steps: every rung at or below this step that has not been judged is judged now, with this value.
    const reached = this.#reached.get(report.trial) ?? []
    this.#reached.set(report.trial, reached)
    while (reached.length < this.rungs.length && report.step >= this.rungs[reached.length]!) {
      const rung = reached.push(losses) - 1
      this.#seen[rung]!.add(losses)
      if (!mayGoOn(rung, losses)) return false
    }
    return true
  }

  recordEnd(trial: Trial, outcome: Outcome): void {
    this.inner.recordEnd(trial, outcome)
  }

  #mayGoOn(rung: number, losses: readonly number[]): boolean {
    const seen = this.#seen[rung]!
    // The best ⌊n/η⌋ go on; the first arrivals, with no one to be compared with, always do.
    const places = Math.floor(seen.size / this.#reduction)
    return places === 0 || seen.countBetter(losses) < places
  }
}

export const asha: Rule = {
  stops: 'that reaches a rung outside the best 1/`reduction` of all that have reached it so far',
  numbers: { minSteps: { default: '1' }, maxSteps: { default: '(the largest `epochs`)' }, reduction: { default: '3' } },
  takesSeveral: true,
  wrap(inner, judged, { maxSteps, ...others }, trials) {
    return new AshaScheduler(inner, { ...judged, maxSteps: maxSteps ?? longest('asha', trials), ...others })
  },
}

/** How many steps a trial takes at most, where its parameters tell. */
export function longest(rule: string, trials: readonly Trial[]): number {
  const epochs = trials.flatMap(({ params }) => (typeof params['epochs'] === 'number' ? [params['epochs']] : []))
  if (epochs.length === 0)
    throw new SpaceError(
      `scheduler: ${rule} needs maxSteps here, since no axis is called epochs (such as {${rule}: {maxSteps: 81}})`,
    )
  return epochs.reduce((a, b) => Math.max(a, b))
}
