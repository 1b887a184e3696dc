import { exp, log } from '../../analysis/elementary.js'
import { factorize, inverseOf, solveLower, solveUpper } from './cholesky.js'
import type { Slope } from '../../analysis/critical-point.js'
import { minimizeInBox } from './minimize.js'

/** What a kernel is made of: variance · M(Σⱼ precisions[j] · dⱼ²), and the variance of the noise. */
export interface Hyperparameters {
  /** Of each axis: 1 / length scale². */
  readonly precisions: Float64Array
  readonly variance: number
  readonly noise: number
}

/** The noise has at least this variance, for the sake of the matrix. */
const leastNoise = 1e-6

/** The Matérn 5/2 correlation of a squared distance: (1 + t + t²/3) e⁻ᵗ, t = √(5r²). */
export function matern(squared: number): number {
  const t = Math.sqrt(5 * squared)
  return (1 + t + (t * t) / 3) * exp(-t)
}

/** Its derivative by the squared distance: −5/6 (1 + t) e⁻ᵗ. */
function maternSlope(squared: number): number {
  const t = Math.sqrt(5 * squared)
  return (-5 / 6) * (1 + t) * exp(-t)
}

/** Points `[n × axes]` in the unit cube; axes of choices differ by 0 or 1. */
export interface Points {
  readonly rows: readonly Float64Array[]
  readonly isChoice: readonly boolean[]
}

const squaredDifference = (a: number, b: number, isChoice: boolean): number =>
  isChoice ? (a === b ? 0 : 1) : (a - b) * (a - b)

/** −ln of the posterior of hyperparameters, without constants, and its slope by their logarithms (noise: of what is above the least). */
export class Likelihood {
  readonly #n: number
  /** Of each pair i > j and each axis: the squared difference. */
  readonly #differences: Float64Array

  constructor(
    { rows, isChoice }: Points,
    private readonly values: Float64Array,
  ) {
    this.#n = rows.length
    const axes = isChoice.length
    this.#differences = new Float64Array(((this.#n * (this.#n - 1)) / 2) * axes)
    let at = 0
    for (let i = 0; i < this.#n; i++)
      for (let j = 0; j < i; j++)
        for (let a = 0; a < axes; a++)
          this.#differences[at++] = squaredDifference(rows[i]![a]!, rows[j]![a]!, isChoice[a]!)
  }

  slopeAt(logs: Float64Array): Slope {
    const n = this.#n
    const { precisions, variance, noise } = hyperparametersOf(logs)
    const axes = precisions.length
    const covariance = new Float64Array(n * n)
    const slopes = new Float64Array(n * n)
    for (let i = 0, at = 0; i < n; i++) {
      covariance[i * n + i] = variance + noise
      for (let j = 0; j < i; j++) {
        let squared = 0
        for (let a = 0; a < axes; a++) squared += precisions[a]! * this.#differences[at++]!
        const t = Math.sqrt(5 * squared)
        const decay = variance * exp(-t)
        covariance[i * n + j] = (1 + t + (t * t) / 3) * decay
        slopes[i * n + j] = (-5 / 6) * (1 + t) * decay
      }
    }
    const gradient = new Float64Array(axes + 2)
    const factor = Float64Array.from(covariance)
    if (!factorize(factor, n)) return { loss: Infinity, gradient }
    const weights = Float64Array.from(this.values)
    solveLower(factor, n, weights)
    let loss = 0
    for (let i = 0; i < n; i++) loss += log(factor[i * n + i]!) + 0.5 * weights[i]! * weights[i]!
    solveUpper(factor, n, weights)
    const inverse = inverseOf(factor, n)
    // ∂loss = ½ tr((K⁻¹ − ααᵀ) ∂K), with α = K⁻¹y.
    let trace = 0
    let onVariance = 0
    for (let i = 0, at = 0; i < n; i++) {
      trace += inverse[i * n + i]! - weights[i]! * weights[i]!
      for (let j = 0; j < i; j++) {
        const factorOf = inverse[i * n + j]! - weights[i]! * weights[j]!
        onVariance += factorOf * covariance[i * n + j]!
        const scaled = factorOf * slopes[i * n + j]!
        for (let a = 0; a < axes; a++) gradient[a]! += scaled * this.#differences[at++]!
      }
    }
    for (let a = 0; a < axes; a++) gradient[a]! *= precisions[a]!
    gradient[axes] = 0.5 * trace * variance + onVariance
    gradient[axes + 1] = 0.5 * trace * (noise - leastNoise)
    return { loss: loss + addPrior(gradient, { precisions, variance, noise }), gradient }
  }
}

/**
 * −ln of the prior of Optuna 5: exp(−0.1/precision − 0.1 precision) of each axis, Gamma(2, 1) of the variance,
 * Gamma(1.1, 30) of the noise. Its slope is added to the gradient.
 */
function addPrior(gradient: Float64Array, { precisions, variance, noise }: Hyperparameters): number {
  const axes = precisions.length
  let loss = variance - log(variance) + 30 * noise - 0.1 * log(noise)
  for (let a = 0; a < axes; a++) {
    loss += 0.1 / precisions[a]! + 0.1 * precisions[a]!
    gradient[a]! += 0.1 * precisions[a]! - 0.1 / precisions[a]!
  }
  gradient[axes]! += variance - 1
  gradient[axes + 1]! += (30 - 0.1 / noise) * (noise - leastNoise)
  return loss
}

function hyperparametersOf(logs: Float64Array): Hyperparameters {
  const axes = logs.length - 2
  return {
    precisions: logs.subarray(0, axes).map(exp),
    variance: exp(logs[axes]!),
    noise: exp(logs[axes + 1]!) + leastNoise,
  }
}

/** The hyperparameters that are most probable given the values, by L-BFGS from 1 for each of them. */
export function fitHyperparameters(points: Points, values: Float64Array): Hyperparameters {
  const axes = points.isChoice.length
  const likelihood = new Likelihood(points, values)
  const start = new Float64Array(axes + 2)
  const end = new Float64Array(axes + 2).fill(20)
  const { point } = minimizeInBox((logs) => likelihood.slopeAt(logs), start, {
    low: end.map((value) => -value),
    high: end,
    steps: 200,
    tolerance: 1e-2,
  })
  return hyperparametersOf(point)
}

/** Mean and variance of the function at a point. */
export interface Prediction {
  readonly mean: number
  readonly variance: number
}

/** A Gaussian process that has been given values (Rasmussen and Williams 2006, algorithm 2.1). */
export class GaussianProcess {
  readonly #n: number
  readonly #factor: Float64Array
  readonly #weights: Float64Array

