import type * as tf from '@tensorflow/tfjs-core'
import { thinBelowUnits, type Net } from '../../../net/net.js'
import type { Loss } from '../../../net/training-spec.js'
import type { Graph } from '../lowering/onnx-graph.js'
import { channelsFirstSymbol, symbol, tensorOf } from '../lowering/tracing.js'
import { declareRows, gatherBatch, targetShape, targetType, type FeatureStorage } from './loss-programs.js'

/** A training program's batches: gathered from stored rows by index, or laid out beforehand, channels first. */
export type BatchKind = FeatureStorage | 'laid out'

/**
 * Rows of so many features, for nets of thin layers, are laid out batch by batch before a call: the runtime picks rows one
 * by one, which takes it as long as two layers. Wider ones would be copied for nothing.
 */
const maxRowFeatures = 16

export const isLaidOut = ({ inputShape, shapes }: Net): boolean =>
  [inputShape, ...shapes].every((shape) => shape.length === 1) &&
  inputShape[0]! <= maxRowFeatures &&
  shapes.every(([units]) => units! < thinBelowUnits)

/** The rows that a step trains on. */
export interface Batch {
  readonly batch: tf.Tensor
  readonly targets: tf.Tensor
}

/** Declares what the batches come from and how a step has its own; the names of what is scanned over. */
export function declareBatches(
  program: Graph,
  body: Graph,
  { net, loss, batch, batches }: { net: Net; loss: Loss; batch: number; batches: BatchKind },
): { readonly scanned: readonly string[]; readonly read: () => Batch } {
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
