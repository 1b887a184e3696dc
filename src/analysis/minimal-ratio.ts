import { addScaled } from './vectors.js'
import { maxOf } from '../core/extremes.js'
import type { Random } from '../core/seed.js'

/** How near a point is to a minimum, in the two senses of the course (HW1-2). */

export interface EigenvalueCounts {
  readonly positive: number
  readonly zero: number
  readonly negative: number
  /** positive / n: eigenvalues above the tolerance among all. */
  readonly ofAll: number
  /** positive / (positive + negative); NaN when all are zero. */
  readonly ofSigned: number
}

/**
 * Counts eigenvalues by sign, those with |λ| ≤ tolerance · max|λ| as zero. With a tolerance of 0 rounding decides the
 * sign of what is truly zero, and a net's Hessian has much of that.
 */
export function countEigenvalues(values: ArrayLike<number>, tolerance: number): EigenvalueCounts {
  const all = Array.from(values)
  const bound = tolerance * Math.max(0, maxOf(all.map(Math.abs)))
  const positive = all.filter((value) => value > bound).length
  const negative = all.filter((value) => value < -bound).length
  const zero = all.length - positive - negative
  return { positive, zero, negative, ofAll: positive / all.length, ofSigned: positive / (positive + negative) }
}

/**
 * Share of `samples` neighbours θ + N(0, std²) whose loss is strictly above that of θ (min_ratio.py); a multiple of
 * 1/samples.
 */
export async function sampledRatio(
  lossAt: (parameters: Float64Array) => Promise<number>,
  parameters: ArrayLike<number>,
  { std, samples, random }: { std: number; samples: number; random: Random },
): Promise<number> {
  const centre = await lossAt(Float64Array.from(parameters))
  let above = 0
  for (let i = 0; i < samples; i++) {
    const noise = Float64Array.from(parameters, () => random.normal())
    if ((await lossAt(addScaled(parameters, noise, std))) > centre) above++
  }
  return above / samples
}
