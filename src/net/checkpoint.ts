import { DataError } from '../core/errors.js'
import type { Net } from './net.js'
import { encodeTensors, openTensors } from './tensors.js'

/** Weights as a safetensors file, named `layer0/kernel` …, so that other tools read them. */
export function encodeCheckpoint(
  net: Net,
  parameters: Float32Array,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const tensors = net.parameters.map(({ name, shape, offset, size }) => ({
    ...{ name, shape },
    data: parameters.subarray(offset, offset + size),
  }))
  return encodeTensors(tensors, metadata)
}

/**
 * The flat weights of a checkpoint of this net, `[net.parameterCount]`.
 * @throws DataError when the file is not a checkpoint, is cut short, or belongs to another net.
 */
export function decodeCheckpoint(net: Net, bytes: Uint8Array): Float32Array {
  const file = openTensors(bytes)
  const parameters = new Float32Array(net.parameterCount)
  for (const { name, shape, offset } of net.parameters) {
    const entry = file.entry(name)
    if (entry === undefined) throw new DataError(`the checkpoint lacks ${name}`)
    if (entry.dtype !== 'F32' || entry.shape.join() !== shape.join()) {
      throw new DataError(
        `the checkpoint's ${name} is ${entry.dtype} [${entry.shape.join(', ')}] (the net's is F32 [${shape.join(', ')}])`,
      )
    }
    parameters.set(file.read(name), offset)
  }
  return parameters
}
