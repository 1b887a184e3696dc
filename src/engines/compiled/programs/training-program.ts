import * as tf from '@tensorflow/tfjs-core'
import { applyNet, meanLoss, squaredGradientNorm } from '../../apply.js'
import { dropoutLayers } from '../../../net/dropout.js'
import { asMultiple } from '../lowering/known-values.js'
import type { Net, Parameter } from '../../../net/net.js'
import { Graph } from '../lowering/onnx-graph.js'
import { graphArithmetic } from '../lowering/graph-arithmetic.js'
import { optimizerRules } from '../../optimizers.js'
import { declareBatches, type Batch, type BatchKind } from './batches.js'
import { correctCount, inputMasks, maskTensors, normOf } from './loss-programs.js'
import { nameOf, trace } from '../lowering/tracing.js'
import type { TrainedNet } from './homogeneous-net.js'
import type { Loss, TrainingObjective, OptimizerSpec } from '../../../net/training-spec.js'
import { joinGroup, pick, readGroup, weightGroups, type WeightGroup } from './weight-groups.js'

export interface TrainingShape {
  readonly trained: Pick<TrainedNet, 'net' | 'mask'>
  readonly loss: Loss
  readonly optimizer: OptimizerSpec['kind']
  readonly batch: number
  readonly gradientNorms: boolean
  readonly objective: TrainingObjective
  readonly batches: BatchKind
}

/** The state of a group of weights by name: its weights and the optimiser's slots. */
export function stateNames(group: number, slots: number): string[] {
  return [`weights${group}`, ...Array.from({ length: slots }, (_, i) => `slot${i}_${group}`)]
}

/**
 * Inputs: weights and slots of each group (`stateNames`), hyper0…, schedule0… `[steps]`, mask0… `[steps, batch, …]`, and
 * features, targets and indexes `[steps, batch]`, or features and targets of each step, laid out. Outputs: the state after
 * the last step, and per step losses, correct, norms.
 * @throws LoweringError naming the operation and layer that has no lowering.
 */
export function buildTraining(training: TrainingShape): Uint8Array {
  const program = new Graph()
  const body = new Graph()
  const inputs = declareInputs(program, body, training)
  const measurements = traceStep(body, training, inputs)
  body.prune()
  scanSteps(program, body, inputs, measurements)
  return program.encode()
}

/** What a step reads, by the names of the program's inputs. In the body a state `x` is `in_x`, a schedule `s` is `step_s`. */
interface StepInputs {
  readonly groups: readonly WeightGroup[]
  readonly state: readonly { readonly name: string; readonly shape: readonly [number, number] }[]
  readonly hyper: readonly string[]
  readonly scheduled: readonly string[]
  /** Every input of which each step has its own part. */
  readonly scanned: readonly string[]
  /** The masks of the step's batch, by their names in the body. */
  readonly batchMasks: readonly string[]
  /** The step's batch, while the body is being traced. */
  readonly readBatch: () => Batch
}

function declareInputs(program: Graph, body: Graph, training: TrainingShape): StepInputs {
  const { net } = training.trained
  const rule = optimizerRules[training.optimizer]
  const groups = weightGroups(net)
  const state = groups.flatMap(({ size }, k) =>
    stateNames(k, rule.slots).map((name) => ({ name, shape: [1, size] as const })),
  )
  const hyperparameters = rule.hyperparameters({ kind: training.optimizer, learningRate: 1 })
  const hyper = hyperparameters.map((_, i) => `hyper${i}`)
  const scheduled = rule.schedule(hyperparameters, 1).map((_, i) => `schedule${i}`)

  for (const { name, shape } of state) program.input(name, 'float32', shape)
  for (const { name, shape } of state) body.input(`in_${name}`, 'float32', shape)
  for (const name of hyper) program.input(name, 'float32', [1, 1])
  const batches = declareBatches(program, body, { ...training, net })
  for (const name of scheduled) program.input(name, 'float32', ['steps', 1, 1])
  for (const name of scheduled) body.input(`step_${name}`, 'float32', [1, 1])
  const dropouts = dropoutLayers(net)
  const masks = inputMasks(program, dropouts, 'mask', ['steps', training.batch])
  const batchMasks = inputMasks(body, dropouts, 'batch_mask', [training.batch])
  const scanned = [...batches.scanned, ...scheduled, ...masks]
  return { groups, state, hyper, scheduled, scanned, batchMasks, readBatch: batches.read }
}

/** What each step measures, by the name of the program's output, and the number that all its values are multiplied by. */
type Measurements = readonly (readonly [name: string, factor: number])[]