  /** `noises` of each point; default the fitted noise. @throws RangeError where the matrix is singular. */
  constructor(
    readonly points: Points,
    values: Float64Array,
    readonly hyperparameters: Hyperparameters,
    noises?: Float64Array,
  ) {
    const { rows } = points
    const n = rows.length
    this.#n = n
    this.#factor = new Float64Array(n * n)
    for (let i = 0; i < n; i++)
      for (let j = 0; j <= i; j++)
        this.#factor[i * n + j] =
          this.covariance(rows[i]!, rows[j]!) + (i === j ? (noises?.[i] ?? hyperparameters.noise) : 0)
    if (!factorize(this.#factor, n)) throw new RangeError(`covariance of ${n} points: not positive definite`)
    this.#weights = this.solve(values)
  }

  /** K⁻¹b. */
  solve(b: Float64Array): Float64Array {
    const solved = Float64Array.from(b)
    solveLower(this.#factor, this.#n, solved)
    solveUpper(this.#factor, this.#n, solved)
    return solved
  }

  covariance(a: Float64Array, b: Float64Array): number {
    return this.hyperparameters.variance * matern(this.#squaredDistance(a, b))
  }

  /** The covariances of a point with those given. */
  covariances(point: Float64Array): Float64Array {
    return Float64Array.from(this.points.rows, (row) => this.covariance(point, row))
  }

  /** The covariance of the function at two points, given the values. */
  posteriorCovariance(a: Float64Array, b: Float64Array): number {
    const [left, right] = [this.covariances(a), this.covariances(b)]
    solveLower(this.#factor, this.#n, left)
    solveLower(this.#factor, this.#n, right)
    let explained = 0
    for (let i = 0; i < this.#n; i++) explained += left[i]! * right[i]!
    return this.covariance(a, b) - explained
  }

  /** What the function may be at a point whose covariances are known. */
  predict(covariances: Float64Array): Prediction {
    let mean = 0
    for (let i = 0; i < this.#n; i++) mean += covariances[i]! * this.#weights[i]!
    const half = Float64Array.from(covariances)
    solveLower(this.#factor, this.#n, half)
    let explained = 0
    for (let i = 0; i < this.#n; i++) explained += half[i]! * half[i]!
    return { mean, variance: Math.max(0, this.hyperparameters.variance - explained) }
  }

  /** Adds Σᵢ weights[i] · ∂cov(point, row i)/∂point to `gradient`; choices have no slope. */
  addCovarianceSlope(point: Float64Array, weights: Float64Array, gradient: Float64Array): void {
    const { rows, isChoice } = this.points
    const { precisions, variance } = this.hyperparameters
    for (let i = 0; i < this.#n; i++) {
      const factor = 2 * weights[i]! * variance * maternSlope(this.#squaredDistance(point, rows[i]!))
      for (let a = 0; a < gradient.length; a++)
        if (!isChoice[a]!) gradient[a]! += factor * precisions[a]! * (point[a]! - rows[i]![a]!)
    }
  }

  get weights(): Float64Array {
    return this.#weights
  }

  #squaredDistance(a: Float64Array, b: Float64Array): number {
    const { precisions } = this.hyperparameters
    let sum = 0
    for (let k = 0; k < precisions.length; k++)
      sum += precisions[k]! * squaredDifference(a[k]!, b[k]!, this.points.isChoice[k]!)
    return sum
  }
}
