import * as tf from '@tensorflow/tfjs-core'
// tfjs-core's Node build leaves its gradients out; the layers package brings them.
import '@tensorflow/tfjs-layers'
import '../lowering/kernels.js'
import { applyNet, correctPerRow, lossPerRow, type ApplyOptions } from '../../apply.js'
import { dropoutLayers, type DropoutLayer } from '../../../net/dropout.js'
import { sizeOf, type Net, type Parameter } from '../../../net/net.js'
import { elementTypes, Graph, type ElementType } from '../lowering/onnx-graph.js'
import { nameOf, symbol, tensorOf, trace, tracer } from '../lowering/tracing.js'
import type { Loss } from '../../../net/training-spec.js'

/**
 * The programs of the compiled engine that measure; training-program.ts and step-program.ts have those that train. Each is
 * a graph whose heart is one `Scan`, so that a single call takes many batches. Rows are picked by index inside the graph; weights and
 * data are inputs, so that all trials of one net share a program.
 */

export const targetType = (loss: Loss): ElementType => (loss === 'softmax-cross-entropy' ? 'int32' : 'float32')
export const targetShape = (net: Net, loss: Loss): readonly number[] =>
  loss === 'softmax-cross-entropy' ? [] : net.outputShape

/** Flat parameters `[n]` read as these, which lie in them one after the other, by one Split. */
export function splitParameters(g: Graph, parameters: readonly Parameter[], flat: string): tf.Tensor[] {
  const sizes = parameters.map((parameter) => parameter.size)
  const parts = sizes.length === 1 ? [flat] : g.ops('Split', [flat, g.integers(sizes)], { axis: 0 }, sizes.length)
  return parameters.map(({ shape }, i) =>
    tensorOf(symbol(shape.length === 1 ? parts[i]! : g.op('Reshape', [parts[i]!, g.integers(shape)]), shape)),
  )
}

/** Gradients in the order of the parameters, flat again. */
export function joinGradients(g: Graph, gradients: readonly tf.Tensor[]): string {
  const flat = gradients.map((gradient) =>
    gradient.rank === 1 ? nameOf(gradient) : g.op('Reshape', [nameOf(gradient), g.integers([-1])]),
  )
  return flat.length === 1 ? flat[0]! : g.op('Concat', flat, { axis: 0 })
}

/** How a set's features lie in memory: as they are, or k for each k/255, which images are. Targets lie as they are. */
export type FeatureStorage = 'float32' | 'pixels'

/** The rows at these indexes, floats as wide as the trace wants them. */
export function gatherBatch(
  g: Graph,
  net: Net,
  loss: Loss,
  storage: FeatureStorage,
  indexes: string,
  rows: number,
): { batch: tf.Tensor; targets: tf.Tensor } {
  const classes = loss === 'softmax-cross-entropy'
  const targets = g.op('Gather', ['targets', indexes], { axis: 0 })
  return {
    batch: gatherFeatures(g, net, storage, indexes, rows),
    targets: tensorOf(
      symbol(classes ? targets : widened(g, targets), [rows, ...targetShape(net, loss)], classes ? 'int32' : 'float32'),
    ),
  }
}

export function gatherFeatures(g: Graph, net: Net, storage: FeatureStorage, indexes: string, rows: number): tf.Tensor {
  const stored = g.op('Gather', ['features', indexes], { axis: 0 })
  // Divided as float32, the quotient is the very number that the set holds.
  const features =
    storage === 'pixels' ? g.op('Div', [g.op('Cast', [stored], { to: elementTypes.float32 }), g.scalar(255)]) : stored
  const shaped =
    net.inputShape.length === 1 ? features : g.op('Reshape', [features, g.integers([rows, ...net.inputShape])])
  return tensorOf(symbol(widened(g, shaped), [rows, ...net.inputShape]))
}

const widened = (g: Graph, values: string): string =>
  tracer.floatType === 'float64' ? g.op('Cast', [values], { to: elementTypes.float64 }) : values