/** Records one step into the body: its loss, the gradient, the update, what it measures. */
function traceStep(body: Graph, training: TrainingShape, inputs: StepInputs): Measurements {
  const { loss, batch, trained, optimizer, objective } = training
  const { net, mask } = trained
  const where: { layer?: string } = {}
  return trace(body, 'float32', where, () => {
    const parameters = readGroups(body, net, inputs.groups)
    const rows = inputs.readBatch()
    const dropoutMasks = maskTensors(inputs.batchMasks, dropoutLayers(net), batch)
    let outputs: tf.Tensor | undefined
    const lossOf = (...current: tf.Tensor[]): tf.Scalar => {
      outputs = applyNet(net, current, rows.batch, { dropoutMasks, onLayer: (layer) => (where.layer = layer) })
      return meanLoss(loss, outputs, rows.targets)
    }
    const join = (gradients: readonly tf.Tensor[]): string[] => joinByGroup(body, net, inputs.groups, gradients)
    let ofLoss: string[] | undefined
    const { value, grads } =
      objective === 'loss'
        ? tf.valueAndGrads(lossOf)(parameters)
        : squaredGradientNorm(lossOf, parameters, (inner) => (ofLoss = join(inner)))
    const joined = join(grads)
    const masked = mask === undefined ? joined : joined.map((row, k) => keepMasked(body, inputs.groups[k]!, row, mask))
    updateState(body, optimizer, inputs, optimizerRules[optimizer].lastSlotDivides ? joined : masked)
    // Whatever is descended on, what is reported is the loss and the norm of its gradient.
    const gradients = training.gradientNorms ? (ofLoss ?? masked) : undefined
    return outputMeasurements(body, loss, { value, outputs: outputs!, targets: rows.targets, gradients })
  })
}

function updateState(
  body: Graph,
  optimizer: OptimizerSpec['kind'],
  { groups, hyper, scheduled }: StepInputs,
  gradients: readonly string[],
): void {
  const rule = optimizerRules[optimizer]
  groups.forEach(({ size }, k) => {
    const [weights, ...slots] = stateNames(k, rule.slots).map((name) => `in_${name}`)
    const next = rule.update(graphArithmetic(body), {
      parameters: weights!,
      gradient: gradients[k]!,
      slots,
      hyper,
      scheduled: scheduled.map((name) => `step_${name}`),
    })
    for (const name of [next.parameters, ...next.slots]) body.output(name, 'float32', [1, size])
  })
}

function outputMeasurements(
  body: Graph,
  loss: Loss,
  step: {
    readonly value: tf.Tensor
    readonly outputs: tf.Tensor
    readonly targets: tf.Tensor
    /** Whose norm is measured; absent when none is wanted. */
    readonly gradients: readonly string[] | undefined
  },
): Measurements {
  // A mean is a sum times a number, which all steps are multiplied by at once.
  const { of: sum, factor } = asMultiple(step.value)
  body.outputAs('step_loss', nameOf(sum), 'float32', [])
  body.outputAs('step_correct', correctCount(body, loss, step.outputs, step.targets), 'float32', [])
  if (step.gradients === undefined)
    return [
      ['losses', factor],
      ['correct', 1],
    ]
  body.outputAs('step_norm', normOf(body, step.gradients), 'float32', [])
  return [
    ['losses', factor],
    ['correct', 1],
    ['norms', 1],
  ]
}

/** Makes the program run its body step by step, and declares what comes out. */
function scanSteps(program: Graph, body: Graph, { state, scanned }: StepInputs, measurements: Measurements): void {
  const results = program.ops(
    'Scan',
    [...state.map(({ name }) => name), ...scanned],
    { num_scan_inputs: scanned.length, body: { graph: body } },
    state.length + measurements.length,
  )
  state.forEach(({ name, shape }, i) => program.outputAs(`next_${name}`, results[i]!, 'float32', shape))
  measurements.forEach(([name, factor], i) => {
    const perStep = results[state.length + i]!
    const values = factor === 1 ? perStep : program.op('Mul', [perStep, program.scalar(factor)])
    program.outputAs(name, values, 'float32', ['steps'])
  })
}

/** The net's parameters in their order, out of the groups' states. */
function readGroups(g: Graph, net: Net, groups: readonly WeightGroup[]): tf.Tensor[] {
  const tensors = new Map(groups.flatMap((group, k) => [...readGroup(g, group, `in_weights${k}`)]))
  return net.parameters.map((parameter) => tensors.get(parameter)!)
}

/** Gradients of the net's parameters, in their order, as one row for each group. */
function joinByGroup(g: Graph, net: Net, groups: readonly WeightGroup[], gradients: readonly tf.Tensor[]): string[] {
  const gradientOf = (parameter: Parameter): tf.Tensor => gradients[net.parameters.indexOf(parameter)]!
  return groups.map((group) => joinGroup(g, group, gradientOf))
}

function keepMasked(g: Graph, group: WeightGroup, row: string, mask: Float32Array): string {
  const own = pick(group, mask)
  return own.every((factor) => factor === 1) ? row : g.op('Mul', [row, g.constant(own, [1, group.size], 'float32')])
}
