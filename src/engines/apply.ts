import * as tf from '@tensorflow/tfjs-core'
import type { Activation, Layer, Net } from '../net/net.js'
import { crossEntropy } from './eager/second-gradients.js'
import type { Loss } from '../net/training-spec.js'

/** What each layer computes, once for all engines: traced by the compiled one, run as it stands by the others. */

export interface ApplyOptions {
  /**
   * Masks of the dropout layers in order, each `[batch, ...shape]` of 0 or 1/(1−rate); without them dropout is off.
   */
  readonly dropoutMasks?: readonly tf.Tensor[]
  /** Told which layer is being applied, for errors. */
  readonly onLayer?: (layer: string) => void
}

/** The net's outputs for a batch: `[batch, ...net.inputShape]` → `[batch, ...net.outputShape]`. */
export function applyNet(
  net: Net,
  parameters: readonly tf.Tensor[],
  batch: tf.Tensor,
  options: ApplyOptions = {},
): tf.Tensor {
  const masks = [...(options.dropoutMasks ?? [])]
  return net.layers.reduce((value, layer, index) => {
    options.onLayer?.(`layer ${index} (${layer.kind})`)
    const own = parameters.filter((_, i) => net.parameters[i]!.layer === index)
    return applyLayer(layer, own, value, masks)
  }, batch)
}

/** The layer whose weights come first; what lies before it has none. */
export function firstWeightedLayer(net: Net): number {
  return net.parameters[0]!.layer
}

/** The net up to its first weights, without their activation: linear in those weights. */
export function untilFirstWeights(net: Net, parameters: readonly tf.Tensor[], batch: tf.Tensor): tf.Tensor {
  const first = firstWeightedLayer(net)
  const own = parameters.filter((_, i) => net.parameters[i]!.layer === first)
  const value = net.layers.slice(0, first).reduce((v, layer) => applyLayer(layer, [], v, []), batch)
  return applyLayer({ ...net.layers[first]!, activation: 'linear' } as Layer, own, value, [])
}

/** The rest of the net, from the first weights' activation on; `parameters` are those of the later layers. */
export function afterFirstWeights(
  net: Net,
  parameters: readonly tf.Tensor[],
  value: tf.Tensor,
  onLayer: (layer: string) => void = () => {},
): tf.Tensor {
  const first = firstWeightedLayer(net)
  const later = net.parameters.filter(({ layer }) => layer > first)
  const { activation } = net.layers[first] as { activation?: Activation }
  return net.layers.slice(first + 1).reduce(
    (v, layer, i) => {
      const index = first + 1 + i
      onLayer(`layer ${index} (${layer.kind})`)
      const own = parameters.filter((_, k) => later[k]!.layer === index)
      return applyLayer(layer, own, v, [])
    },
    activate(value, activation),
  )
}

function applyLayer(
  layer: Layer,
  [kernel, bias]: readonly tf.Tensor[],
  value: tf.Tensor,
  masks: tf.Tensor[],
): tf.Tensor {
  switch (layer.kind) {
    case 'dense':
      return activate(plus(tf.matMul(value, kernel!), bias), layer.activation)
    case 'conv2d':
      return activate(
        plus(tf.conv2d(value as tf.Tensor4D, kernel as tf.Tensor4D, layer.stride ?? 1, layer.padding ?? 'valid'), bias),
        layer.activation,
      )
    case 'max-pool':
      return tf.maxPool(value as tf.Tensor4D, layer.size, layer.stride ?? layer.size, 'valid')
    case 'average-pool':
      return tf.avgPool(value as tf.Tensor4D, layer.size, layer.stride ?? layer.size, 'valid')
    case 'flatten':
      return value.rank === 2 ? value : tf.reshape(value, [value.shape[0], -1])
    case 'dropout': {
      const mask = layer.rate === 0 ? undefined : masks.shift()
      return mask === undefined ? value : tf.mul(value, mask)
    }
    case 'activation':
      return activate(value, layer.activation)
  }
}

const plus = (value: tf.Tensor, bias: tf.Tensor | undefined): tf.Tensor =>
  bias === undefined ? value : tf.add(value, bias)

