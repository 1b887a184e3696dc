import type { Random } from '../core/seed.js'
import { norm } from './vectors.js'

/** One weight tensor within the flat vector; its last dimension counts its filters (or units). */
export interface WeightTensor {
  readonly shape: readonly number[]
  readonly offset: number
  readonly size: number
}

/** A standard normal direction, `[length]`. */
export function randomDirection(length: number, random: Random): Float64Array {
  return Float64Array.from({ length }, () => random.normal())
}

/**
 * The direction with each filter scaled to the norm of the weights' own: d ← d/‖d‖ · ‖w‖ per filter (Li et al. 2018,
 * section 4). A filter is one slice of the last dimension; biases, which have but one dimension, are set to zero.
 */
export function filterNormalised(
  direction: ArrayLike<number>,
  weights: ArrayLike<number>,
  tensors: readonly WeightTensor[],
): Float64Array {
  const scaled = new Float64Array(weights.length)
  for (const { shape, offset, size } of tensors) {
    if (shape.length < 2) continue
    const filters = shape.at(-1)!
    for (let f = 0; f < filters; f++) {
      const indexes = Array.from({ length: size / filters }, (_, i) => offset + i * filters + f)
      const own = norm(indexes.map((i) => weights[i]!))
      const length = norm(indexes.map((i) => direction[i]!))
      for (const i of indexes) scaled[i] = length === 0 ? 0 : (direction[i]! * own) / length
    }
  }
  return scaled
}
