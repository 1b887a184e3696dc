import type { EpochResult } from '../../engines/engine.js'
import { number } from '../../core/space.js'
import type { Metrics } from '../../core/trial.js'
import { encodeCheckpoint } from '../../net/checkpoint.js'
import type { Net } from '../../net/net.js'
import type { OptimizerSpec } from '../../net/training-spec.js'
import type { TrialContext } from '../experiment.js'
import * as axes from './axes.js'
import {
  byClass,
  named,
  openSplit,
  trainClassifier,
  trainingCost,
  type Evaluator,
  type LabelledSplit,
} from './classify.js'

/** What nets have alike under each budget, for figures. */
export const budgetWords = { epochs: 'equal epochs', updates: 'equal updates', loss: 'equal training loss' } as const

/**
 * What nets of different batch sizes have alike when their training ends. At equal epochs a batch of 5000 has a
 * hundredth of the updates of one of 50, and what is measured of them may say no more than that.
 */
export const budgetAxes = ({
  epochs,
  updates,
  targetLoss,
}: {
  epochs: number
  updates: number
  targetLoss: number
}) => ({
  budget: axes.oneOf(
    ['epochs', 'updates', 'loss'],
    'what every batch size has alike: passes over the rows (the original), updates, or the training loss reached',
  ),
  epochs: axes.epochs(epochs, { doc: 'passes over the training rows, at most' }),
  updates: axes.count(10_000_000, updates, 'updates under that budget, rounded up to whole passes', {
    unit: 'updates',
  }),
  targetLoss: number({ min: 0, max: 100, default: targetLoss, doc: 'training loss under that budget', unit: 'nats' }),
})

interface Budgeted {
  readonly budget: 'epochs' | 'updates' | 'loss'
  readonly epochs: number
  readonly updates: number
  readonly targetLoss: number
  readonly batch: number
  readonly trainRows: number
}

/** Passes over the rows until the budget is used up, at the most. */
export function epochsOf({ budget, epochs, updates, batch, trainRows }: Budgeted): number {
  return budget === 'updates' ? Math.ceil(updates / Math.ceil(trainRows / batch)) : epochs
}

/** Whether a net has what its budget asks for: only a loss may never come. */
export const reached = ({ budget, targetLoss }: Budgeted, { loss }: Pick<EpochResult, 'loss'>): boolean =>
  budget !== 'loss' || loss <= targetLoss

/** Whether training ends with this epoch. */
export const isUsedUp = (params: Budgeted, epoch: number, trained: EpochResult): boolean =>
  epoch >= epochsOf(params) || (params.budget === 'loss' && reached(params, trained))

export const budgetCost = (net: Net, params: Budgeted): number => trainingCost(net, params.trainRows, epochsOf(params))

interface Classifier {
  readonly net: Net
  readonly optimizer: OptimizerSpec
  /** Initial weights; drawn by the init seed when left out. */
  readonly parameters?: Float32Array
  /** What its weights are saved as. */
  readonly saveAs: string
}

export interface TrainedClassifier extends LabelledSplit {
  readonly parameters: Float32Array
  readonly evaluate: Evaluator
  /** Loss and accuracy of the last epoch; `budget/reached` is 0 when the loss asked for never came. */
  readonly last: Metrics
  /** Loss and accuracy on the held-out rows. */
  readonly held: Metrics
  readonly updates: number
}

/** Trains a classifier until its budget is used up, saves its weights, and evaluates it on the held-out rows. */
export async function trainToBudget(
  context: TrialContext,
  params: Budgeted & { readonly dataset: string; readonly testRows: number },
  { net, optimizer, parameters: start, saveAs }: Classifier,
): Promise<TrainedClassifier> {
  const opened = await openSplit(context, params)
  const { rows, split } = opened
  const { parameters, updates, last } = await trainClassifier(context, {
    net,
    rows,
    train: split.train,
    optimizer,
    batch: params.batch,
    ...(start === undefined ? {} : { parameters: start }),
    enough: (epoch, trained) => isUsedUp(params, epoch, trained),
  })
  await context.save(saveAs, encodeCheckpoint(net, parameters))
  const evaluate = byClass(net, rows, context)
  const held = named('test', await evaluate(split.test, parameters))
  const hasReached = reached(params, { loss: last['train/loss']! })
  return { ...opened, parameters, evaluate, last: { ...last, 'budget/reached': hasReached ? 1 : 0 }, held, updates }
}
