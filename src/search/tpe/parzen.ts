import { exp, log } from '../../analysis/elementary.js'
import type { Random } from '../../core/seed.js'
import { Divisors } from './divisors.js'
import type { AxisKernels, KernelAxis } from './kernels.js'

/** What some observations have on one axis. */
export interface Column {
  /** As `KernelAxis.toUnit` has them. */
  readonly units: Float64Array
  /** Places of the units by size. */
  readonly order: Int32Array
}

/**
 * A mixture of product kernels over some axes: one kernel of each observation and a broad one, the prior's, of weight 1
 * (Bergstra et al. 2011; Watanabe, arXiv 2304.11127; bandwidths and constants as in Optuna 5).
 */
export class ParzenEstimator {
  readonly #weights: Float64Array
  readonly #totalWeight: number
  readonly #kernels: readonly AxisKernels[]
  /** Of each kernel: ln of its weight and of all its factors that do not depend on the point. */
  readonly #logFactors: Float64Array
  readonly #terms: Float64Array

  /** `columns` one of each axis; `weights` one of each observation. */
  constructor(axes: readonly KernelAxis[], columns: readonly Column[], weights: Float64Array) {
    this.#weights = new Float64Array(weights.length + 1).fill(1)
    this.#weights.set(weights)
    this.#totalWeight = this.#weights.reduce((sum, weight) => sum + weight, 0)
    const divisors = new Divisors(this.#weights.length)
    this.#kernels = axes.map((axis, a) => axis.kernels(columns[a]!.units, columns[a]!.order, divisors))
    this.#logFactors = divisors.logRatios(this.#weights)
    this.#terms = new Float64Array(this.#weights.length)
  }

  /** One value of each axis. */
  sample(random: Random): number[] {
    let left = random.uniform() * this.#totalWeight
    let kernel = 0
    while (kernel < this.#weights.length - 1 && (left -= this.#weights[kernel]!) >= 0) kernel++
    return this.#kernels.map((kernels) => kernels.sample(kernel, random.uniform()))
  }

  /** ln of the density at one value of each axis, in units of the axis or its logarithm; of steps and choices their share. */
  logDensity(values: readonly number[]): number {
    const terms = this.#terms
    terms.set(this.#logFactors)
    let constant = -log(this.#totalWeight)
    for (let a = 0; a < this.#kernels.length; a++) constant += this.#kernels[a]!.addTo(terms, values[a]!)
    const last = terms.length - 1
    let largest = (terms[last]! -= this.#excess(last, values))
    for (let k = 0; k < last; k++) {
      if (terms[k]! <= largest - negligible) continue
      terms[k]! -= this.#excess(k, values)
      if (terms[k]! > largest) largest = terms[k]!
    }
    let sum = 0
    for (let k = 0; k < terms.length; k++) if (terms[k]! > largest - negligible) sum += exp(terms[k]! - largest)
    return largest + log(sum) + constant
  }

  #excess(kernel: number, values: readonly number[]): number {
    let sum = 0
    for (let a = 0; a < this.#kernels.length; a++) sum += this.#kernels[a]!.excess?.(kernel, values[a]!) ?? 0
    return sum
  }
}

/** What is e⁻⁵⁰ of the largest term changes no digit of the sum. */
const negligible = 50
