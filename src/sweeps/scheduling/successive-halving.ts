import { paretoRanks } from '../../core/pareto-ranks.js'
import { formatCount } from '../../core/format.js'
import type { Outcome, Trial, TrialId } from '../../core/trial.js'
import { longest } from './asha.js'
import type { Rule } from './rule.js'
import { lossesAt, rungSteps, type RungOptions } from './rung.js'
import type { ScheduledReport, Scheduler, Suggestion } from './scheduler.js'

/** How one trial stands on the ladder of rungs. */
interface Climber {
  readonly trial: Trial
  /** What it had at each rung that it has reached, the first rung first. */
  readonly reached: (readonly number[])[]
  /** So many of these stand, whatever becomes of its attempt: it was paused there, or has ended. */
  fixed: number
  /** So many rungs let it go on. */
  passed: number
  /** Why it does not go on. */
  out?: string
  hasEnded: boolean
  /** So many rungs wait for it no longer. */
  counted: number
  /** It has been suggested, so that what is inside need not suggest it once more. */
  wasSuggested: boolean
}

/**
 * Synchronous successive halving (Jamieson and Talwalkar 2016, AISTATS, algorithm 1): a trial that reaches a rung pauses there.
 * Once every trial that can reach the rung has, the best ⌊n/η⌋ of the n that set out for it go on, at least one, with those that
 * tie; the others end as stopped. What is decided depends on what trials report alone, not on when: it is the same for any
 * number of workers. Trials that the plan grows by later run to their end.
 *
 * With several objectives those are better that are of a lower front; a front goes on as a whole, since ties do.
 */
export class SuccessiveHalvingScheduler implements Scheduler {
  readonly interactive = true
  /** Rungs by step, rising: r·η^k below R. */
  readonly rungs: readonly number[]
  readonly #climbers: ReadonlyMap<TrialId, Climber>
  readonly #reduction: number
  /** Of each rung, how many trials it waits for. */
  readonly #waiting: number[]
  /** Of each rung, how many set out for it; of those that are not decided, the first alone. */
  readonly #entrants: number[]
  /** So many rungs are decided. */
  #decided = 0
  /** Paused trials that go on, and that do not: neither has been suggested yet. */
  readonly #promoted = new Set<Climber>()
  readonly #leaving = new Set<Climber>()

  /** @param trials that were planned with the sweep; those with parents are not judged. */
  constructor(
    private readonly inner: Scheduler,
    private readonly options: RungOptions,
    trials: readonly Trial[],
  ) {
    this.rungs = rungSteps('successive-halving', options)
    this.#reduction = options.reduction ?? 3
    const first = trials.filter(({ parents }) => parents.length === 0)
    const begun = { fixed: 0, passed: 0, hasEnded: false, counted: 0, wasSuggested: false }
    this.#climbers = new Map(first.map((trial) => [trial.id, { trial, reached: [], ...begun }]))
    this.#waiting = this.rungs.map(() => first.length)
    this.#entrants = [first.length]
  }

  suggest(): Suggestion | undefined {
    for (const climber of this.#leaving) {
      this.#leaving.delete(climber)
      return { trial: climber.trial, stop: climber.out! }
    }
    for (const climber of this.#promoted) {
      this.#promoted.delete(climber)
      climber.wasSuggested = true
      return { trial: climber.trial }
    }
    for (;;) {
      const suggestion = this.inner.suggest()
      const climber = suggestion === undefined ? undefined : this.#climbers.get(suggestion.trial.id)
      if (climber === undefined || suggestion?.skip !== undefined) return suggestion
      // After a resume the grid knows nothing of pauses.
      if (climber.wasSuggested || climber.out !== undefined || climber.fixed > climber.passed) continue
      climber.wasSuggested = true
      return suggestion
    }
  }

  add(...added: Parameters<Scheduler['add']>): void {
    this.inner.add(...added)
  }

  forget(trial: TrialId): void {
    const climber = this.#climbers.get(trial)
    if (climber !== undefined) climber.reached.length = climber.fixed
    this.inner.forget(trial)
  }

  restore(report: ScheduledReport): void {
    this.inner.restore(report)
    this.#climb(report)
  }

