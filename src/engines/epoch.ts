import type { Loss } from '../net/training-spec.js'
import type { EpochResult } from './engine.js'

/** What the steps of an epoch measured: one entry a step. */
export interface StepMeasurements {
  readonly losses: readonly number[]
  readonly correct: readonly number[]
  readonly norms: readonly number[]
  /** Rows of the step's batch. */
  readonly rows: readonly number[]
}

/** Steps gathered into an epoch: means are weighted by rows, so that a partial batch counts for what it is. */
export function summariseEpoch({ losses, correct, norms, rows }: StepMeasurements, loss: Loss): EpochResult {
  const all = rows.reduce((sum, count) => sum + count, 0)
  const right = correct.reduce((sum, count) => sum + count, 0)
  const classifies = loss === 'softmax-cross-entropy'
  return {
    losses: Float32Array.from(losses),
    correct: classifies ? Float32Array.from(correct) : new Float32Array(correct.length).fill(NaN),
    gradientNorms: Float32Array.from(norms),
    loss: losses.reduce((sum, value, i) => sum + value * rows[i]!, 0) / all,
    accuracy: classifies ? right / all : NaN,
  }
}
