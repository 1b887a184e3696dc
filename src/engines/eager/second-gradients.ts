import * as tf from '@tensorflow/tfjs-core'
// First the gradients that come with tfjs, so that those below replace them.
import '@tensorflow/tfjs-layers'

/**
 * Gradients that can themselves be differentiated. tfjs's own for these operations keep the operation's output, which
 * its tape holds for a constant: a second derivative would silently lack a term. These keep the input and compute the
 * output again; the compiled engine's graph recognises the equal operation, so there it costs nothing.
 */
function replace(kernelName: string, input: string, gradient: (dy: tf.Tensor, x: tf.Tensor) => tf.Tensor): void {
  tf.registerGradient({
    kernelName,
    inputsToSave: [input],
    gradFunc: (dy, saved) => ({ [input]: () => gradient(dy as tf.Tensor, saved[0]!) }),
  })
}
replace(tf.Tanh, 'x', (dy, x) => tf.mul(tf.sub(tf.scalar(1), tf.square(tf.tanh(x))), dy))
replace(tf.Sigmoid, 'x', (dy, x) => {
  const y = tf.sigmoid(x)
  return tf.mul(dy, tf.mul(y, tf.sub(tf.scalar(1), y)))
})
replace(tf.Exp, 'x', (dy, x) => tf.mul(dy, tf.exp(x)))
replace(tf.Softmax, 'logits', (dy, x) => {
  const y = tf.softmax(x)
  const weighted = tf.mul(dy, y)
  return tf.sub(weighted, tf.mul(tf.sum(weighted, [-1], true), y))
})

/** Steps and comparisons are flat wherever they are defined. */
for (const kernelName of [tf.Greater, tf.GreaterEqual, tf.Less, tf.LessEqual, tf.Equal]) {
  tf.registerGradient({
    kernelName,
    inputsToSave: ['a', 'b'],
    gradFunc: (_, saved) => ({ a: () => tf.zerosLike(saved[0]!), b: () => tf.zerosLike(saved[1]!) }),
  })
}
tf.registerGradient({
  kernelName: tf.LogicalNot,
  inputsToSave: ['x'],
  gradFunc: (_, saved) => ({ x: () => tf.cast(tf.zerosLike(saved[0]!), 'float32') }),
})

/** The kernel's gradient is linear in the images and in `dy`, so both derivatives are convolutions again. */
tf.registerGradient({
  kernelName: tf.Conv2DBackpropFilter,
  inputsToSave: ['x', 'dy'],
  gradFunc: (ddKernel, saved, attributes) => {
    const [x, dy] = saved as [tf.Tensor4D, tf.Tensor4D]
    const { strides, pad } = attributes as unknown as tf.Conv2DBackpropFilterAttrs
    const kernel = ddKernel as tf.Tensor4D
    return {
      x: () =>
        tf.engine().runKernel<tf.Tensor>(tf.Conv2DBackpropInput, { dy, filter: kernel }, {
          strides,
          pad,
          dataFormat: 'NHWC',
          dimRoundingMode: undefined,
          inputShape: x.shape,
        } as never),
      dy: () => tf.conv2d(x, kernel, strides, pad),
    }
  },
})

/**
 * Where windows do not overlap, max pooling's gradient puts each window's `dy` at the window's maximum; its own
 * derivative picks what lies there, the mean over a window of what one 1 lets through, times the window's area.
 */
tf.registerGradient({
  kernelName: tf.MaxPoolGrad,
  inputsToSave: ['dy', 'input', 'output'],
  gradFunc: (ddx, saved, attributes) => {
    const [dy, x, y] = saved as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D]
    const { filterSize, strides, pad } = attributes as unknown as tf.MaxPoolGradAttrs
    const [height, width] = pairOf(filterSize)
    if (pairOf(strides).some((stride, i) => stride < [height, width][i]!))
      throw new Error('gradient function not found for MaxPoolGrad with overlapping windows')
    return {
      dy: () => {
        const maxima = tf
          .engine()
          .runKernel<tf.Tensor4D>(tf.MaxPoolGrad, { dy: tf.onesLike(dy), input: x, output: y }, attributes)
        const picked = tf.avgPool(
          tf.mul<tf.Tensor4D>(ddx as tf.Tensor4D, maxima),
          [height, width],
          pairOf(strides),
          pad,
        )
        return tf.mul(picked, height * width)
      },
      input: () => tf.zerosLike(x),
      output: () => tf.zerosLike(y),
    }
  },
})

/** Averaging is linear: its gradient's derivative is averaging. */
tf.registerGradient({
  kernelName: tf.AvgPoolGrad,
  inputsToSave: ['input'],
  gradFunc: (ddx, saved, attributes) => {
    const { filterSize, strides, pad } = attributes as unknown as tf.AvgPoolGradAttrs
    return {
      dy: () => tf.avgPool<tf.Tensor4D>(ddx as tf.Tensor4D, filterSize, strides, pad),
      input: () => tf.zerosLike(saved[0]!),
    }
  },
})

const pairOf = (value: number | readonly number[]): [number, number] =>
  typeof value === 'number' ? [value, value] : (value as [number, number])

/** log softmax along the last axis, by log-sum-exp, twice differentiable. */
function logSoftmax(logits: tf.Tensor): tf.Tensor {
  return tf.customGrad((...given) => {
    const [x, save] = given as unknown as [tf.Tensor, tf.GradSaveFunc]
    save([x])
    const gradFunc = (dy: tf.Tensor, [saved]: tf.Tensor[]): tf.Tensor =>
      tf.sub(dy, tf.mul(tf.sum(dy, -1, true), tf.exp(logSoftmax(saved!))))
    return { value: logSoftmaxOf(x), gradFunc }
  })(logits)
}

function logSoftmaxOf(x: tf.Tensor): tf.Tensor {
  if (tf.getKernel(tf.LogSoftmax, tf.getBackend()) !== undefined)
    return tf.engine().runKernel(tf.LogSoftmax, { logits: x }, { axis: x.rank - 1 })
  const shifted = tf.sub(x, tf.max(x, -1, true))
  return tf.sub(shifted, tf.log(tf.sum(tf.exp(shifted), -1, true)))
}

/**
 * −log softmax(logits) at the classes that `oneHot` marks, both `[batch, classes]`: of each row, `[batch]`, or summed
 * over all. Its gradient is softmax − oneHot, and twice differentiable.
 */
export function crossEntropy(logits: tf.Tensor, oneHot: tf.Tensor, of: 'rows' | 'all'): tf.Tensor {
  return tf.customGrad((...given) => {
    const [x, marked, save] = given as unknown as [tf.Tensor, tf.Tensor, tf.GradSaveFunc]
    save([x, marked])
    const chosen = tf.mul(logSoftmaxOf(x), marked)
    const gradFunc = (dy: tf.Tensor, [savedX, savedMarked]: tf.Tensor[]): tf.Tensor[] => [
      tf.mul(tf.sub(tf.exp(logSoftmax(savedX!)), savedMarked!), tf.reshape(dy, [-1, 1])),
      tf.zerosLike(savedMarked!),
    ]
    return { value: tf.mul(of === 'all' ? tf.sum(chosen) : tf.sum(chosen, -1), -1), gradFunc }
  })(logits, oneHot)
}
