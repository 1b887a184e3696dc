import type * as tf from '@tensorflow/tfjs-core'
import { LoweringError } from '../../../core/errors.js'
import { elementwise, product } from './elementwise.js'
import { activated, multiples, positives, raise, raised } from './known-values.js'
import { affineOf, gemm } from './matrix.js'
import { channelsFirstLater, channelsFirstSymbol, graph, register, tracer } from './tracing.js'

/** How ReLUs, leaky or not, and their gradients become ONNX operations. */

register('Relu', ({ x }) => {
  const y = elementwise([x!], x!.dtype, (names) => graph().op('Relu', names))
  activated.set(x!.dataId, y)
  return y
})
register('LeakyRelu', ({ x }, { alpha }) => {
  const y = leakyRelu(x!, alpha as number)
  activated.set(x!.dataId, y)
  return y
})

function leakyRelu(x: tf.TensorInfo, alpha: number): tf.TensorInfo {
  const lower = ([name]: string[]): string => graph().op('LeakyRelu', [name!], { alpha: { float: alpha } })
  if (tracer.floatType === 'float64') {
    // The runtime's own is for float32 alone.
    return elementwise([x], x.dtype, ([name]) => {
      const scaled = graph().op('Mul', [name!, graph().scalar(alpha, 'float64')])
      return graph().op('Where', [graph().op('Greater', [name!, zero()]), name!, scaled])
    })
  }
  const affine = affineOf(x)
  // Wide layers gain nothing: their time goes into the products, and the runtime's quickest ones do not scale.
  if (affine?.channelsFirst !== true) return elementwise([x], x.dtype, lower)
  const above = lower([gemm(affine, raise)])
  const y = channelsFirstLater(x.shape, () => graph().op('Mul', [above, graph().scalar(1 / raise)]))
  raised.set(y.dataId, channelsFirstSymbol(above, x.shape))
  return y
}

const zero = (): string => graph().scalar(0, tracer.floatType)

/** Large enough that any positive number that is not subnormal, times it, is at least one. */
export const huge = { float32: 3e38, float64: 1e308 } as const

/** 1 where x is positive and `least` elsewhere. Comparing and choosing would take the runtime five times as long. */
function slopeOf(x: tf.TensorInfo, least: number): tf.TensorInfo {
  const y = activated.get(x.dataId) ?? x
  const float = tracer.floatType
  if (least === 0 && float === 'float32') {
    const attributes = { alpha: { float: huge[float] }, beta: { float: 0 } }
    return elementwise([y], 'float32', (names) => graph().op('HardSigmoid', names, attributes))
  }
  const above = raised.get(y.dataId)
  return elementwise([above ?? y], 'float32', ([name]) => {
    const large = above === undefined ? graph().op('Mul', [name!, graph().scalar(huge[float], float)]) : name!
    return graph().op('Clip', [large, graph().scalar(least, float), graph().scalar(1, float)])
  })
}

register('Step', ({ x }, { alpha }) => {
  if (alpha !== undefined && alpha !== 0)
    throw new LoweringError('Step', undefined, ` with a slope of ${alpha as number}`)
  return slopeOf(x!, 0)
})
register('Select', ({ condition, t, e }) => {
  const [x, multiple] = [positives.get(condition!.dataId), multiples.get(e!.dataId)]
  // The gradient of a leaky ReLU: all of it where x is positive, else a part.
  if (x !== undefined && multiple?.of.dataId === t!.dataId && multiple.factor >= 0 && multiple.factor <= 1)
    return elementwise([t!, slopeOf(x, multiple.factor)], t!.dtype, product)
  return elementwise([condition!, t!, e!], t!.dtype, (names) => graph().op('Where', names))
})
