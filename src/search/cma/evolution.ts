import { exp, log } from '../../analysis/elementary.js'
import { symmetricSpectrum } from '../../analysis/symmetric.js'
import { dot, norm } from '../../analysis/vectors.js'

/** The normal distribution that generations are drawn from: its mean, step size and covariance `[d × d]`. */
export interface Start {
  readonly mean: Float64Array
  readonly sigma: number
  readonly covariance: Float64Array
}

const tiny = 1e-8

/** Covariance matrix adaptation with active updates (Hansen 2016, arXiv 1604.00772; equations by their numbers there). */
export class Evolution {
  readonly populationSize: number
  readonly #mu: number
  readonly #muEff: number
  readonly #weights: Float64Array
  readonly #c1: number
  readonly #cMu: number
  readonly #cSigma: number
  readonly #dSigma: number
  readonly #cC: number
  /** E‖N(0, I)‖. */
  readonly #chi: number
  readonly #pathSigma: Float64Array
  readonly #pathC: Float64Array
  #generation = 0
  #mean: Float64Array
  #sigma: number
  #covariance: Float64Array
  /** Of the covariance: eigenvectors, and the roots of the eigenvalues. */
  #axes!: readonly Float64Array[]
  #lengths!: Float64Array

  constructor({ mean, sigma, covariance }: Start) {
    const d = mean.length
    const size = 4 + Math.floor(3 * log(d))
    const mu = Math.floor(size / 2)
    const raw = Float64Array.from({ length: size }, (_, i) => log((size + 1) / 2) - log(i + 1))
    const effective = (some: Float64Array): number => {
      const sum = some.reduce((total, weight) => total + weight, 0)
      return (sum * sum) / dot(some, some)
    }
    const muEff = effective(raw.subarray(0, mu))
    const c1 = 2 / ((d + 1.3) * (d + 1.3) + muEff)
    const cMu = Math.min(1 - c1 - tiny, (2 * (muEff - 2 + 1 / muEff)) / ((d + 2) * (d + 2) + muEff))
    // Equations 50 to 53.
    const alpha = Math.min(
      1 + c1 / cMu,
      1 + (2 * effective(raw.subarray(mu))) / (muEff + 2),
      (1 - c1 - cMu) / (d * cMu),
    )
    const positive = raw.reduce((sum, weight) => sum + Math.max(0, weight), 0)
    const negative = raw.reduce((sum, weight) => sum + Math.max(0, -weight), 0)
    this.populationSize = size
    this.#mu = mu
    this.#muEff = muEff
    this.#weights = raw.map((weight) => (weight >= 0 ? weight / positive : (alpha * weight) / negative))
    this.#c1 = c1
    this.#cMu = cMu
    this.#cSigma = (muEff + 2) / (d + muEff + 5)
    this.#dSigma = 1 + 2 * Math.max(0, Math.sqrt((muEff - 1) / (d + 1)) - 1) + this.#cSigma
    this.#cC = (4 + muEff / d) / (d + 4 + (2 * muEff) / d)
    this.#chi = Math.sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d))
    this.#pathSigma = new Float64Array(d)
    this.#pathC = new Float64Array(d)
    this.#mean = Float64Array.from(mean)
    this.#sigma = sigma
    this.#covariance = Float64Array.from(covariance)
    this.#decompose()
  }

  get mean(): Float64Array {
    return this.#mean
  }

  get sigma(): number {
    return this.#sigma
  }

  get covariance(): Float64Array {
    return this.#covariance
  }

  /** The standard deviation along a coordinate. */
  deviation(k: number): number {
    return this.#sigma * Math.sqrt(this.#covariance[k * this.#mean.length + k]!)
  }

