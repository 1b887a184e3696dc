import * as tf from '@tensorflow/tfjs-core'
import { sizeOf } from '../../../net/net.js'
import { plainProduct, productTurned } from './matrix.js'
import {
  channelsFirstLater,
  channelsFirstOf,
  constant,
  constantValues,
  graph,
  isChannelsFirst,
  nameOf,
  pixelsOf,
  planesOf,
  register,
  symbol,
  tracer,
} from './tracing.js'

/** How operations that fill, reshape, turn, repeat, cut and pad become ONNX's. */

const filled = (shape: number[], value: number, dtype: tf.DataType): tf.TensorInfo =>
  constant(
    dtype === 'int32' ? new Int32Array(sizeOf(shape)).fill(value) : new Float32Array(sizeOf(shape)).fill(value),
    shape,
    dtype,
  )
register('ZerosLike', ({ x }) => filled(x!.shape, 0, x!.dtype))
register('OnesLike', ({ x }) => filled(x!.shape, 1, x!.dtype))
register('Fill', (_, { shape, value, dtype }) =>
  filled(shape as number[], value as number, (dtype as tf.DataType | undefined) ?? 'float32'),
)

register('Reshape', ({ x }, { shape: wanted }) => {
  const shape = tf.util.inferFromImplicitShape(wanted as number[], sizeOf(x!.shape))
  const values = constantValues(x!)
  if (values !== undefined) return constant(values, shape, x!.dtype)
  // The gradient of every broadcast ends in one that changes nothing.
  if (shape.length === x!.shape.length && shape.every((size, i) => size === x!.shape[i])) return x!
  if (isChannelsFirst(x!) && x!.shape.length > 2 && shape.length === 2 && shape[0] === x!.shape[0])
    return channelsFirstLater(shape, () => pixelsOf(channelsFirstOf(x!), x!.shape))
  const product = plainProduct(x!)
  // A product's rows as images: it is computed the other way round.
  if (product !== undefined && shape.length > 2 && shape[0] === x!.shape[0])
    return channelsFirstLater(shape, () => planesOf(productTurned(product), shape))
  return symbol(graph().op('Reshape', [nameOf(x!), graph().integers(shape)]), shape, x!.dtype)
})
register('ExpandDims', ({ input }, { dim }) => {
  const shape = [...input!.shape]
  shape.splice((dim as number) < 0 ? shape.length + 1 + (dim as number) : (dim as number), 0, 1)
  return symbol(graph().op('Reshape', [nameOf(input!), graph().integers(shape)]), shape, input!.dtype)
})
register('Transpose', ({ x }, { perm }) => {
  const axes = perm as number[]
  return symbol(
    graph().op('Transpose', [nameOf(x!)], { perm: axes }),
    axes.map((axis) => x!.shape[axis]!),
    x!.dtype,
  )
})
register('Tile', ({ x }, { reps }) => {
  const shape = x!.shape.map((size, i) => size * (reps as number[])[i]!)
  return symbol(graph().op('Expand', [nameOf(x!), graph().integers(shape)]), shape, x!.dtype)
})
register('Slice', ({ x }, { begin, size }) => {
  const starts = begin as number[]
  const shape = (size as number[]).map((length, i) => (length < 0 ? x!.shape[i]! - starts[i]! : length))
  const ends = starts.map((start, i) => start + shape[i]!)
  const axes = starts.map((_, i) => i)
  return symbol(
    graph().op('Slice', [nameOf(x!), graph().integers(starts), graph().integers(ends), graph().integers(axes)]),
    shape,
    x!.dtype,
  )
})
register('PadV2', ({ x }, { paddings, constantValue }) => {
  const pairs = paddings as [number, number][]
  const shape = x!.shape.map((size, i) => size + pairs[i]![0] + pairs[i]![1])
  const pads = [...pairs.map(([before]) => before), ...pairs.map(([, after]) => after)]
  return symbol(
    graph().op('Pad', [nameOf(x!), graph().integers(pads), graph().scalar(constantValue as number, tracer.floatType)]),
    shape,
    x!.dtype,
  )
})
