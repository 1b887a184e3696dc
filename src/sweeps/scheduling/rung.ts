import { SpaceError } from '../../core/errors.js'
import { lookUp } from '../../core/names.js'
import { goalsOf, lossOf } from '../../core/objective.js'
import { dominates, paretoRanks } from '../../core/pareto-ranks.js'
import type { Metrics, Objective } from '../../core/trial.js'
import { SortedNumbers } from './sorted-numbers.js'

/** Where trials are compared, and by what. */
export interface RungOptions extends Objective {
  /** Step of the first rung, r in the paper. Default 1. */
  readonly minSteps?: number
  /** Step at which a trial is done anyway, R in the paper; no rung lies there or beyond. */
  readonly maxSteps: number
  /** Of so many that reach a rung one goes on, η in the paper. Default 3. */
  readonly reduction?: number
}

/** The steps of the rungs, rising: r·η^k below R. @throws SpaceError for numbers that make no ladder. */
export function rungSteps(rule: string, { minSteps = 1, maxSteps, reduction = 3 }: RungOptions): number[] {
  if (!(minSteps >= 1) || !(maxSteps >= minSteps))
    throw new SpaceError(`${rule}: minSteps ${minSteps} and maxSteps ${maxSteps} (1 ≤ minSteps ≤ maxSteps)`)
  if (!(reduction > 1)) throw new SpaceError(`${rule}: reduction ${reduction} (a number above 1, such as 3)`)
  const rungs: number[] = []
  for (let step = minSteps; step < maxSteps; step *= reduction) rungs.push(Math.round(step))
  return [...new Set(rungs)]
}

/** A report's objectives as losses, the smaller the better, NaN as the worst; `undefined` where it lacks one. */
export function lossesAt(objective: Objective, metrics: Metrics): readonly number[] | undefined {
  const losses: number[] = []
  for (const goal of goalsOf(objective)) {
    const raw = lookUp(metrics, goal.metric)
    if (raw === undefined) return undefined
    losses.push(Number.isNaN(raw) ? Infinity : lossOf(goal, raw))
  }
  return losses
}

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

/**
 * Better is what is of a lower front among all that were added. Fronts are kept as points come (Li et al. 2017, Efficient
 * Nondomination Level Update): a point pushes those that it dominates one front on, and these the same.
 */
class FrontRung implements Rung {
  #fronts: (readonly number[])[][] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  add(losses: readonly number[]): void {
    this.#size++
    let coming: (readonly number[])[] = [losses]
    for (let rank = this.#rankOf(losses); coming.length > 0; rank++) {
      const front = this.#fronts[rank] ?? []
      const isPushed = (one: readonly number[]): boolean => coming.some((other) => dominates(other, one))
      const pushed = front.filter(isPushed)
      this.#fronts[rank] = [...(pushed.length === 0 ? front : front.filter((one) => !pushed.includes(one))), ...coming]
      coming = pushed
    }
  }

  /** Attempts are lost seldom: the others are ranked anew. */
  remove(losses: readonly number[]): void {
    const others = this.#fronts.flat()
    const at = others.indexOf(losses)
    if (at < 0) return
    others.splice(at, 1)
    this.#size--
    this.#fronts = []
    for (const [i, rank] of paretoRanks(others).entries()) (this.#fronts[rank] ??= []).push(others[i]!)
  }

  countBetter(losses: readonly number[]): number {
    let count = 0
    for (const front of this.#fronts.slice(0, this.#rankOf(losses))) count += front.length
    return count
  }

  /** The first front of which no point dominates it: every front before has one that does. */
  #rankOf(losses: readonly number[]): number {
    let [from, to] = [0, this.#fronts.length]
    while (from < to) {
      const middle = (from + to) >>> 1
      if (this.#fronts[middle]!.some((other) => dominates(other, losses))) from = middle + 1
      else to = middle
    }
    return from
  }
}
