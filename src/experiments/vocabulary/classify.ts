import type { Dataset } from '../../data/dataset.js'
import { gatherRows, stratifiedSplit, type Split } from '../../data/split.js'
import { maxOf } from '../../core/extremes.js'
import type { EpochResult, Evaluation, Rows } from '../../engines/engine.js'
import { multiplyAdds, sizeOf, type Net } from '../../net/net.js'
import type { Metrics } from '../../core/trial.js'
import type { TrialContext } from '../experiment.js'
import { trainNet, type TrainNetOptions } from './train-net.js'

/** What the classifying experiments share: a split of labelled rows, a loss, and how a net does on some of them. */
export const crossEntropy = 'softmax-cross-entropy'
/** Of digits, and of CIFAR-10's objects. */
export const classes = 10

/** The rows a net trains on, and those held out. */
export interface LabelledSplit {
  readonly data: Dataset
  readonly split: Split
  readonly rows: Rows
}

/** A data set split by the data seed. Only `mnist-10k` and sets with a test part of their own have so many rows held out. */
export async function openSplit(
  context: TrialContext,
  { dataset, trainRows, testRows }: { dataset: string; trainRows: number; testRows: number },
): Promise<LabelledSplit> {
  const data = await context.data(dataset)
  const split = stratifiedSplit(data, { train: trainRows, test: testRows, seed: context.seeds.data })
  return { data, split, rows: { features: data.features, targets: data.labels } }
}

/** Reads the data set that the axis `dataset` names. */
export const namedSet = ({ dataset }: { readonly dataset: string }): readonly string[] => [dataset]

/** Operations of training: six per weight, row and epoch, forward and backward. */
export const trainingCost = (net: Net, rows: number, epochs: number): number => 6 * multiplyAdds(net) * rows * epochs

/** `test/loss` and `test/accuracy` of an evaluation. */
export const named = (part: string, { loss, accuracy }: Evaluation): Metrics => ({
  [`${part}/loss`]: loss,
  [`${part}/accuracy`]: accuracy,
})

/** How a net does on some rows. */
export type Evaluator = (order: Int32Array, parameters: Float32Array) => Promise<Evaluation>

/** Classes as classes, by cross-entropy. */
export const byClass =
  (net: Net, rows: Rows, { engine, signal }: TrialContext): Evaluator =>
  (order, parameters) =>
    engine.evaluate({ net, loss: crossEntropy, rows, order }, parameters, signal)

interface ClassifierTraining extends Omit<TrainNetOptions, 'loss' | 'onEpoch'> {
  /** What is reported beside an epoch's loss and accuracy, such as those of held-out rows. */
  readonly beside?: (epoch: number, trained: EpochResult, weights: () => Float32Array) => Promise<Metrics> | Metrics
}

/** Trains a classifier and reports each epoch's loss and accuracy; `last` holds the last value of all that was reported. */
export async function trainClassifier(
  context: TrialContext,
  { beside, ...options }: ClassifierTraining,
): Promise<{ parameters: Float32Array; updates: number; last: Metrics }> {
  let last: Metrics = {}
  const trained = await trainNet(context, {
    ...options,
    loss: crossEntropy,
    async onEpoch(epoch, result, weights) {
      const report = { ...named('train', result), ...(await beside?.(epoch, result, weights)) }
      last = { ...last, ...report }
      await context.report(epoch, report)
    },
  })
  return { ...trained, last }
}

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
