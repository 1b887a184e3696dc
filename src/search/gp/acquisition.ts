import { exp, log } from '../../analysis/elementary.js'
import { log2Pi, logNormalCdf, normalCdf, normalDensity, normalQuantile, scaledErfc } from '../../analysis/normal.js'
import type { Random } from '../../core/seed.js'
import { factorize } from './cholesky.js'
import { GaussianProcess, type Hyperparameters, type Points } from './process.js'

/** What a point is ranked by: the larger, the better; its slope is added to `gradient` if there is one. */
export type Acquisition = (point: Float64Array, gradient?: Float64Array) => number

/** Added to every variance, so that a point that is known has a logarithm. */
const leastVariance = 1e-12

/** ln E[max(0, z + ε)] for a standard normal ε: ln(zΦ(z) + φ(z)), also far in the tail (Ament et al. 2023, eq. 9). */
export function logGain(z: number): number {
  if (z > -10) return log(z * normalCdf(z) + normalDensity(z))
  // φ(z) (1 + z Φ(z)/φ(z)), with Φ(z)/φ(z) = √(π/2) erfcx(−z/√2), whose difference from 1 is 1/z² − 3/z⁴ + …
  const inverse = 1 / (z * z)
  const rest =
    z > -50
      ? 1 + z * Math.sqrt(Math.PI / 2) * scaledErfc(-z * Math.SQRT1_2)
      : inverse * (1 - inverse * (3 - inverse * (15 - 105 * inverse)))
  return -0.5 * z * z - 0.5 * log2Pi + log(rest)
}

/** Values that pending trials may have, drawn together, many times. */
const fantasies = 64

/**
 * ln of the expected improvement over the best value (largest is best), the mean over what pending trials may turn out
 * to be: their values are drawn jointly from the process, which then knows them (Snoek et al. 2012).
 */
export function logExpectedImprovement(
  known: GaussianProcess,
  values: Float64Array,
  best: number,
  pending: readonly Float64Array[],
  random: Random,
): Acquisition {
  const draws = pending.length === 0 ? [new Float64Array(0)] : drawJointly(known, pending, random)
  const process = pending.length === 0 ? known : withPending(known, values, pending)
  const n = known.points.rows.length
  // The mean is linear in the values that were drawn: weights of what is known, and of each draw's values.
  const perPending = pending.map((_, r) =>
    process.solve(Float64Array.from({ length: n + pending.length }, (_, i) => (i === n + r ? 1 : 0))),
  )
  const bests = draws.map((draw) => draw.reduce((most, value) => Math.max(most, value), best))
  return (point, gradient) => {
    const covariances = process.covariances(point)
    const { mean, variance } = process.predict(covariances)
    const deviation = Math.sqrt(variance + leastVariance)
    const shares = perPending.map((weights) => weights.reduce((sum, weight, i) => sum + weight * covariances[i]!, 0))
    const gains = draws.map((draw, s) => {
      let shifted = mean
      for (let r = 0; r < shares.length; r++) shifted += shares[r]! * draw[r]!
      const z = (shifted - bests[s]!) / deviation
      return { z, logGain: logGain(z) }
    })
    const largest = gains.reduce((most, gain) => Math.max(most, gain.logGain), -Infinity)
    const total = gains.reduce((sum, gain) => sum + exp(gain.logGain - largest), 0)
    if (gradient !== undefined) {
      // ∂ ln(σ h(z)) = (Φ(z) ∂μ + φ(z) ∂σ) / (σ h(z)), h' = Φ, weighted by each draw's share of the mean.
      let [onMean, onDeviation] = [0, 0]
      const onPending = new Float64Array(shares.length)
      gains.forEach(({ z, logGain: gain }, s) => {
        const share = exp(gain - largest) / total / deviation
        const slope = share * exp(logNormalCdf(z) - gain)
        onMean += slope
        onDeviation += share * exp(-0.5 * z * z - 0.5 * log2Pi - gain)
        for (let r = 0; r < shares.length; r++) onPending[r]! += slope * draws[s]![r]!
      })
      const weights = process.weights.map((weight) => onMean * weight)
      onPending.forEach((slope, r) => {
        for (let i = 0; i < weights.length; i++) weights[i]! += slope * perPending[r]![i]!
      })
      addDeviationSlope(process, covariances, onDeviation / deviation, weights)
      process.addCovarianceSlope(point, weights, gradient)
    }
    return largest + log(total / draws.length) + log(deviation)
  }
}

/** ln of the probability that the function is at most `limit`. */
export function logProbabilityBelow(process: GaussianProcess, limit: number): Acquisition {
  return (point, gradient) => {
    const covariances = process.covariances(point)
    const { mean, variance } = process.predict(covariances)
    const deviation = Math.sqrt(variance + leastVariance)
    const z = (limit - mean) / deviation
    const value = logNormalCdf(z)
    if (gradient !== undefined) {
      const ratio = exp(-0.5 * z * z - 0.5 * log2Pi - value) / deviation
      const weights = process.weights.map((weight) => -ratio * weight)
      addDeviationSlope(process, covariances, (-ratio * z) / deviation, weights)
      process.addCovarianceSlope(point, weights, gradient)
    }
    return value
  }
}

/** σ² = variance − kᵀK⁻¹k, so that σ ∂σ = −(K⁻¹k)ᵀ ∂k: adds that times `factor` = (∂/∂σ) / σ. */
function addDeviationSlope(
  process: GaussianProcess,
  covariances: Float64Array,
  factor: number,
  weights: Float64Array,
): void {
  const solved = process.solve(covariances)
  for (let i = 0; i < weights.length; i++) weights[i]! -= factor * solved[i]!
}

function drawJointly(known: GaussianProcess, pending: readonly Float64Array[], random: Random): Float64Array[] {
  const q = pending.length
  const means = pending.map((point) => known.predict(known.covariances(point)).mean)
  const factor = new Float64Array(q * q)
  for (let i = 0; i < q; i++)
    for (let j = 0; j <= i; j++)
      factor[i * q + j] =
        known.posteriorCovariance(pending[i]!, pending[j]!) + (i === j ? jitterOf(known.hyperparameters) : 0)
  if (!factorize(factor, q)) throw new RangeError(`covariance of ${q} pending points: not positive definite`)
  return Array.from({ length: fantasies }, () => {
    const normals = pending.map(() => normalQuantile(random.uniform() || 2 ** -54))
    return Float64Array.from(means, (mean, i) => {
      let value = mean
      for (let k = 0; k <= i; k++) value += factor[i * q + k]! * normals[k]!
      return value
    })
  })
}

/** The process that also knows the pending points, of values 0. */
function withPending(known: GaussianProcess, values: Float64Array, pending: readonly Float64Array[]): GaussianProcess {
  const { points, hyperparameters } = known
  const all: Points = { ...points, rows: [...points.rows, ...pending] }
  const n = points.rows.length
  const noises = Float64Array.from(all.rows, (_, i) => (i < n ? hyperparameters.noise : jitterOf(hyperparameters)))
  return new GaussianProcess(
    all,
    Float64Array.from(all.rows, (_, i) => values[i] ?? 0),
    hyperparameters,
    noises,
  )
}

/** Keeps matrices of points that lie close together positive definite. */
const jitterOf = ({ variance }: Hyperparameters): number => 1e-6 * variance
