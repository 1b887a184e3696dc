import * as tf from '@tensorflow/tfjs-core'
import { applyNet, meanLoss } from '../../apply.js'
import { dropoutLayers } from '../../../net/dropout.js'
import type { Net } from '../../../net/net.js'
import { Graph } from '../lowering/onnx-graph.js'
import {
  correctCount,
  declareRows,
  gatherBatch,
  inputMasks,
  maskTensors,
  normOf,
  type FeatureStorage,
} from './loss-programs.js'
import { nameOf, symbol, tensorOf, trace } from '../lowering/tracing.js'
import type { Loss } from '../../../net/training-spec.js'

/** The first output of a program that is called in place: a list, of which only the runtime's refusal is wanted. */
export const unfetchedOutput = 'withheld'

export interface StepShape {
  readonly net: Net
  readonly loss: Loss
  readonly batch: number
  readonly gradientNorms: boolean
  readonly storage: FeatureStorage
}

/**
 * What one training step computes before its update. Inputs: features, targets, indexes `[batch]`, parameter0… as the net
 * has them, mask0… `[batch, …]`. Outputs: gradient0… as the parameters, loss, correct, norm.
 * @throws LoweringError naming the operation and layer that has no lowering.
 */
export function buildStep({ net, loss, batch, gradientNorms, storage }: StepShape): Uint8Array {
  const program = new Graph()
  declareRows(program, net, loss, storage)
  program.input('indexes', 'int32', [batch])
  net.parameters.forEach(({ shape }, i) => program.input(`parameter${i}`, 'float32', shape))
  const dropouts = dropoutLayers(net)
  const masks = inputMasks(program, dropouts, 'mask', [batch])
  const where: { layer?: string } = {}
  trace(program, 'float32', where, () => {
    const parameters = net.parameters.map(({ shape }, i) => tensorOf(symbol(`parameter${i}`, shape)))
    const rows = gatherBatch(program, net, loss, storage, 'indexes', batch)
    const dropoutMasks = maskTensors(masks, dropouts, batch)
    let outputs: tf.Tensor | undefined
    const { value, grads } = tf.valueAndGrads((...current: tf.Tensor[]): tf.Scalar => {
      outputs = applyNet(net, current, rows.batch, { dropoutMasks, onLayer: (layer) => (where.layer = layer) })
      return meanLoss(loss, outputs, rows.targets)
    })(parameters)
    program.outputList(unfetchedOutput, program.scalar(0))
    grads.forEach((gradient, i) => {
      program.outputAs(`gradient${i}`, nameOf(gradient), 'float32', net.parameters[i]!.shape)
    })
    program.outputAs('loss', nameOf(value), 'float32', [])
    program.outputAs('correct', correctCount(program, loss, outputs!, rows.targets), 'float32', [])
    if (gradientNorms) program.outputAs('norm', normOf(program, grads.map(nameOf)), 'float32', [])
  })
  program.prune()
  return program.encode()
}