  observe(report: ScheduledReport): 'continue' | 'stop' {
    this.#climb(report)
    return this.inner.observe(report)
  }

  /** Reports may skip steps: every rung at or below this step that the trial had not reached is reached now. */
  #climb({ trial, step, metrics }: ScheduledReport): void {
    const reached = this.#climbers.get(trial)?.reached
    const losses = lossesAt(this.options, metrics)
    if (reached === undefined || losses === undefined) return
    while (reached.length < this.rungs.length && step >= this.rungs[reached.length]!) reached.push(losses)
  }

  mustPause(trial: TrialId): boolean {
    const climber = this.#climbers.get(trial)
    return climber !== undefined && climber.reached.length > climber.passed
  }

  recordPause(trial: TrialId): void {
    const climber = this.#climbers.get(trial)
    if (climber === undefined) return
    this.#promoted.delete(climber)
    this.#settle(climber)
  }

  recordEnd(trial: Trial, outcome: Outcome): void {
    this.inner.recordEnd(trial, outcome)
    const climber = this.#climbers.get(trial.id)
    if (climber === undefined) return
    climber.hasEnded = true
    this.#promoted.delete(climber)
    this.#leaving.delete(climber)
    this.#settle(climber)
  }

  /** What the trial has reached stands from now on; rungs that waited for it alone are decided. */
  #settle(climber: Climber): void {
    climber.fixed = climber.reached.length
    this.#countOff(climber)
    // It comes late, as one that had failed and runs again: the others were let go on without it.
    for (let rung = climber.passed; rung < Math.min(climber.fixed, this.#decided); rung++)
      this.#judge(climber, rung, this.#bestAt(rung))
    while (this.#decided < this.rungs.length && this.#waiting[this.#decided] === 0) this.#decideNext()
  }

  #countOff(climber: Climber): void {
    const until = climber.hasEnded || climber.out !== undefined ? this.rungs.length : climber.fixed
    for (; climber.counted < until; climber.counted++) this.#waiting[climber.counted]!--
  }

  #decideNext(): void {
    const rung = this.#decided++
    const best = this.#bestAt(rung)
    this.#entrants[rung + 1] = best.size
    for (const climber of this.#climbers.values()) if (climber.fixed > rung) this.#judge(climber, rung, best)
  }

  /** Lets it go on from a rung that it has reached, or not. */
  #judge(climber: Climber, rung: number, best: ReadonlySet<Climber>): void {
    if (climber.hasEnded || climber.out !== undefined || climber.passed > rung) return
    if (best.has(climber)) {
      climber.passed = rung + 1
      if (climber.fixed === climber.passed) this.#promoted.add(climber)
      return
    }
    const entrants = formatCount(this.#entrants[rung]!, 'trial')
    climber.out = `not among the best ${this.#places(rung)} of ${entrants} at step ${this.rungs[rung]!}`
    this.#leaving.add(climber)
    this.#countOff(climber)
  }

  #places(rung: number): number {
    return Math.max(1, Math.floor(this.#entrants[rung]! / this.#reduction))
  }

  /** Of the trials that have reached a rung, those of which fewer than there are places are better. */
  #bestAt(rung: number): ReadonlySet<Climber> {
    const here = [...this.#climbers.values()].filter(({ fixed }) => fixed > rung)
    const losses = here.map(({ reached }) => reached[rung]!)
    const ranks = losses[0]?.length === 1 ? losses.map(([loss]) => loss!) : paretoRanks(losses)
    const last = [...ranks].sort((a, b) => a - b)[this.#places(rung) - 1] ?? Infinity
    return new Set(here.filter((_, i) => ranks[i]! <= last))
  }
}

export const successiveHalving: Rule = {
  stops: 'that is not among the best 1/`reduction` at a rung, once all have reached it; until then those there wait',
  numbers: { minSteps: { default: '1' }, maxSteps: { default: '(the largest `epochs`)' }, reduction: { default: '3' } },
  goesBy: 'all',
  takesSeveral: true,
  wrap(inner, judged, { maxSteps, ...others }, trials) {
    const options = { ...judged, maxSteps: maxSteps ?? longest('successive-halving', trials), ...others }
    return new SuccessiveHalvingScheduler(inner, options, trials)
  },
}
