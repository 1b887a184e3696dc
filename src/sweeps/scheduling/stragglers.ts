import type { Trial, TrialId } from '../../core/trial.js'
import { SortedNumbers } from './sorted-numbers.js'

/** A trial that runs so many times as long as it should is a straggler. */
const lateFactor = 1.5
/** A trial that ends sooner is not worth a second start. */
const leastMs = 1_000

/**
 * After how long a running trial is a straggler, of which a second attempt elsewhere may be over first (Dean & Ghemawat,
 * MapReduce, OSDI 2004, section 3.6): one and a half times what it was expected to take, or else what trials of this run took in
 * the median, in proportion to their costs.
 */
export class Stragglers {
  /** Of trials that have ended: ms for each unit of cost. */
  readonly #paces = new SortedNumbers()

  /** @param expected times of trials, in ms. */
  constructor(private readonly expected: ReadonlyMap<TrialId, number> = new Map()) {}

  /** A trial has come to its end. */
  learn(trial: Trial, durationMs: number): void {
    this.#paces.add(durationMs / costOf(trial))
  }

  /** From its start, in ms; `undefined` while nothing tells how long the trial should take. */
  lateAfterMs(trial: Trial): number | undefined {
    const byOthers = this.#paces.size === 0 ? undefined : this.#paces.median() * costOf(trial)
    const expectedMs = this.expected.get(trial.id) ?? byOthers
    return expectedMs === undefined ? undefined : Math.max(leastMs, lateFactor * expectedMs)
  }
}

const costOf = ({ cost }: Trial): number => Math.max(1, cost)
