import { Random } from '../core/seed.js'
import { sizeOf, type Net } from './net.js'

export interface DropoutLayer {
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
 * The masks of one layer for so many updates from the `first` on, `[updates, rows, ...layer.shape]`: each element 1/(1−rate)
 * with probability 1−rate, else 0 (inverted dropout, Srivastava et al. 2014). Fixed by seed, layer and update, so that
 * every engine drops the same.
 */
export function updateDropoutMasks(
  layer: DropoutLayer,
  seed: number,
  first: number,
  rows: number,
  updates = 1,
): Float32Array {
  const size = rows * sizeOf(layer.shape)
  const masks = new Float32Array(updates * size)
  for (let i = 0; i < updates; i++)
    fill(masks.subarray(i * size, (i + 1) * size), layer, new Random(seed, 'dropout', layer.index, first + i))
  return masks
}

/**
 * The masks of one layer for rows measured with dropout on, `[rows, ...layer.shape]`. Fixed by seed, layer and the row's
 * position in the order, so that a loss, its gradient and its curvature are of one and the same function.
 */
export function rowDropoutMasks(layer: DropoutLayer, seed: number, first: number, rows: number): Float32Array {
  const size = sizeOf(layer.shape)
  const masks = new Float32Array(rows * size)
  for (let i = 0; i < rows; i++)
    fill(masks.subarray(i * size, (i + 1) * size), layer, new Random(seed, 'row dropout', layer.index, first + i))
  return masks
}

function fill(mask: Float32Array, { rate }: DropoutLayer, random: Random): void {
  const kept = 1 / (1 - rate)
  const threshold = rate * 4294967296
  for (let i = 0; i < mask.length; i++) mask[i] = random.uint32() < threshold ? 0 : kept
}
