import * as tf from '@tensorflow/tfjs-core'
// tfjs-core's Node build leaves its gradients out; the layers package brings them.
import '@tensorflow/tfjs-layers'
import './kernels.js'
import './image-kernels.js'
import { applyNet, correctPerRow, lossPerRow, meanLoss, squaredGradientNorm, type ApplyOptions } from './apply.js'
import { dropoutLayers, type DropoutLayer } from './dropout.js'
import type { Net, Parameter } from './net.js'
import { elementTypes, Graph, type ElementType } from './onnx-graph.js'
import { optimizerRules } from './optimizers.js'
import { nameOf, symbol, tensorOf, trace, tracer } from './tracing.js'
import type { Loss, Objective, OptimizerSpec } from './training.js'
import { weightGroups, type WeightGroup } from './weight-groups.js'

/**
 * The programs of the compiled engine: each a graph whose heart is one `Scan`, so that a single call runs many steps.
 * Rows are picked by index inside the graph; learning rates, seeds and data are inputs, so trials of one shape share it.
 */

const targetType = (loss: Loss): ElementType => (loss === 'softmax-cross-entropy' ? 'int32' : 'float32')
const targetShape = (net: Net, loss: Loss): readonly number[] =>
  loss === 'softmax-cross-entropy' ? [] : net.outputShape

/** A flat vector read as these parameters, which lie in it one after the other, by one Split. */
export function splitParameters(g: Graph, parameters: readonly Parameter[], flat: string): tf.Tensor[] {
  const sizes = parameters.map((parameter) => parameter.size)
  const parts = sizes.length === 1 ? [flat] : g.ops('Split', [flat, g.integers(sizes)], { axis: 0 }, sizes.length)
  return parameters.map(({ shape }, i) => {
    const name = shape.length === 1 ? parts[i]! : g.op('Reshape', [parts[i]!, g.integers(shape)])
    return tensorOf(symbol(name, shape))
  })
}

/** Gradients in the order of the parameters, as one flat vector again. */
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
  return tensorOf(symbol(widened(g, features), [rows, ...net.inputShape]))
}

const widened = (g: Graph, values: string): string =>
  tracer.floatType === 'float64' ? g.op('Cast', [values], { to: elementTypes.float64 }) : values