/** Rows as rows, whatever their shape: of images of one channel the runtime divides each number by itself. */
export function declareRows(g: Graph, net: Net, loss: Loss | undefined, storage: FeatureStorage): void {
  g.input('features', storage === 'pixels' ? 'uint8' : 'float32', ['rows', sizeOf(net.inputShape)])
  if (loss !== undefined) g.input('targets', targetType(loss), ['rows', ...targetShape(net, loss)])
}

/** Declares a mask for each of these dropout layers, `[...dims, ...shape]`; gives their names. */
export function inputMasks(
  g: Graph,
  dropouts: readonly DropoutLayer[],
  name: string,
  dims: readonly (string | number)[],
  float: 'float32' | 'float64' = 'float32',
): string[] {
  return dropouts.map(({ shape }, i) => g.input(`${name}${i}`, float, [...dims, ...shape]))
}

/** The masks of one batch of rows as `applyNet` takes them. */
export const maskTensors = (names: readonly string[], dropouts: readonly DropoutLayer[], rows: number): tf.Tensor[] =>
  names.map((name, i) => tensorOf(symbol(name, [rows, ...dropouts[i]!.shape])))

/**
 * Inputs: features, targets, parameters, indexes `[chunks, rows]`, with `dropout` mask0… `[chunks, rows, …]`. Outputs
 * per row: losses and correct, each `[chunks, rows]`. A last chunk is filled up with any row; the caller leaves those
 * out.
 */
export function buildEvaluation(
  net: Net,
  loss: Loss,
  storage: FeatureStorage,
  rows: number,
  dropout: boolean,
): Uint8Array {
  const compute: ScanBody = (body, parameters, batch, targets, apply) => {
    const outputs = applyNet(net, parameters, batch, apply)
    outputRows(body, loss, outputs, targets, rows)
    return { losses: [rows], correct: [rows] }
  }
  return buildScan(net, loss, storage, rows, compute, dropout ? dropoutLayers(net) : [])
}

/** Gives out each row's loss, and whether it is classified rightly (0 for regression), `[rows]` each, in this order. */
export function outputRows(g: Graph, loss: Loss, outputs: tf.Tensor, targets: tf.Tensor, rows: number): void {
  g.outputAs('row_loss', nameOf(lossPerRow(loss, outputs, targets)), 'float32', [rows])
  const correct =
    loss === 'softmax-cross-entropy'
      ? nameOf(correctPerRow(outputs, targets))
      : g.constant(new Float32Array(rows), [rows], 'float32')
  g.outputAs('row_correct', correct, 'float32', [rows])
}

/** How many rows are classified rightly; 0 for regression. */
export function correctCount(g: Graph, loss: Loss, outputs: tf.Tensor, targets: tf.Tensor): string {
  return loss === 'softmax-cross-entropy' ? nameOf(tf.sum(correctPerRow(outputs, targets))) : g.scalar(0)
}

/** The Euclidean norm over all of these. */
export function normOf(g: Graph, gradients: readonly string[]): string {
  const squares = gradients.map((gradient) => g.op('ReduceSumSquare', [gradient], { keepdims: 0 }))
  return g.op('Sqrt', [squares.reduce((a, b) => g.op('Add', [a, b]))])
}

/** Inputs: features, parameters, indexes `[chunks, rows]`. Output: outputs `[chunks, rows, …net.outputShape]`. */
export function buildOutputs(net: Net, storage: FeatureStorage, rows: number): Uint8Array {
  return buildScan(net, undefined, storage, rows, (body, parameters, batch, _targets, apply) => {
    body.outputAs('row_outputs', nameOf(applyNet(net, parameters, batch, apply)), 'float32', [rows, ...net.outputShape])
    return { outputs: [rows, ...net.outputShape] }
  })
}

/** Computes one chunk of rows, declares its outputs, and gives their shapes. */
type ScanBody = (
  body: Graph,
  parameters: tf.Tensor[],
  batch: tf.Tensor,
  targets: tf.Tensor,
  apply: ApplyOptions,
) => Record<string, readonly number[]>

