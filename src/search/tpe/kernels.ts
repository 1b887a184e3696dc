import { log } from '../../analysis/elementary.js'
import { log2Pi, normalCdf, normalMass, normalQuantile } from '../../analysis/normal.js'
import { UnitScale } from '../scale.js'
import { countValues, nearestValue, type ChoiceAxis, type SearchAxis } from '../space.js'
import type { Divisors } from './divisors.js'

/** The kernels of one axis: one of each value observed, and the prior's as the last. */
export interface AxisKernels {
  /** A value by the law of one kernel, at the share u ∈ [0, 1) of it. */
  sample(kernel: number, u: number): number
  /**
   * Adds to each kernel's term what depends on the value, or a bound that it does not exceed; answers what is the same
   * for all.
   */
  addTo(terms: Float64Array, value: number): number
  /** Where `addTo` adds a bound: by how much what depends on the value is below it, which takes longer to work out. */
  readonly excess?: (kernel: number, value: number) => number
}

/** An axis that makes kernels of observed values. */
export interface KernelAxis {
  /** A value as the kernels have it: a place in [0, 1] or the index of a choice. */
  toUnit(value: number): number
  /** `units` as observed; `order` their places by size, equal ones as they came. */
  kernels(units: Float64Array, order: Int32Array, divisors: Divisors): AxisKernels
}

export function kernelAxis(axis: SearchAxis): KernelAxis {
  if (axis.kind === 'choice')
    return { toUnit: (value) => nearestValue(axis, value), kernels: (units) => new ChoiceKernels(axis, units) }
  const scale = new UnitScale(axis)
  const isDense = scale.step === undefined || countValues(axis) > mostSteps
  return {
    toUnit: (value) => scale.within(value),
    kernels: (units, order, divisors) => {
      const law = normalKernels(units, order)
      return isDense ? new DensityKernels(law, scale, divisors) : new StepKernels(law, scale, divisors)
    },
  }
}

/** Beyond, a step is too narrow for its share to have digits, and the density stands for it. */
const mostSteps = 1e9

/** Normal kernels on [0, 1]. */
interface NormalKernels {
  readonly means: Float64Array
  readonly deviations: Float64Array
  /** What part of each lies within [0, 1]. */
  readonly masses: Float64Array
}

/**
 * A kernel's deviation is the larger distance to its neighbours, or to the axis's end where it has none on that side and
 * is alone; at least 1/min(100, n+2) of the axis, at most the whole. The prior's is the whole axis, from its middle.
 */
export function normalKernels(units: Float64Array, order: Int32Array): NormalKernels {
  const count = units.length
  const means = new Float64Array(count + 1)
  means.set(units)
  means[count] = 0.5
  const deviations = new Float64Array(count + 1).fill(1)
  const least = 1 / Math.min(100, count + 2)
  for (let i = 0; i < count; i++) {
    const at = order[i]!
    const below = i > 0 ? units[at]! - units[order[i - 1]!]! : count > 1 ? 0 : units[at]!
    const above = i < count - 1 ? units[order[i + 1]!]! - units[at]! : count > 1 ? 0 : 1 - units[at]!
    deviations[at] = Math.min(1, Math.max(least, below, above))
  }
  const masses = means.map((mean, k) => {
    const [low, high] = [-mean / deviations[k]!, (1 - mean) / deviations[k]!]
    // Nine deviations from both ends, nothing is cut off that a double could tell.
    return low < -9 && high > 9 ? 1 : normalMass(low, high)
  })
  return { means, deviations, masses }
}

/** The place in [0, 1] at the share u of a kernel. */
function quantileOf({ means, deviations, masses }: NormalKernels, kernel: number, u: number): number {
  const [mean, deviation] = [means[kernel]!, deviations[kernel]!]
  const place = mean + deviation * normalQuantile(normalCdf(-mean / deviation) + u * masses[kernel]!)
  return Math.max(0, Math.min(1, place))
}

/** Of an axis without steps: densities. */
class DensityKernels implements AxisKernels {
  readonly #precisions: Float64Array

