import type { Dataset } from '../../data/dataset.js'
import { stratifiedSplit, type Split } from '../../data/split.js'
import type { EpochResult, Evaluation, Rows } from '../../engines/engine.js'
import { multiplyAdds, type Net } from '../../net/net.js'
import type { Metrics } from '../../core/trial.js'
import type { TrialContext } from '../experiment.js'
import type { Memory } from './kept-trainings.js'
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
  const memory: Memory<{ last: Metrics; beside: unknown }> = {
    read: () => ({ last, beside: options.memory?.read() }),
    write(value) {
      last = value.last
      options.memory?.write(value.beside)
    },
  }
  const trained = await trainNet(context, {
    ...options,
    memory,
    loss: crossEntropy,
    async onEpoch(epoch, result, weights) {
      const report = { ...named('train', result), ...(await beside?.(epoch, result, weights)) }
      last = { ...last, ...report }
      await context.report(epoch, report)
    },
  })
  return { ...trained, last }
}
