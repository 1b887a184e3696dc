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
  /**
   * What it goes by: `one` trial's own reports; those of others that have come so far, by `arrival`; or those of `all`, which
   * wait for each other at a rung. Rules of the last kind go with none but such that go by one. Default `arrival`.
   */
  readonly goesBy?: 'one' | 'arrival' | 'all'
  /** Whether it can judge by several objectives at once, in `judged.also`. Default false. */
  readonly takesSeveral?: boolean
  /**
   * Puts the rule around what decides so far. `given` has those of its numbers that a person gave.
   * @param trials that were planned with the sweep, not those that its plan has grown by.
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