export function buildScan(
  net: Net,
  loss: Loss | undefined,
  storage: FeatureStorage,
  rows: number,
  compute: ScanBody,
  dropouts: readonly DropoutLayer[] = [],
): Uint8Array {
  const program = new Graph()
  declareRows(program, net, loss, storage)
  program.input('parameters', 'float32', [net.parameterCount])
  program.input('indexes', 'int32', ['chunks', rows])
  const body = new Graph()
  body.input('chunk_indexes', 'int32', [rows])
  const chunkMasks = inputMasks(body, dropouts, 'chunk_mask', [rows])
  const where: { layer?: string } = {}
  const results = trace(body, 'float32', where, () => {
    const parameters = splitParameters(body, net.parameters, 'parameters')
    const apply: ApplyOptions = {
      dropoutMasks: maskTensors(chunkMasks, dropouts, rows),
      onLayer: (layer) => (where.layer = layer),
    }
    if (loss !== undefined) {
      const { batch, targets } = gatherBatch(body, net, loss, storage, 'chunk_indexes', rows)
      return compute(body, parameters, batch, targets, apply)
    }
    const batch = gatherFeatures(body, net, storage, 'chunk_indexes', rows)
    return compute(body, parameters, batch, batch, apply)
  })
  body.prune()
  const scanned = ['indexes', ...inputMasks(program, dropouts, 'mask', ['chunks', rows])]
  const names = program.ops(
    'Scan',
    scanned,
    { num_scan_inputs: scanned.length, body: { graph: body } },
    Object.keys(results).length,
  )
  Object.entries(results).forEach(([name, shape], i) =>
    program.outputAs(name, names[i]!, 'float32', ['chunks', ...shape]),
  )
  return program.encode()
}

/**
 * Inputs: features, targets, parameters, indexes and weights `[chunks, rows]`, with `dropout` mask0… Outputs: the
 * weighted sum of the rows' losses per chunk, and the gradient of their total, `[parameters]`.
 */
export function buildGradient(
  net: Net,
  loss: Loss,
  storage: FeatureStorage,
  rows: number,
  dropout: boolean,
): Uint8Array {
  const size = net.parameterCount
  const dropouts = dropout ? dropoutLayers(net) : []
  const body = new Graph()
  body.input('in_total', 'float32', [size])
  body.input('chunk_indexes', 'int32', [rows])
  body.input('chunk_weights', 'float32', [rows])
  const chunkMasks = inputMasks(body, dropouts, 'chunk_mask', [rows])
  const where: { layer?: string } = {}
  trace(body, 'float32', where, () => {
    const dropoutMasks = maskTensors(chunkMasks, dropouts, rows)
    const parameters = splitParameters(body, net.parameters, 'parameters')
    const { batch, targets } = gatherBatch(body, net, loss, storage, 'chunk_indexes', rows)
    const weights = tensorOf(symbol('chunk_weights', [rows]))
    const { value, grads } = tf.valueAndGrads((...current: tf.Tensor[]) => {
      const outputs = applyNet(net, current, batch, { dropoutMasks, onLayer: (layer) => (where.layer = layer) })
      return tf.sum<tf.Scalar>(tf.mul(lossPerRow(loss, outputs, targets), weights))
    })(parameters)
    body.output(body.op('Add', ['in_total', joinGradients(body, grads)]), 'float32', [size])
    body.outputAs('chunk_loss', nameOf(value), 'float32', [])
  })
  body.prune()

  const program = new Graph()
  declareRows(program, net, loss, storage)
  program.input('parameters', 'float32', [size])
  program.input('indexes', 'int32', ['chunks', rows])
  program.input('weights', 'float32', ['chunks', rows])
  const zeros = program.op('Expand', [program.scalar(0), program.integers([size])])
  const scanned = ['indexes', 'weights', ...inputMasks(program, dropouts, 'mask', ['chunks', rows])]
  const [total, losses] = program.ops(
    'Scan',
    [zeros, ...scanned],
    { num_scan_inputs: scanned.length, body: { graph: body } },
    2,
  )
  program.outputAs('gradient', total!, 'float32', [size])
  program.outputAs('losses', losses!, 'float32', ['chunks'])
  return program.encode()
}