export function declareRows(g: Graph, net: Net, loss: Loss | undefined, storage: FeatureStorage): void {
  g.input('features', storage === 'pixels' ? 'uint8' : 'float32', ['rows', ...net.inputShape])
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

export interface TrainingShape {
  readonly net: Net
  readonly loss: Loss
  readonly optimizer: OptimizerSpec['kind']
  readonly batch: number
  readonly gradientNorms: boolean
  readonly objective: Objective
  readonly storage: FeatureStorage
}

/** The state of a group of weights by name: its weights and the optimiser's slots. */
export function stateNames(group: number, slots: number): string[] {
  return [`weights${group}`, ...Array.from({ length: slots }, (_, i) => `slot${i}_${group}`)]
}

/**
 * Inputs: features, targets, weights and slots of each group (`stateNames`), hyper0…, indexes `[steps, batch]`,
 * schedule0… `[steps]`, mask0… `[steps, batch, …]`. Outputs: the state after the last step, and per step losses,
 * correct, norms.
 * @throws LoweringError naming the operation and layer that has no lowering.
 */
export function buildTraining(training: TrainingShape): Uint8Array {
  const { net, loss, optimizer, batch, gradientNorms, objective, storage } = training
  const rule = optimizerRules[optimizer]
  const groups = weightGroups(net)
  const state = groups.flatMap(({ shape }, k) => stateNames(k, rule.slots).map((name) => ({ name, shape })))
  const hyperparameters = rule.hyperparameters({ kind: optimizer, learningRate: 1 })
  const hyper = hyperparameters.map((_, i) => `hyper${i}`)
  const scheduled = rule.schedule(hyperparameters, 1).map((_, i) => `schedule${i}`)
  const dropouts = dropoutLayers(net)

  const body = new Graph()
  for (const { name, shape } of state) body.input(`in_${name}`, 'float32', shape)
  body.input('batch_indexes', 'int32', [batch])
  for (const name of scheduled) body.input(`step_${name}`, 'float32', [])
  const batchMasks = inputMasks(body, dropouts, 'batch_mask', [batch])

  const where: { layer?: string } = {}
  const measured: string[] = []
  trace(body, 'float32', where, () => {
    const parameters = readGroups(body, net, groups)
    const rows = gatherBatch(body, net, loss, storage, 'batch_indexes', batch)
    const dropoutMasks = maskTensors(batchMasks, dropouts, batch)
    let outputs: tf.Tensor | undefined
    const lossOf = (...current: tf.Tensor[]): tf.Scalar => {
      outputs = applyNet(net, current, rows.batch, { dropoutMasks, onLayer: (layer) => (where.layer = layer) })
      return meanLoss(loss, outputs, rows.targets)
    }
    let measuredGradients: string[] | undefined
    const { value, grads } =
      objective === 'loss'
        ? tf.valueAndGrads(lossOf)(parameters)
        : squaredGradientNorm(
            lossOf,
            parameters,
            (inner) => (measuredGradients = joinByGroup(body, net, groups, inner)),
          )
    const gradients = joinByGroup(body, net, groups, grads)
    // Whatever is descended on, what is reported is the loss and the norm of its gradient.
    measuredGradients ??= gradients
    groups.forEach(({ shape }, k) => {
      const [weights, ...slots] = stateNames(k, rule.slots).map((name) => `in_${name}`)
      const next = rule.lower(body, {
        parameters: weights!,
        gradient: gradients[k]!,
        slots,
        hyper,
        scheduled: scheduled.map((name) => `step_${name}`),
      })
      for (const name of [next.parameters, ...next.slots]) body.output(name, 'float32', shape)
    })

    const zero = body.scalar(0)
    body.outputAs('step_loss', nameOf(value), 'float32', [])
    body.outputAs(
      'step_correct',
      loss === 'softmax-cross-entropy' ? nameOf(tf.sum(correctPerRow(outputs!, rows.targets))) : zero,
      'float32',
      [],
    )
    measured.push('losses', 'correct')
    if (gradientNorms) {
      body.outputAs('step_norm', normOf(body, measuredGradients), 'float32', [])
      measured.push('norms')
    }
  })
  body.prune()

  const program = new Graph()
  declareRows(program, net, loss, storage)
  for (const { name, shape } of state) program.input(name, 'float32', shape)
  hyper.forEach((name) => program.input(name, 'float32', []))
  program.input('indexes', 'int32', ['steps', batch])
  for (const name of scheduled) program.input(name, 'float32', ['steps'])
  const scanned = ['indexes', ...scheduled, ...inputMasks(program, dropouts, 'mask', ['steps', batch])]
  const results = program.ops(
    'Scan',
    [...state.map(({ name }) => name), ...scanned],
    { num_scan_inputs: scanned.length, body: { graph: body } },
    state.length + measured.length,
  )
  state.forEach(({ name, shape }, i) => program.outputAs(`next_${name}`, results[i]!, 'float32', shape))
  measured.forEach((name, i) => program.outputAs(name, results[state.length + i]!, 'float32', ['steps']))
  return program.encode()
}

/** The net's parameters in their order, out of the groups' states. */
function readGroups(g: Graph, net: Net, groups: readonly WeightGroup[]): tf.Tensor[] {
  const tensors = new Map<Parameter, tf.Tensor>()
  groups.forEach(({ members, shape }, k) => {
    const read =
      shape.length === 1
        ? splitParameters(g, members, `in_weights${k}`)
        : [tensorOf(symbol(`in_weights${k}`, members[0]!.shape))]
    members.forEach((member, i) => tensors.set(member, read[i]!))
  })
  return net.parameters.map((parameter) => tensors.get(parameter)!)
}

/** Gradients of the net's parameters, in their order, as one value for each group in the group's shape. */
function joinByGroup(g: Graph, net: Net, groups: readonly WeightGroup[], gradients: readonly tf.Tensor[]): string[] {
  return groups.map(({ members, shape }) => {
    const own = members.map((member) => gradients[net.parameters.indexOf(member)]!)
    return shape.length === 1 ? joinGradients(g, own) : nameOf(own[0]!)
  })
}

/** The Euclidean norm over all groups. */
function normOf(g: Graph, gradients: readonly string[]): string {
  const squares = gradients.map((gradient) => g.op('ReduceSumSquare', [gradient], { keepdims: 0 }))
  return g.op('Sqrt', [squares.reduce((a, b) => g.op('Add', [a, b]))])
}

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
