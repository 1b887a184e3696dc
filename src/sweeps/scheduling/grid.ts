import { describeDivergence } from '../../core/divergence.js'
import type { Outcome, Trial, TrialId } from '../../core/trial.js'
import type { Scheduler, Suggestion } from './scheduler.js'

/**
 * Runs every trial of a plan: the costliest first, or those that are expected to take longest, so that no large one is left
 * to run alone at the end, and derived trials as soon as all their parents have results. A child of a trial without a
 * result is skipped.
 */
export class GridScheduler implements Scheduler {
  readonly interactive = false
  /** Trials that may run now, cheapest first, so that the next one is at the end. */
  readonly #ready: Trial[] = []
  /** Settled by a parent's end: to be recorded as skipped. */
  readonly #skipped = new Map<TrialId, { trial: Trial; skip: string }>()
  readonly #waiting = new Map<TrialId, { trial: Trial; open: number }>()
  readonly #children = new Map<TrialId, Trial[]>()

  /** @param times expected of its trials, in ms; they count instead of costs. A trial without one comes last. */
  constructor(
    trials: readonly Trial[],
    private readonly times?: ReadonlyMap<TrialId, number>,
  ) {
    this.add(trials, () => undefined)
  }

  add(trials: readonly Trial[], outcomeOf: (trial: TrialId) => Outcome | undefined): void {
    for (const trial of trials) {
      const parents = [...new Set(trial.parents)]
      if (parents.length === 0) this.#ready.push(trial)
      else this.#waiting.set(trial.id, { trial, open: parents.length })
      for (const parent of parents) {
        const siblings = this.#children.get(parent)
        if (siblings === undefined) this.#children.set(parent, [trial])
        else siblings.push(trial)
      }
    }
    this.#ready.sort((a, b) => -this.#compare(a, b))
    for (const trial of trials)
      for (const parent of new Set(trial.parents)) {
        const outcome = outcomeOf(parent)
        if (outcome !== undefined) this.#settle(trial, parent, outcome)
      }
  }

  suggest(): Suggestion | undefined {
    for (const [id, skipped] of this.#skipped) {
      this.#skipped.delete(id)
      return skipped
    }
    const trial = this.#ready.pop()
    return trial === undefined ? undefined : { trial }
  }

  forget(): void {}

  restore(): void {}

  observe(): 'continue' {
    return 'continue'
  }

  recordEnd(trial: Trial, outcome: Outcome): void {
    this.#forget(trial)
    for (const child of this.#children.get(trial.id) ?? []) this.#settle(child, trial.id, outcome)
  }

  /** A parent has ended: its child may run once all have finished, and never if one has not. */
  #settle(child: Trial, parent: TrialId, outcome: Outcome): void {
    const waiting = this.#waiting.get(child.id)
    if (waiting === undefined) return
    // A parent that was stopped early has numbers, but not what it would have saved at its end.
    if (outcome.state !== 'finished') {
      this.#waiting.delete(child.id)
      const reason =
        outcome.state === 'diverged'
          ? `its parent ${parent} diverged: ${describeDivergence(outcome)}`
          : `its parent ${parent} did not finish (${outcome.state})`
      this.#skipped.set(child.id, { trial: child, skip: reason })
    } else if (--waiting.open === 0) {
      this.#waiting.delete(child.id)
      this.#insert(child)
    }
  }

  /** A trial concluded without having been suggested (restored from a journal) is not to be run again. */
  #forget(trial: Trial): void {
    this.#waiting.delete(trial.id)
    this.#skipped.delete(trial.id)
    const at = this.#position(trial)
    if (this.#ready[at]?.id === trial.id) this.#ready.splice(at, 1)
  }

  #insert(trial: Trial): void {
    this.#ready.splice(this.#position(trial), 0, trial)
  }

  /** Where the trial stands, or would stand, in the sorted list. */
  #position(trial: Trial): number {
    let low = 0
    let high = this.#ready.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#compare(this.#ready[middle]!, trial) > 0) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Below 0 when `a` runs before `b`: longer or costlier first, then in plan order. */
  #compare(a: Trial, b: Trial): number {
    return this.#sizeOf(b) - this.#sizeOf(a) || a.index - b.index
  }

  #sizeOf({ id, cost }: Trial): number {
    return this.times === undefined ? cost : (this.times.get(id) ?? 0)
  }
}
