import * as tf from '@tensorflow/tfjs-core'
import { sizeOf, type Net } from '../../net/net.js'
import type { Loss } from '../../net/training-spec.js'
import type { Rows } from '../engine.js'

/** Rows and parameters as tensors of tfjs, and back. */

/** How many features a row has. */
export const rowSize = (net: Net): number => sizeOf(net.inputShape)
export const total = (tensor: tf.Tensor): number =>
  (tensor.dataSync() as Float32Array).reduce((sum, value) => sum + value, 0)

export function allRows(net: Net, features: Float32Array): Int32Array {
  return Int32Array.from({ length: features.length / rowSize(net) }, (_, i) => i)
}

export function gatherFeatures(net: Net, features: Float32Array, order: Int32Array): tf.Tensor {
  const size = rowSize(net)
  const gathered = new Float32Array(order.length * size)
  order.forEach((row, i) => gathered.set(features.subarray(row * size, (row + 1) * size), i * size))
  return tf.tensor(gathered, [order.length, ...net.inputShape])
}

export function gather(
  net: Net,
  loss: Loss,
  { features, targets }: Rows,
  order: Int32Array,
): { batch: tf.Tensor; targets: tf.Tensor } {
  const batch = gatherFeatures(net, features, order)
  if (loss === 'softmax-cross-entropy')
    return {
      batch,
      targets: tf.tensor1d(
        Int32Array.from(order, (row) => targets[row]!),
        'int32',
      ),
    }
  const width = sizeOf(net.outputShape)
  const gathered = new Float32Array(order.length * width)
  order.forEach((row, i) => gathered.set(targets.subarray(row * width, (row + 1) * width), i * width))
  return { batch, targets: tf.tensor(gathered, [order.length, ...net.outputShape]) }
}

/** The flat vector as tensors, one a parameter. */
export function split(net: Net, flat: Float32Array): tf.Tensor[] {
  return net.parameters.map(({ offset, size, shape }) => tf.tensor(flat.slice(offset, offset + size), [...shape]))
}

export function join(net: Net, tensors: readonly tf.Tensor[]): Float32Array {
  const flat = new Float32Array(net.parameterCount)
  net.parameters.forEach(({ offset }, i) => flat.set(tensors[i]!.dataSync(), offset))
  return flat
}

/** Lets other work and an abort in between two steps. */
export async function breathe(signal?: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  signal?.throwIfAborted()
}
