import { crc32 } from 'node:zlib'
import { SpaceError } from '../../core/errors.js'
import type { Outcome, Trial, TrialId } from '../../core/trial.js'
import { AshaScheduler, longest } from './asha.js'
import { GridScheduler } from './grid.js'
import type { Rule } from './rule.js'
import type { RungOptions } from './rung.js'
import type { ScheduledReport, Scheduler, Suggestion } from './scheduler.js'

/**
 * Hyperband (Li et al. 2018, JMLR 18-185): trials are spread over brackets, each of which halves its own by `asha`, the b-th
 * from step r·η^b on, so that some trials are judged early and some late, or never. Of B = ⌊log_η(R/r)⌋ + 1 brackets the
 * b-th has a share of ⌈B·η^k/(k + 1)⌉ with k = B − 1 − b, as in the paper. Which one a trial belongs to is a hash of its id:
 * the same in every sweep that has the trial, in whatever order trials come.
 */
export class HyperbandScheduler implements Scheduler {
  readonly interactive = true
  readonly #brackets: readonly AshaScheduler[]
  /** A trial whose hash is below the b-th of these, and no earlier one, is in bracket b. */
  readonly #below: readonly number[]

  constructor(
    private readonly inner: Scheduler,
    options: RungOptions,
  ) {
    const { minSteps = 1, maxSteps, reduction = 3 } = options
    if (!(minSteps >= 1) || !(maxSteps >= minSteps))
      throw new SpaceError(`hyperband: minSteps ${minSteps} and maxSteps ${maxSteps} (1 ≤ minSteps ≤ maxSteps)`)
    if (!(reduction > 1)) throw new SpaceError(`hyperband: reduction ${reduction} (a number above 1, such as 3)`)
    const starts: number[] = []
    for (let step = minSteps; step <= maxSteps && starts.length < maxBrackets; step *= reduction) starts.push(step)
    const shares = starts.map((_, b) => {
      const k = starts.length - 1 - b
      return Math.ceil((starts.length * reduction ** k) / (k + 1))
    })
    this.#brackets = starts.map((start) => new AshaScheduler(new GridScheduler([]), { ...options, minSteps: start }))
    this.#below = shares.map((_, b) => shares.slice(0, b + 1).reduce((sum, share) => sum + share, 0))
  }

  /** How many brackets there are, the one that judges first being 0. */
  get size(): number {
    return this.#brackets.length
  }

  /** Which bracket a trial is in. */
  bracketOf(trial: TrialId): number {
    const place = crc32(trial) % this.#below.at(-1)!
    return this.#below.findIndex((below) => place < below)
  }

  suggest(): Suggestion | undefined {
    return this.inner.suggest()
  }

  add(...added: Parameters<Scheduler['add']>): void {
    this.inner.add(...added)
  }

  forget(trial: TrialId): void {
    this.#bracket(trial).forget(trial)
    this.inner.forget(trial)
  }

  restore(report: ScheduledReport): void {
    this.inner.restore(report)
    this.#bracket(report.trial).restore(report)
  }

  observe(report: ScheduledReport): 'continue' | 'stop' {
    return this.inner.observe(report) === 'stop' ? 'stop' : this.#bracket(report.trial).observe(report)
  }

  recordEnd(trial: Trial, outcome: Outcome): void {
    this.inner.recordEnd(trial, outcome)
  }

  #bracket(trial: TrialId): AshaScheduler {
    return this.#brackets[this.bracketOf(trial)]!
  }
}

/** With a reduction near 1 there would be no end of them, and their shares of a hash of 32 bits no meaning. */
const maxBrackets = 20

export const hyperband: Rule = {
  stops: 'as `asha` does among those of its bracket, each of which begins to judge at another step (Li et al. 2018)',
  numbers: { minSteps: { default: '1' }, maxSteps: { default: '(the largest `epochs`)' }, reduction: { default: '3' } },
  takesSeveral: true,
  wrap(inner, judged, { maxSteps, ...others }, trials) {
    return new HyperbandScheduler(inner, { ...judged, maxSteps: maxSteps ?? longest('hyperband', trials), ...others })
  },
}
