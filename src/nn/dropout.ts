import { Random } from '../seed.js'
import type { Net } from './net.js'

interface DropoutLayer {
  readonly index: number
  readonly rate: number
  /** Shape of what it acts on, without the batch. */
  readonly shape: readonly number[]
}

/** The net's dropout layers that drop anything, in order. */
export function dropoutLayers(net: Net): DropoutLayer[] {
  return net.layers.flatMap((layer, index) =>
    layer.kind === 'dropout' && layer.rate > 0 ? [{ index, rate: layer.rate, shape: net.shapes[index]! }] : [],
  )
}

/**
 * Writes the mask of one layer for one update: each element 1/(1−rate) with probability 1−rate, else 0 (inverted
 * dropout, Srivastava et al. 2014). Fixed by seed, layer and update, so that every engine drops the same.
 */
export function fillDropoutMask(mask: Float32Array, layer: DropoutLayer, seed: number, update: number): void {
  const random = new Random(seed, 'dropout', layer.index, update)
  const kept = 1 / (1 - layer.rate)
  const threshold = layer.rate * 4294967296
  for (let i = 0; i < mask.length; i++) mask[i] = random.uint32() < threshold ? 0 : kept
}
