import type { Dataset } from '../../data/dataset.js'
import { gatherRows, stratifiedSplit, type Split } from '../../data/split.js'
import { maxOf } from '../../core/extremes.js'
import type { Evaluation, Rows } from '../../engines/engine.js'
import { sizeOf, type Net } from '../../net/net.js'
import type { Metrics } from '../../core/trial.js'
import type { TrialContext } from '../experiment.js'

/** What the classifying experiments share: a split, a loss, and names of its values. */
export const loss = 'softmax-cross-entropy'

/** The rows a net trains on, and those held out. */
export interface Material {
  readonly data: Dataset
  readonly split: Split
  readonly rows: Rows
}

/** A data set split by the data seed. Only `mnist-10k` and sets with a test part of their own have so many rows held out. */
export async function openMaterial(
  context: TrialContext,
  { dataset, trainRows, testRows }: { dataset: string; trainRows: number; testRows: number },
): Promise<Material> {
  const data = await context.data(dataset)
  const split = stratifiedSplit(data, { train: trainRows, test: testRows, seed: context.seeds.data })
  return { data, split, rows: { features: data.features, targets: data.labels } }
}

/** `test/loss` and `test/accuracy` of an evaluation. */
export const named = (part: string, { loss, accuracy }: Evaluation): Metrics => ({
  [`${part}/loss`]: loss,
  [`${part}/accuracy`]: accuracy,
})

interface Task {
  readonly net: Net
  readonly features: Float32Array
  readonly labels: Int32Array
}
/** Rows to train on, and how a net does on some of them. */
interface Measured {
  readonly rows: Rows
  readonly evaluate: (order: Int32Array, parameters: Float32Array) => Promise<Evaluation>
}

/** Classes as classes, by cross-entropy. */
export function byClass({ net, features, labels }: Task, { engine, signal }: TrialContext): Measured {
  const rows = { features, targets: labels }
  return { rows, evaluate: (order, parameters) => engine.evaluate({ net, loss, rows, order }, parameters, signal) }
}

/** Classes as one output each, 1 for its own rows and 0 for others, by squared error; the largest output is the guess. */
export function byOneHot({ net, features, labels }: Task, { engine, signal }: TrialContext): Measured {
  const classes = sizeOf(net.outputShape)
  const targets = new Float32Array(labels.length * classes)
  labels.forEach((label, row) => (targets[row * classes + label] = 1))
  const width = sizeOf(net.inputShape)
  return {
    rows: { features, targets },
    async evaluate(order, parameters) {
      const outputs = await engine.outputs(net, gatherRows(features, order, width), parameters, signal)
      let [squares, correct] = [0, 0]
      order.forEach((row, i) => {
        const own = outputs.subarray(i * classes, (i + 1) * classes)
        own.forEach((output, k) => (squares += (output - targets[row * classes + k]!) ** 2))
        if (own.indexOf(maxOf(own)) === labels[row]) correct++
      })
      return { loss: squares / (order.length * classes), accuracy: correct / order.length }
    },
  }
}
