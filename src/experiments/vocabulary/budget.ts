import type { EpochResult } from '../../engines/engine.js'
import { choice, integer, number } from '../../core/space.js'

/**
 * What nets of different batch sizes have alike when their training ends. At equal epochs a batch of 5000 has a
 * hundredth of the updates of one of 50, and what is measured of them may say no more than that.
 */
export const budgetAxes = (defaults: { epochs: number; updates: number; targetLoss: number }) => ({
  budget: choice({
    choices: ['epochs', 'updates', 'loss'],
    default: 'epochs',
    doc: 'what every batch size has alike: passes over the rows (the original), updates, or the training loss reached',
  }),
  epochs: integer({
    min: 1,
    max: 100_000,
    default: defaults.epochs,
    doc: 'passes over the training rows, at most',
    unit: 'epochs',
  }),
  updates: integer({
    min: 1,
    max: 10_000_000,
    default: defaults.updates,
    doc: 'updates under that budget, rounded up to whole passes',
    unit: 'updates',
  }),
  targetLoss: number({
    min: 0,
    max: 100,
    default: defaults.targetLoss,
    doc: 'training loss under that budget',
    unit: 'nats',
  }),
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
export const reached = ({ budget, targetLoss }: Budgeted, trained: EpochResult): boolean =>
  budget !== 'loss' || trained.loss <= targetLoss

/** Whether training ends with this epoch. */
export const isUsedUp = (params: Budgeted, epoch: number, trained: EpochResult): boolean =>
  epoch >= epochsOf(params) || (params.budget === 'loss' && reached(params, trained))