function activate(value: tf.Tensor, activation: Activation = 'linear'): tf.Tensor {
  switch (activation) {
    case 'linear':
      return value
    case 'relu':
      return tf.relu(value)
    case 'tanh':
      return tf.tanh(value)
    case 'sigmoid':
      return tf.sigmoid(value)
    case 'softmax':
      return tf.softmax(value)
    default:
      return tf.leakyRelu(value, activation.leakyRelu)
  }
}

/**
 * Loss of each row, `[batch]`: the squared error averaged over the outputs, or −log softmax(logits)[class] by
 * log-sum-exp, which has no floor (Keras clips probabilities at 1e-7, and so its loss at 1.6e-7).
 */
export function lossPerRow(loss: Loss, outputs: tf.Tensor, targets: tf.Tensor): tf.Tensor1D {
  if (loss === 'mean-squared-error') return tf.mean(tf.squaredDifference(outputs, targets), -1)
  return crossEntropy(outputs, oneHot(targets, outputs.shape[1]!), 'rows') as tf.Tensor1D
}

function oneHot(classesOfRows: tf.Tensor, classes: number): tf.Tensor {
  const column = tf.reshape(classesOfRows, [-1, 1])
  return tf.cast(
    tf.equal(
      column,
      tf.tensor2d(
        Array.from({ length: classes }, (_, i) => i),
        [1, classes],
        'int32',
      ),
    ),
    'float32',
  )
}

/** 1 where the largest output is the row's class (the first of equal ones), else 0; `[batch]`. */
export function correctPerRow(outputs: tf.Tensor, targets: tf.Tensor): tf.Tensor1D {
  return tf.cast(tf.equal(tf.argMax(outputs, 1), targets), 'float32')
}

/** Mean loss over the rows of a batch. */
export function meanLoss(loss: Loss, outputs: tf.Tensor, targets: tf.Tensor): tf.Scalar {
  const [sum, count] =
    loss === 'mean-squared-error'
      ? [tf.sum(tf.squaredDifference(outputs, targets)), outputs.size]
      : [crossEntropy(outputs, oneHot(targets, outputs.shape[1]!), 'all'), outputs.shape[0]]
  return tf.mul(sum, 1 / count)
}

/**
 * The loss, and the gradient of its own gradient's squared norm, ∇‖∇L‖² = 2H∇L, by differentiating twice; `onGradient`
 * is shown ∇L.
 */
export function squaredGradientNorm(
  lossOf: (...parameters: tf.Tensor[]) => tf.Scalar,
  parameters: tf.Tensor[],
  onGradient: (gradient: readonly tf.Tensor[]) => void,
): { value: tf.Scalar; grads: tf.Tensor[] } {
  let loss: tf.Scalar | undefined
  const { grads } = tf.valueAndGrads((...current: tf.Tensor[]) => {
    const inner = tf.valueAndGrads(lossOf)(current)
    loss = tf.keep(inner.value)
    onGradient(inner.grads)
    return sumOf(inner.grads.map((part) => tf.sum(tf.square(part))))
  })(parameters)
  return { value: loss!, grads }
}

/** The loss's gradient g, and the gradient of g·v with respect to the parameters: the Hessian times v (Pearlmutter 1994). */
export function hessianProduct(
  lossOf: (...parameters: tf.Tensor[]) => tf.Scalar,
  parameters: tf.Tensor[],
  vector: readonly tf.Tensor[],
  onLoss: (loss: tf.Scalar, gradient: readonly tf.Tensor[]) => void,
): tf.Tensor[] {
  return tf.grads((...current: tf.Tensor[]) => {
    const { value, grads } = tf.valueAndGrads(lossOf)(current)
    onLoss(value, grads)
    return sumOf(grads.map((part, i) => tf.sum(tf.mul(part, vector[i]!))))
  })(parameters)
}

const sumOf = (terms: readonly tf.Tensor[]): tf.Scalar => terms.reduce((a, b) => tf.add(a, b)) as tf.Scalar
