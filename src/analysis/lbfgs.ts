import { addScaled, dot, norm } from './vectors.js'
import type { Slope } from './critical-point.js'
import { CurvaturePairs } from './curvature-pairs.js'

export interface LbfgsOptions {
  readonly steps: number
  /** Pairs of steps and gradient changes remembered; default 10. */
  readonly memory?: number
  /** Stops once the gradient's norm is at most this; default 0. */
  readonly threshold?: number
  readonly onStep?: (step: number, point: Float64Array, slope: Slope) => Promise<void>
}

/**
 * Minimises a smooth function by L-BFGS: the two-loop recursion of Nocedal (1980), a backtracking line search until the
 * loss falls by 10⁻⁴ of what the slope promises (Armijo 1966), pairs without positive curvature left out. Stops early
 * when no step helps.
 */
export async function lbfgs(
  slopeAt: (point: Float64Array) => Promise<Slope>,
  start: ArrayLike<number>,
  { steps, memory = 10, threshold = 0, onStep }: LbfgsOptions,
): Promise<{ point: Float64Array; slope: Slope }> {
  let point: Float64Array = Float64Array.from(start)
  let slope = await slopeAt(point)
  const pairs = new CurvaturePairs(memory)
  for (let step = 1; step <= steps && norm(slope.gradient) > threshold; step++) {
    const direction = pairs.descent(slope.gradient)
    const promised = dot(direction, slope.gradient)
    // Without curvature to go by, the first step is at most of length 1.
    let length = pairs.isEmpty ? Math.min(1, 1 / norm(slope.gradient)) : 1
    let next = addScaled(point, direction, length)
    let there = await slopeAt(next)
    for (let halving = 0; !(there.loss <= slope.loss + 1e-4 * length * promised) && halving < 30; halving++) {
      length /= 2
      next = addScaled(point, direction, length)
      there = await slopeAt(next)
    }
    if (!(there.loss < slope.loss)) break
    pairs.add(addScaled(next, point, -1), addScaled(there.gradient, slope.gradient, -1))
    ;[point, slope] = [next, there]
    await onStep?.(step, point, slope)
  }
  return { point, slope }
}
