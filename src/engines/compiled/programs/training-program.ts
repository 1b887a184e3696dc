import * as tf from '@tensorflow/tfjs-core'
import { applyNet, meanLoss, squaredGradientNorm } from '../../apply.js'
import { dropoutLayers } from '../../../net/dropout.js'
import { asMultiple } from '../lowering/known-values.js'
import type { Net, Parameter } from '../../../net/net.js'
import { Graph } from '../lowering/onnx-graph.js'
import { graphArithmetic, optimizerRules } from '../../optimizers.js'
import {
  correctCount,
  declareRows,
  gatherBatch,
  inputMasks,
  maskTensors,
  normOf,
  targetShape,
  targetType,
  type FeatureStorage,
} from './loss-programs.js'
import { channelsFirstSymbol, nameOf, symbol, tensorOf, trace } from '../lowering/tracing.js'
import type { TrainedNet } from './homogeneous-net.js'
import type { Loss, Objective, OptimizerSpec } from '../../../net/training-spec.js'
import { joinGroup, pick, readGroup, weightGroups, type WeightGroup } from './weight-groups.js'

export interface TrainingShape {
  readonly trained: Pick<TrainedNet, 'net' | 'mask'>
  readonly loss: Loss
  readonly optimizer: OptimizerSpec['kind']
  readonly batch: number
  readonly gradientNorms: boolean
  readonly objective: Objective
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
  const { loss, optimizer, batch, gradientNorms, objective } = training
  const { net, mask } = training.trained
  const rule = optimizerRules[optimizer]
  const groups = weightGroups(net)
  const state = groups.flatMap(({ size }, k) => stateNames(k, rule.slots).map((name) => ({ name, shape: [1, size] })))
  const hyperparameters = rule.hyperparameters({ kind: optimizer, learningRate: 1 })
  const hyper = hyperparameters.map((_, i) => `hyper${i}`)
  const scheduled = rule.schedule(hyperparameters, 1).map((_, i) => `schedule${i}`)
  const dropouts = dropoutLayers(net)

  const program = new Graph()
  const body = new Graph()
  for (const { name, shape } of state) program.input(name, 'float32', shape)
  hyper.forEach((name) => program.input(name, 'float32', [1, 1]))
  for (const { name, shape } of state) body.input(`in_${name}`, 'float32', shape)
  const supplied = declareBatches(program, body, training)
  for (const name of scheduled) program.input(name, 'float32', ['steps', 1, 1])
  const masks = inputMasks(program, dropouts, 'mask', ['steps', batch])
  const scanned = [...supplied.scanned, ...scheduled, ...masks]

  for (const name of scheduled) body.input(`step_${name}`, 'float32', [1, 1])
  const batchMasks = inputMasks(body, dropouts, 'batch_mask', [batch])

  const where: { layer?: string } = {}
  const measured: string[] = []
  let lossFactor = 1
  trace(body, 'float32', where, () => {
    const parameters = readGroups(body, net, groups)
    const rows = supplied.read()
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
    const joined = joinByGroup(body, net, groups, grads)
    const masked = mask === undefined ? joined : joined.map((row, k) => keepMasked(body, groups[k]!, row, mask))
    const gradients = rule.lastSlotDivides ? joined : masked
    // Whatever is descended on, what is reported is the loss and the norm of its gradient.
    measuredGradients ??= masked
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

    // A mean is a sum times a number, which all steps are multiplied by at once.
    const { of: sum, factor } = asMultiple(value)
    lossFactor = factor
    body.outputAs('step_loss', nameOf(sum), 'float32', [])
    body.outputAs('step_correct', correctCount(body, loss, outputs!, rows.targets), 'float32', [])
    measured.push('losses', 'correct')
    if (gradientNorms) {
      body.outputAs('step_norm', normOf(body, measuredGradients), 'float32', [])
      measured.push('norms')
    }
  })
  body.prune()

  const results = program.ops(
    'Scan',
    [...state.map(({ name }) => name), ...scanned],
    { num_scan_inputs: scanned.length, body: { graph: body } },
    state.length + measured.length,
  )
  state.forEach(({ name, shape }, i) => program.outputAs(`next_${name}`, results[i]!, 'float32', shape))
  measured.forEach((name, i) => {
    const perStep = results[state.length + i]!
    const factor = name === 'losses' ? lossFactor : 1
    const values = factor === 1 ? perStep : program.op('Mul', [perStep, program.scalar(factor)])
    program.outputAs(name, values, 'float32', ['steps'])
  })
  return program.encode()
}

/** A training program's batches: gathered from stored rows by index, or laid out beforehand, channels first. */
export type BatchKind = FeatureStorage | 'laid out'

/** Declares what the batches come from and how a step has its own; the names of what is scanned over. */
function declareBatches(
  program: Graph,
  body: Graph,
  { trained: { net }, loss, batch, batches }: TrainingShape,
): { scanned: readonly string[]; read: () => { batch: tf.Tensor; targets: tf.Tensor } } {
  if (batches !== 'laid out') {
    declareRows(program, net, loss, batches)
    program.input('indexes', 'int32', ['steps', batch])
    body.input('batch_indexes', 'int32', [batch])
    return { scanned: ['indexes'], read: () => gatherBatch(body, net, loss, batches, 'batch_indexes', batch) }
  }
  const inputs = [...net.inputShape, batch]
  const targets = [...targetShape(net, loss), batch]
  program.input('features', 'float32', ['steps', ...inputs])
  program.input('targets', targetType(loss), ['steps', ...targets])
  body.input('batch_features', 'float32', inputs)
  body.input('batch_targets', targetType(loss), targets)
  return {
    scanned: ['features', 'targets'],
    read: () => ({
      batch: tensorOf(channelsFirstSymbol('batch_features', [batch, ...net.inputShape])),
      targets: tensorOf(
        targets.length === 1
          ? symbol('batch_targets', targets, 'int32')
          : channelsFirstSymbol('batch_targets', [batch, ...net.outputShape]),
      ),
    }),
  }
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
