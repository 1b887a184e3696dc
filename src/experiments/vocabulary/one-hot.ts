import { maxOf } from '../../core/extremes.js'
import { gatherRows } from '../../data/split.js'
import type { Rows } from '../../engines/engine.js'
import { sizeOf, type Net } from '../../net/net.js'
import type { TrialContext } from '../experiment.js'
import type { Evaluator } from './classify.js'

/** Classes as one output each, 1 for its own rows and 0 for others. */
export function oneHot(labels: Int32Array, classes: number): Float32Array {
  const targets = new Float32Array(labels.length * classes)
  labels.forEach((label, row) => (targets[row * classes + label] = 1))
  return targets
}

/** By the squared error of one-hot outputs; the largest output is the guess. */
export function byOneHot(
  net: Net,
  { features, targets }: Rows,
  labels: Int32Array,
  { engine, signal }: TrialContext,
): Evaluator {
  const [width, classes] = [sizeOf(net.inputShape), sizeOf(net.outputShape)]
  return async (order, parameters) => {
    const outputs = await engine.outputs(net, gatherRows(features, order, width), parameters, signal)
    let [squares, correct] = [0, 0]
    order.forEach((row, i) => {
      const guess = outputs.subarray(i * classes, (i + 1) * classes)
      guess.forEach((output, k) => (squares += (output - targets[row * classes + k]!) ** 2))
      if (guess.indexOf(maxOf(guess)) === labels[row]) correct++
    })
    return { loss: squares / (order.length * classes), accuracy: correct / order.length }
  }
}
