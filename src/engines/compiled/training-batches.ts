import type * as ort from 'onnxruntime-node'
import type { Rows } from '../engine.js'
import { sizeOf, type Net } from '../../net/net.js'
import { Tensor } from './onnx-runtime.js'
import { isLaidOut, type BatchKind } from './programs/batches.js'
import { storeRows } from './stored-rows.js'

/** What gives a training program its batches. */
export interface BatchSupply {
  readonly kind: BatchKind
  /** Fed to every call. */
  readonly fixed: Readonly<Record<string, ort.Tensor>>
  /** The batches of one call: the rows at these indexes, `[steps × batch]`. */
  batches(order: Int32Array, batch: number): Record<string, ort.Tensor>
}

/** The rows of this net as batches for the net that is trained for it. */
export function batchSupply(net: Net, trained: Net, rows: Rows): BatchSupply {
  return isLaidOut(net) ? layingOut(net, trained, rows) : gathering(net, rows)
}

function gathering(net: Net, rows: Rows): BatchSupply {
  const { storage, feeds } = storeRows(net, rows)
  return {
    kind: storage,
    fixed: feeds,
    batches: (order, batch) => ({
      indexes: new Tensor('int32', order.slice(), [order.length / batch, batch]),
    }),
  }
}

/** Features and targets as `[steps, channels, batch]`, as thin layers have them; classes as `[steps, batch]`. */
function layingOut(net: Net, trained: Net, { features, targets }: Rows): BatchSupply {
  const given = sizeOf(net.inputShape)
  // What the trained net takes beyond the data's features is 1.
  const wanted = sizeOf(trained.inputShape)
  const outputs = sizeOf(net.outputShape)
  return {
    kind: 'laid out',
    fixed: {},
    batches(order, batch) {
      const steps = order.length / batch
      const inputs = layOut(features, order, { batch, given, wanted })
      return {
        features: new Tensor('float32', inputs, [steps, wanted, batch]),
        targets:
          targets instanceof Int32Array
            ? new Tensor(
                'int32',
                order.map((row) => targets[row]!),
                [steps, batch],
              )
            : new Tensor('float32', layOut(targets, order, { batch, given: outputs, wanted: outputs }), [
                steps,
                outputs,
                batch,
              ]),
      }
    },
  }
}

function layOut(
  values: Float32Array,
  order: Int32Array,
  { batch, given, wanted }: { batch: number; given: number; wanted: number },
): Float32Array {
  const laid = new Float32Array(order.length * wanted).fill(1)
  for (let i = 0; i < order.length; i++) {
    const column = i % batch
    const first = (i - column) * wanted + column
    const row = order[i]! * given
    for (let k = 0; k < given; k++) laid[first + k * batch] = values[row + k]!
  }
  return laid
}
