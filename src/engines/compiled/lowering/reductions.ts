import * as tf from '@tensorflow/tfjs-core'
import { cast } from './elementwise.js'
import { squared } from './known-values.js'
import { channelsFirstOf, graph, isChannelsFirst, nameOf, register, symbol } from './tracing.js'

/** How operations along an axis become ONNX's: sums, means and extremes, softmax, the place of the largest. */

register('Softmax', ({ logits }, { dim }) =>
  symbol(graph().op('Softmax', [nameOf(logits!)], { axis: dim as number }), logits!.shape),
)
register('LogSoftmax', ({ logits }, { axis }) =>
  symbol(graph().op('LogSoftmax', [nameOf(logits!)], { axis: axis as number }), logits!.shape),
)
register('ArgMax', ({ x }, { axis }) => {
  const at = axis as number
  const shape = x!.shape.filter((_, i) => i !== at)
  return symbol(cast(graph().op('ArgMax', [nameOf(x!)], { axis: at, keepdims: 0 }), 'int32'), shape, 'int32')
})

const reductions: Record<string, string> = { Sum: 'ReduceSum', Max: 'ReduceMax', Min: 'ReduceMin', Mean: 'ReduceMean' }
for (const [kernel, op] of Object.entries(reductions)) {
  register(kernel, ({ x }, attributes) => {
    const axes = tf.util.parseAxisParam(
      (attributes['axis'] ?? attributes['reductionIndices']) as number | number[],
      x!.shape,
    )
    const keep = Boolean(attributes['keepDims'])
    const shape = keep
      ? x!.shape.map((size, i) => (axes.includes(i) ? 1 : size))
      : x!.shape.filter((_, i) => !axes.includes(i))
    const reduce = (name: string, over: readonly number[]): string =>
      // Only ReduceSum takes its axes as an input in this version of the operators.
      op === 'ReduceSum'
        ? graph().op(op, [name, graph().integers(over)], { keepdims: keep ? 1 : 0 })
        : graph().op(op, [name], { axes: over, keepdims: keep ? 1 : 0 })
    if (!keep && axes.length === x!.shape.length) {
      const root = op === 'ReduceSum' ? squared.get(x!.dataId) : undefined
      const all = root ?? x!
      const name = isChannelsFirst(all) ? channelsFirstOf(all) : nameOf(all)
      const sum = root === undefined ? reduce(name, axes) : graph().op('ReduceSumSquare', [name], { keepdims: 0 })
      return symbol(sum, shape, x!.dtype)
    }
    // A bias's gradient sums over all but the channels, which lie first.
    if (!keep && isChannelsFirst(x!) && axes.length === x!.shape.length - 1 && !axes.includes(axes.length)) {
      const later = axes.map((axis) => axis + 1)
      return symbol(reduce(channelsFirstOf(x!), later), shape, x!.dtype)
    }
    return symbol(reduce(nameOf(x!), axes), shape, x!.dtype)
  })
}
