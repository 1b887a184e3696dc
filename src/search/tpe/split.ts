import { bestOfFronts } from '../../analysis/pareto.js'
import { compareResults, ended, type Result } from '../results.js'

/** The share of results that counts as good. */
const goodShare = 0.1
/** At most this many of one objective. */
const mostGood = 25

/** Parts observations into good ones, which TPE draws near, and others. */
export class Split {
  readonly #results: Result[] = []
  /** Ids from the best to the worst, equal ones as they came. */
  readonly #order: number[] = []
  #valued = 0

  constructor(private readonly objectives: number) {}

  add(result: Result): void {
    const id = this.#results.push(result) - 1
    if (result.class !== ended.failed) this.#valued++
    let [from, to] = [0, this.#order.length]
    while (from < to) {
      const middle = (from + to) >>> 1
      if (compareResults(this.#results[this.#order[middle]!]!, result) > 0) to = middle
      else from = middle + 1
    }
    this.#order.splice(from, 0, id)
  }

  /** How many have values. */
  get valued(): number {
    return this.#valued
  }

  /** A tenth of those with values: the best by `compareResults`, or by fronts of several objectives. */
  good(): ReadonlySet<number> {
    const tenth = Math.ceil(goodShare * this.#valued)
    if (this.objectives === 1) return new Set(this.#order.slice(0, Math.min(mostGood, tenth)))
    const feasible = this.#order.filter((id) => this.#results[id]!.class === ended.feasible).sort((a, b) => a - b)
    const losses = feasible.map((id) => this.#results[id]!.losses)
    const best = bestOfFronts(losses, tenth).map((i) => feasible[i]!)
    const others = this.#order.filter((id) => this.#results[id]!.class !== ended.feasible)
    return new Set([...best, ...others.slice(0, tenth - best.length)])
  }
}

/** Of n observations in their order: all 1 below 25, else rising from 1/n to 1 for all but the newest 25, which have 1. */
export function timeWeights(count: number): Float64Array {
  const rising = count - 25
  return new Float64Array(count).map((_, i) =>
    i >= rising ? 1 : rising === 1 ? 1 / count : 1 / count + ((1 - 1 / count) * i) / (rising - 1),
  )
}
