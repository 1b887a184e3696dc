import type { Slope } from '../../analysis/critical-point.js'
import { CurvaturePairs } from '../../analysis/curvature-pairs.js'
import { addScaled, dot, norm } from '../../analysis/vectors.js'

export interface MinimizeOptions {
  /** Ends of each coordinate. */
  readonly low: ArrayLike<number>
  readonly high: ArrayLike<number>
  readonly steps: number
  /** Ends once no coordinate that is free to move has a larger slope. */
  readonly tolerance: number
}

const memory = 10

/**
 * Minimises a smooth function in a box: L-BFGS (Nocedal 1980) over the coordinates that are not held by an end, each step
 * projected onto the box and halved until the loss falls by 10⁻⁴ of what the slope promises (Bertsekas 1982).
 */
export function minimizeInBox(
  slopeAt: (point: Float64Array) => Slope,
  start: ArrayLike<number>,
  { low, high, steps, tolerance }: MinimizeOptions,
): { point: Float64Array; slope: Slope } {
  const project = (point: Float64Array): Float64Array =>
    point.map((value, k) => Math.max(low[k]!, Math.min(high[k]!, value)))
  let point = project(Float64Array.from(start))
  let slope = slopeAt(point)
  const pairs = new CurvaturePairs(memory)
  for (let step = 0; step < steps; step++) {
    const { gradient } = slope
    const isFree = (k: number): boolean => (gradient[k]! > 0 ? point[k]! > low[k]! : point[k]! < high[k]!)
    const free = gradient.map((value, k) => (isFree(k) ? value : 0))
    if (!free.some((value) => Math.abs(value) > tolerance)) break
    let direction = pairs.descent(free).map((value, k) => (isFree(k) ? value : 0))
    if (!(dot(direction, free) < 0)) direction = free.map((value) => -value)
    const next = search(slopeAt, point, slope, direction, pairs.isEmpty ? Math.min(1, 1 / norm(free)) : 1, project)
    if (next === undefined) break
    pairs.add(addScaled(next.point, point, -1), addScaled(next.slope.gradient, gradient, -1))
    const gain = slope.loss - next.slope.loss
    ;({ point, slope } = next)
    // As L-BFGS-B ends (its factr): the loss moves in its last digits only.
    if (gain < 2.2e-9 * Math.max(1, Math.abs(slope.loss))) break
  }
  return { point, slope }
}

/** The first point on the way that is low enough; `undefined` where none is lower. */
function search(
  slopeAt: (point: Float64Array) => Slope,
  point: Float64Array,
  slope: Slope,
  direction: Float64Array,
  first: number,
  project: (point: Float64Array) => Float64Array,
): { point: Float64Array; slope: Slope } | undefined {
  let length = first
  for (let halving = 0; halving < 20; halving++, length /= 2) {
    const next = project(addScaled(point, direction, length))
    const there = slopeAt(next)
    const promised = dot(slope.gradient, addScaled(next, point, -1))
    if (there.loss <= slope.loss + 1e-4 * promised && there.loss < slope.loss) return { point: next, slope: there }
  }
  return undefined
}
