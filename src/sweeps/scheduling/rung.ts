import { paretoRanks } from '../../core/pareto-ranks.js'
import { SortedNumbers } from './sorted-numbers.js'

/** What trials had when they reached a step, as losses: one number per objective, the smaller the better. */
export interface Rung {
  readonly size: number
  add(losses: readonly number[]): void
  /** Takes one that was added away. */
  remove(losses: readonly number[]): void
  /** How many of those that were added are better than one of them. */
  countBetter(losses: readonly number[]): number
}

export const createRung = (objectives: number): Rung => (objectives === 1 ? new SortedRung() : new FrontRung())

class SortedRung implements Rung {
  readonly #seen = new SortedNumbers()

  get size(): number {
    return this.#seen.size
  }
  add([loss]: readonly number[]): void {
    this.#seen.add(loss!)
  }
  remove([loss]: readonly number[]): void {
    this.#seen.remove(loss!)
  }
  countBetter([loss]: readonly number[]): number {
    return this.#seen.countBelow(loss!)
  }
}

/** Better is what is of a lower front among all that were added. */
class FrontRung implements Rung {
  readonly #seen: (readonly number[])[] = []

  get size(): number {
    return this.#seen.length
  }
  add(losses: readonly number[]): void {
    this.#seen.push(losses)
  }
  remove(losses: readonly number[]): void {
    const at = this.#seen.indexOf(losses)
    if (at >= 0) this.#seen.splice(at, 1)
  }
  countBetter(losses: readonly number[]): number {
    const ranks = paretoRanks(this.#seen)
    const own = ranks[this.#seen.indexOf(losses)] ?? Infinity
    return ranks.filter((rank) => rank < own).length
  }
}
