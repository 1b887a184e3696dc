import type { Dataset } from '../data/dataset.js'
import { epochOrder, stratifiedSplit, type Split } from '../data/split.js'
import type { EpochResult, Evaluation, Rows } from '../nn/engine.js'
import { initialize, type Net } from '../nn/net.js'
import type { OptimizerSpec } from '../nn/training.js'
import type { Metrics } from '../trial.js'
import type { TrialContext } from './experiment.js'

/** What the classifying experiments share: a split, a loss, and training epoch by epoch. */
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

export interface ClassifierOptions {
  readonly net: Net
  readonly rows: Rows
  readonly train: Int32Array
  readonly optimizer: OptimizerSpec
  readonly batch: number
  /** Goes on until this says that it is enough; asked after each epoch, counted from 1. */
  readonly enough: (epoch: number, trained: EpochResult, updates: number) => boolean
  readonly gradientNorms?: boolean
  /** Initial weights; drawn by the init seed when left out. */
  readonly parameters?: Float32Array
  /** Told after each epoch, with the weights as they are then. */
  readonly onEpoch: (epoch: number, trained: EpochResult, parameters: () => Float32Array) => Promise<void>
}

/** Trains a classifier with a new order of rows each epoch; returns its final weights. */
export async function trainClassifier(
  context: TrialContext,
  options: ClassifierOptions,
): Promise<{ parameters: Float32Array; updates: number }> {
  const { net, rows, train, optimizer, batch, gradientNorms = false } = options
  const { engine, seeds, signal } = context
  const training = await engine.train({
    net,
    loss,
    optimizer,
    rows,
    batch,
    parameters: options.parameters ?? initialize(net, seeds.init),
    dropoutSeed: seeds.shuffle,
    gradientNorms,
  })
  try {
    for (let epoch = 1; ; epoch++) {
      const trained = await training.run(epochOrder(train, epoch, seeds.shuffle), signal)
      await options.onEpoch(epoch, trained, () => training.parameters())
      if (options.enough(epoch, trained, training.updates)) break
    }
    return { parameters: training.parameters(), updates: training.updates }
  } finally {
    training.dispose()
  }
}

/** `test/loss` and `test/accuracy` of an evaluation. */
export const named = (part: string, { loss, accuracy }: Evaluation): Metrics => ({
  [`${part}/loss`]: loss,
  [`${part}/accuracy`]: accuracy,
})
