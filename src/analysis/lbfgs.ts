import { addScaled, dot, norm } from './vectors.js'
import type { Slope } from './critical-point.js'

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
  const pairs: Pair[] = []
  for (let step = 1; step <= steps && norm(slope.gradient) > threshold; step++) {
    const direction = descent(slope.gradient, pairs)
    const promised = dot(direction, slope.gradient)
    // Without curvature to go by, the first step is at most of length 1.
    let length = pairs.length === 0 ? Math.min(1, 1 / norm(slope.gradient)) : 1
    let next = addScaled(point, direction, length)
    let there = await slopeAt(next)
    for (let halving = 0; !(there.loss <= slope.loss + 1e-4 * length * promised) && halving < 30; halving++) {
      length /= 2
      next = addScaled(point, direction, length)
      there = await slopeAt(next)
    }
    if (!(there.loss < slope.loss)) break
    const moved = addScaled(next, point, -1)
    const changed = addScaled(there.gradient, slope.gradient, -1)
    const curvature = dot(moved, changed)
    if (curvature > 1e-12 * norm(moved) * norm(changed)) pairs.push({ moved, changed, curvature })
    if (pairs.length > memory) pairs.shift()
    ;[point, slope] = [next, there]
    await onStep?.(step, point, slope)
  }
  return { point, slope }
}

interface Pair {
  readonly moved: Float64Array
  readonly changed: Float64Array
  readonly curvature: number
}

/** −H∇L, with the inverse Hessian H as the pairs tell it. */
function descent(gradient: Float64Array, pairs: readonly Pair[]): Float64Array {
  let q: Float64Array = Float64Array.from(gradient)
  const weights: number[] = []
  for (const { moved, changed, curvature } of [...pairs].reverse()) {
    const weight = dot(moved, q) / curvature
    weights.unshift(weight)
    q = addScaled(q, changed, -weight)
  }
  const last = pairs.at(-1)
  if (last !== undefined) q = q.map((value) => (value * last.curvature) / dot(last.changed, last.changed))
  pairs.forEach(({ moved, changed, curvature }, i) => {
    q = addScaled(q, moved, weights[i]! - dot(changed, q) / curvature)
  })
  return q.map((value) => -value)
}
