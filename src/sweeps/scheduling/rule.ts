import type { Objective, Trial } from '../../core/trial.js'
import type { Scheduler } from './scheduler.js'

/** A rule that may stop trials early: one file, and one row of the table in rules.ts. */
export interface Rule {
  /** Which trial it stops, as the end of "stops a trial …"; Markdown. */
  readonly stops: string
  /** The numbers it takes, by name. */
  readonly numbers: Readonly<Record<string, RuleNumber>>
  /** Numbers without which `--scheduler` would refuse it, as its help shows them. */
  readonly example?: string
  /** Whether it can judge by several objectives at once, in `judged.also`. Default false. */
  readonly takesSeveral?: boolean
  /**
   * Puts the rule around what decides so far. `given` has those of its numbers that a person gave.
   * @throws SpaceError when it cannot know what it must.
   */
  wrap(
    inner: Scheduler,
    judged: Objective,
    given: Readonly<Record<string, number>>,
    trials: readonly Trial[],
  ): Scheduler
}

/** `needed`: it must be given; else what it is when left out, as a person reads it. */
export type RuleNumber = 'needed' | { readonly default: string }

export type Rules = Readonly<Record<string, Rule>>
