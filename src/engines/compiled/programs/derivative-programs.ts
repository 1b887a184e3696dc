import * as tf from '@tensorflow/tfjs-core'
import { applyNet, hessianProduct, lossPerRow } from '../../apply.js'
import { dropoutLayers, type DropoutLayer } from '../../../net/dropout.js'
import { sizeOf, type Net } from '../../../net/net.js'
import { Graph } from '../lowering/onnx-graph.js'
import {
  buildScan,
  declareRows,
  gatherBatch,
  inputMasks,
  joinGradients,
  maskTensors,
  splitParameters,
  type FeatureStorage,
} from './loss-programs.js'
import { nameOf, tensorOf, symbol, trace } from '../lowering/tracing.js'
import type { Loss } from '../../../net/training-spec.js'

/** The compiled engine's programs for derivatives with respect to inputs, and second ones with respect to weights. */

/** Inputs as an evaluation's. Output: gradients `[chunks, rows, …net.inputShape]`, of each row's own loss. */
export function buildInputGradients(net: Net, loss: Loss, storage: FeatureStorage, rows: number): Uint8Array {
  return buildScan(net, loss, storage, rows, (body, parameters, batch, targets, apply) => {
    const gradient = tf.grad((x) => tf.sum(lossPerRow(loss, applyNet(net, parameters, x, apply), targets)))(batch)
    body.outputAs('row_gradient', nameOf(gradient), 'float32', [rows, ...net.inputShape])
    return { gradients: [rows, ...net.inputShape] }
  })
}

/** Inputs: features, parameters, indexes. Output: jacobians `[chunks, rows, outputs, features]`. */
export function buildInputJacobians(
  net: Net,
  of: 'logits' | 'probabilities',
  storage: FeatureStorage,
  rows: number,
): Uint8Array {
  const [outputs, features] = [sizeOf(net.outputShape), sizeOf(net.inputShape)]
  return buildScan(net, undefined, storage, rows, (body, parameters, batch, _targets, apply) => {
    const parts = Array.from({ length: outputs }, (_, k) => {
      const picked = tf.tensor1d(Array.from({ length: outputs }, (__, i) => (i === k ? 1 : 0)))
      const gradient = tf.grad((x) => {
        const logits = applyNet(net, parameters, x, apply)
        return tf.sum(tf.mul(of === 'logits' ? logits : tf.softmax(logits), picked))
      })(batch)
      return body.op('Reshape', [nameOf(gradient), body.integers([rows, 1, features])])
    })
    const stacked = parts.length === 1 ? parts[0]! : body.op('Concat', parts, { axis: 1 })
    body.outputAs('row_jacobian', stacked, 'float32', [rows, outputs, features])
    return { jacobians: [rows, outputs, features] }
  })
}

/**
 * Inputs: features, targets, parameters, vector `[parameters]`, indexes and weights `[chunks, rows]`, with `dropout`
 * mask0… Outputs, each summed over the weighted rows: losses `[chunks]`, the gradient and the Hessian times the vector, `[parameters]`.
 */
export function buildCurvature(
  net: Net,
  loss: Loss,
  storage: FeatureStorage,
  rows: number,
  { float, dropout }: { float: 'float32' | 'float64'; dropout: boolean },
): Uint8Array {
  const size = net.parameterCount
  const dropouts = dropout ? dropoutLayers(net) : []
  const body = traceCurvature({ net, loss, storage, rows, float, dropouts })

  const program = new Graph()
  declareRows(program, net, loss, storage)
  program.input('parameters', float, [size])
  program.input('vector', float, [size])
  program.input('indexes', 'int32', ['chunks', rows])
  program.input('weights', float, ['chunks', rows])
  const zeros = program.op('Expand', [program.scalar(0, float), program.integers([size])])
  const scanned = ['indexes', 'weights', ...inputMasks(program, dropouts, 'mask', ['chunks', rows], float)]
  const [gradient, product, losses] = program.ops(
    'Scan',
    [zeros, zeros, ...scanned],
    { num_scan_inputs: scanned.length, body: { graph: body } },
    3,
  )
  program.outputAs('gradient', gradient!, float, [size])
  program.outputAs('product', product!, float, [size])
  program.outputAs('losses', losses!, float, ['chunks'])
  return program.encode()
}

/** What one chunk of rows adds to the gradient and the product, and its loss. */
function traceCurvature({ net, loss, storage, rows, float, dropouts }: CurvatureChunk): Graph {
  const size = net.parameterCount
  const body = new Graph()
  body.input('in_gradient', float, [size])
  body.input('in_product', float, [size])
  body.input('chunk_indexes', 'int32', [rows])
  body.input('chunk_weights', float, [rows])
  const chunkMasks = inputMasks(body, dropouts, 'chunk_mask', [rows], float)
  const where: { layer?: string } = {}
  trace(body, float, where, () => {
    const parameters = splitParameters(body, net.parameters, 'parameters')
    const vector = splitParameters(body, net.parameters, 'vector')
    const { batch, targets } = gatherBatch(body, net, loss, storage, 'chunk_indexes', rows)
    const weights = tensorOf(symbol('chunk_weights', [rows]))
    const dropoutMasks = maskTensors(chunkMasks, dropouts, rows)
    const measured = { gradient: '', loss: '' }
    const product = hessianProduct(
      (...current) => {
        const outputs = applyNet(net, current, batch, { dropoutMasks, onLayer: (layer) => (where.layer = layer) })
        return tf.sum<tf.Scalar>(tf.mul(lossPerRow(loss, outputs, targets), weights))
      },
      parameters,
      vector,
      (value, gradient) => {
        measured.loss = nameOf(value)
        measured.gradient = joinGradients(body, gradient)
      },
    )
    body.output(body.op('Add', ['in_gradient', measured.gradient]), float, [size])
    body.output(body.op('Add', ['in_product', joinGradients(body, product)]), float, [size])
    body.outputAs('chunk_loss', measured.loss, float, [])
  })
  body.prune()
  return body
}

interface CurvatureChunk {
  readonly net: Net
  readonly loss: Loss
  readonly storage: FeatureStorage
  readonly rows: number
  readonly float: 'float32' | 'float64'
  readonly dropouts: readonly DropoutLayer[]
}