  constructor(
    private readonly law: NormalKernels,
    private readonly scale: UnitScale,
    divisors: Divisors,
  ) {
    const { deviations, masses } = law
    this.#precisions = deviations.map((deviation) => 1 / deviation)
    for (let k = 0; k < deviations.length; k++) divisors.multiply(k, deviations[k]! * masses[k]!)
  }

  sample(kernel: number, u: number): number {
    return this.scale.fromUnit(quantileOf(this.law, kernel, u))
  }

  addTo(terms: Float64Array, value: number): number {
    const unit = this.scale.toUnit(value)
    const means = this.law.means
    const precisions = this.#precisions
    for (let k = 0; k < terms.length; k++) {
      const z = (unit - means[k]!) * precisions[k]!
      terms[k]! -= 0.5 * z * z
    }
    return -0.5 * log2Pi - log(this.scale.width)
  }
}

/** Of an axis with steps: what part of a kernel lies within half a step of a value. */
class StepKernels implements AxisKernels {
  readonly #logDeviations: Float64Array

  constructor(
    private readonly law: NormalKernels,
    private readonly scale: UnitScale,
    divisors: Divisors,
  ) {
    law.masses.forEach((mass, k) => divisors.multiply(k, mass))
    this.#logDeviations = law.deviations.map(log)
  }

  sample(kernel: number, u: number): number {
    return this.scale.fromUnit(quantileOf(this.law, kernel, u))
  }

  addTo(terms: Float64Array, value: number): number {
    const cell = this.#cellOf(value)
    for (let k = 0; k < terms.length; k++) terms[k]! += this.#bound(k, cell)
    return 0
  }

  readonly excess = (k: number, value: number): number => {
    const cell = this.#cellOf(value)
    const [mean, deviation] = [this.law.means[k]!, this.law.deviations[k]!]
    return this.#bound(k, cell) - log(normalMass((cell.from - mean) / deviation, (cell.to - mean) / deviation))
  }

  #cellOf(value: number): Cell {
    const half = this.scale.step! / 2
    const [from, to] = [this.scale.toUnit(value - half), this.scale.toUnit(value + half)]
    return { from, to, logWidth: log(to - from) }
  }

  /** The width of the cell times the density at its nearest place, or the share beyond that place if it is less. */
  #bound(k: number, { from, to, logWidth }: Cell): number {
    const mean = this.law.means[k]!
    const distance = Math.max(0, from - mean, mean - to) / this.law.deviations[k]!
    return Math.min(0, logWidth - this.#logDeviations[k]! - 0.5 * log2Pi) - 0.5 * distance * distance
  }
}

/** Where half a step around a value lies in [0, 1]. */
interface Cell {
  readonly from: number
  readonly to: number
  readonly logWidth: number
}

/** Of n observed choices: each kernel gives every choice 1/(n+1), its own 1 more; the prior all the same. */
class ChoiceKernels implements AxisKernels {
  readonly #own: number
  readonly #other: number

  constructor(
    private readonly axis: ChoiceAxis,
    private readonly observed: Float64Array,
  ) {
    const share = 1 / (observed.length + 1)
    const total = 1 + axis.choices * share
    this.#own = (1 + share) / total
    this.#other = share / total
  }

  sample(kernel: number, u: number): number {
    const { choices } = this.axis
    if (kernel === this.observed.length) return Math.floor(u * choices)
    // The kernel's own choice lies first in [0, 1), the others behind it.
    if (u < this.#own) return this.observed[kernel]!
    const other = Math.min(choices - 2, Math.floor((u - this.#own) / this.#other))
    return other < this.observed[kernel]! ? other : other + 1
  }

  addTo(terms: Float64Array, value: number): number {
    const [own, other] = [log(this.#own), log(this.#other)]
    const last = this.observed.length
    for (let k = 0; k < last; k++) terms[k]! += this.observed[k] === value ? own : other
    terms[last]! -= log(this.axis.choices)
    return 0
  }
}