  /** The point that independent standard normal numbers stand for. */
  pointOf(normals: Float64Array): Float64Array {
    const point = Float64Array.from(this.#mean)
    this.#axes.forEach((axis, i) => {
      const length = this.#sigma * this.#lengths[i]! * normals[i]!
      for (let k = 0; k < point.length; k++) point[k]! += length * axis[k]!
    })
    return point
  }

  /**
   * The point, or one in its direction that is no farther than √d + 2d/(d+2) deviations: what was not drawn from this
   * distribution may not move it by more (Hansen 2011, injected solutions).
   */
  injected(point: Float64Array): Float64Array {
    const d = point.length
    const y = point.map((value, k) => (value - this.#mean[k]!) / this.#sigma)
    const distance = norm(this.#whitened(y))
    const most = Math.sqrt(d) + (2 * d) / (d + 2)
    return distance <= most ? point : y.map((value, k) => this.#mean[k]! + ((this.#sigma * most) / distance) * value)
  }

  /** Moves on by one generation: `populationSize` points, the best first. */
  update(points: readonly Float64Array[]): void {
    const d = this.#mean.length
    this.#generation++
    const steps = points.map((point) => point.map((value, k) => (value - this.#mean[k]!) / this.#sigma))
    const step = new Float64Array(d)
    for (let i = 0; i < this.#mu; i++) for (let k = 0; k < d; k++) step[k]! += this.#weights[i]! * steps[i]![k]!
    const white = this.#whitened(step)
    const whiteSteps = steps.map((y) => this.#whitened(y))
    this.#mean = this.#mean.map((value, k) => value + this.#sigma * step[k]!)
    const onSigma = Math.sqrt(this.#cSigma * (2 - this.#cSigma) * this.#muEff)
    for (let k = 0; k < d; k++) this.#pathSigma[k] = (1 - this.#cSigma) * this.#pathSigma[k]! + onSigma * white[k]!
    const length = norm(this.#pathSigma)
    this.#sigma = Math.min(1e32, this.#sigma * exp((this.#cSigma / this.#dSigma) * (length / this.#chi - 1)))
    const settled = Math.sqrt(1 - powerOf(1 - this.#cSigma, 2 * (this.#generation + 1)))
    const isSteady = length / settled < (1.4 + 2 / (d + 1)) * this.#chi
    const onC = isSteady ? Math.sqrt(this.#cC * (2 - this.#cC) * this.#muEff) : 0
    for (let k = 0; k < d; k++) this.#pathC[k] = (1 - this.#cC) * this.#pathC[k]! + onC * step[k]!
    this.#adapt(steps, whiteSteps, isSteady)
    this.#decompose()
  }

  /** Equations 46 and 47. */
  #adapt(steps: readonly Float64Array[], whiteSteps: readonly Float64Array[], isSteady: boolean): void {
    const d = this.#mean.length
    const total = this.#weights.reduce((sum, weight) => sum + weight, 0)
    const lost = isSteady ? 0 : this.#cC * (2 - this.#cC)
    const kept = 1 + this.#c1 * lost - this.#c1 - this.#cMu * total
    const weights = this.#weights.map((weight, i) =>
      weight >= 0 ? weight : (weight * d) / (dot(whiteSteps[i]!, whiteSteps[i]!) + tiny),
    )
    for (let k = 0; k < d; k++)
      for (let l = 0; l < d; l++) {
        let rankMu = 0
        for (let i = 0; i < steps.length; i++) rankMu += weights[i]! * steps[i]![k]! * steps[i]![l]!
        const rankOne = this.#pathC[k]! * this.#pathC[l]!
        this.#covariance[k * d + l] = kept * this.#covariance[k * d + l]! + this.#c1 * rankOne + this.#cMu * rankMu
      }
  }

  #decompose(): void {
    const d = this.#mean.length
    const { values, vectors } = symmetricSpectrum(this.#covariance, d)
    this.#axes = vectors
    this.#lengths = values.map((value) => Math.sqrt(value < 0 ? tiny : value))
  }

  /** C^(−½) y. */
  #whitened(y: Float64Array): Float64Array {
    const result = new Float64Array(y.length)
    this.#axes.forEach((axis, i) => {
      const along = dot(axis, y) / this.#lengths[i]!
      for (let k = 0; k < result.length; k++) result[k]! += along * axis[k]!
    })
    return result
  }
}

/** xⁿ of an integer n by multiplications. */
function powerOf(x: number, n: number): number {
  let [result, base] = [1, x]
  for (let left = n; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result *= base
    base *= base
  }
  return result
}

/**
 * A start from known points, the best first, of a like task (Nomura et al. 2021): normal distributions of deviation 0.1 at
 * the best tenth of them, taken as one.
 */
export function warmStart(points: readonly Float64Array[]): Start {
  const best = points.slice(0, Math.max(1, Math.floor(points.length / 10)))
  const d = best[0]!.length
  const mean = new Float64Array(d)
  for (const point of best) for (let k = 0; k < d; k++) mean[k]! += point[k]! / best.length
  const spread = new Float64Array(d * d)
  for (let k = 0; k < d; k++) {
    spread[k * d + k] = 0.01
    for (const point of best)
      for (let l = 0; l < d; l++) spread[k * d + l]! += ((point[k]! - mean[k]!) * (point[l]! - mean[l]!)) / best.length
  }
  const { values } = symmetricSpectrum(spread, d)
  // The covariance has determinant 1; the step size has the rest.
  const variance = exp(values.reduce((sum, value) => sum + log(value), 0) / d)
  return { mean, sigma: Math.sqrt(variance), covariance: spread.map((value) => value / variance) }
}
